"""What a service manager does for a daemon: it starts it, and listens to what it says."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.socket_dir import socket_dir

from roost.client.wire import Wire
from roost.settings.locations import socket_path

BOUND_S = 45.0


class ServiceManager:
    """Runs ``roost serve`` on a directory of its own and hears its notices.

    Args:
        directory: an empty private directory with a short path.
        environ: further variables of the daemon.
    """

    def __init__(self, directory: Path, **environ: str) -> None:
        self.data_dir = directory / "data"
        self.wire = Wire(socket_path(str(self.data_dir)))
        self.heard: list[str] = []
        """Every notice so far, oldest first."""
        address = directory / "notify.sock"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(address))
        self.log = directory / "stderr.log"
        roost = Path(sys.executable).with_name("roost")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [roost, "--data-dir", self.data_dir, "serve"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                env=os.environ | environ | {"NOTIFY_SOCKET": str(address)},
            )

    def hear(self, notice: str, *, times: int = 1) -> list[str]:
        """Listen until a notice came so many times; return all that were heard until then."""
        deadline = time.monotonic() + BOUND_S
        while self.heard.count(notice) < times:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                self.heard.append(self._socket.recv(4096).decode())
            except TimeoutError:
                raise AssertionError(
                    f"{notice} did not come: {self.heard}, {self.told()}"
                ) from None
        return list(self.heard)

    def told(self) -> str:
        """Return what it wrote to its standard error."""
        return self.log.read_text(errors="replace")

    def terminate(self) -> int:
        """Ask it to stop and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(BOUND_S)

    def close(self) -> None:
        """End it, however it is."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(BOUND_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._socket.close()


@contextmanager
def service_manager(**environ: str) -> Iterator[ServiceManager]:
    """Give a daemon that was just started by a service manager, and end it."""
    with socket_dir() as directory:
        manager = ServiceManager(Path(directory), **environ)
        try:
            yield manager
        finally:
            manager.close()
