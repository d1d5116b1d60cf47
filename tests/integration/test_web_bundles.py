"""Web apps on ports."""

import socket
from pathlib import Path

import pytest
from tests.support.real_daemon import PYTHON, real_daemon

from roost.models import BundleKind, InstallRequest, SourceKind

pytestmark = pytest.mark.real

WEB = Path(__file__).parents[1] / "support" / "programs" / "web.py"


def port_of(pid: int) -> int:
    environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return int(next(entry for entry in environ if entry.startswith(b"PORT=")).partition(b"=")[2])


def test_a_stop_returns_when_the_port_is_closed_and_a_start_right_after_it_succeeds() -> None:
    with real_daemon() as daemon:
        request = InstallRequest(
            source=SourceKind.COMMAND,
            name="web",
            kind=BundleKind.WEB,
            command=(PYTHON, "-S", str(WEB)),
        )
        daemon.install(request)
        for _ in range(3):
            port = port_of(daemon.pid_of("web"))
            socket.create_connection(("127.0.0.1", port)).close()
            assert daemon.post(f"{daemon.path('web')}/stop")["ok"]
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))
            assert daemon.post(f"{daemon.path('web')}/start")["ok"]
