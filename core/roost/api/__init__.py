"""The HTTP API over the daemon's Unix socket."""

from roost.api.app import create_app
from roost.api.server import ApiServer, bind_socket
from roost.api.source import EngineSource

__all__ = ["ApiServer", "EngineSource", "bind_socket", "create_app"]
