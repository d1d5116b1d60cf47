"""Where things lie and what may be set: the only module that reads the environment.

`locations` is light and serves every client; `daemon_settings` is for the composition root.
"""
