"""Finds out whether an address can be used, as HTTP libraries do."""

import socket

with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as _probe:
    _probe.bind(("127.0.0.1", 0))
IS_USABLE = True
