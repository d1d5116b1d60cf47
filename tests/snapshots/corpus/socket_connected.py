"""Finds its own address by a connection that it closes again."""

import socket

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as _probe:
    _probe.connect(("127.0.0.1", 9))
    ADDRESS = _probe.getsockname()[0]
