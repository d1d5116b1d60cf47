"""`unix_session`: a `requests` session whose every request goes over one Unix socket."""

from __future__ import annotations

import socket

from requests import PreparedRequest, Session
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

TIMEOUT_S = 60.0


class _Connection(HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("roost", timeout=TIMEOUT_S)
        self._path = path

    def _new_conn(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(TIMEOUT_S)
        connection.connect(self._path)
        return connection


class _Pool(HTTPConnectionPool):
    def __init__(self, path: str) -> None:
        super().__init__("roost")
        self._path = path

    def _new_conn(self) -> _Connection:
        return _Connection(self._path)


class _Adapter(HTTPAdapter):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._pool = _Pool(path)

    def get_connection_with_tls_context(
        self, request: PreparedRequest, *_: object, **__: object
    ) -> HTTPConnectionPool:
        return self._pool

    def close(self) -> None:
        self._pool.close()
        super().close()


def unix_session(path: str) -> Session:
    """Open a session on the socket at `path`; close it, or use it with ``with``."""
    session = Session()
    session.trust_env = False
    session.mount("http://", _Adapter(path))
    return session
