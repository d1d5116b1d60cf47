"""Clients of the daemon; import what you need from its module, so that nothing else is loaded.

`http_engine` is the asynchronous `EngineAPI` for the screen; `wire` and `discovery` stand on the
standard library alone and start fast.
"""
