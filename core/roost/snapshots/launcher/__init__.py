"""The half of snapshots that runs in the bundle's own interpreter.

A directory that is run by its path: ``INTERPRETER [FLAGS] launcher MODE SPEC_FD PADDING``. It knows
the standard library only, of Python 3.11 to 3.13, and nothing of Roost. There its modules are named
``_roost_launcher.*`` and its directory is not on `sys.path`, so that no app can see or clash with
them. The daemon imports `wire` from here too, by its usual name.
"""
