"""Roost itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_urlsafe

import psutil

from benchmarks.daemon import child_environment, running_daemon
from benchmarks.supervision.waiting import last_bytes
from roost.client.discovery import ensure_daemon, stop_daemon
from roost.client.wire import Wire
from roost.models import BundleKind, InstallRequest, SourceKind, codec
from roost.settings.locations import socket_path

NAME = "roost"

LOG_BYTES = 1024 * 1024 * 1024
"""No rotation while lines are counted; the others do not rotate either."""

ROOST = str(Path(sys.executable).with_name("roost"))


def prepare() -> None:
    """It is here."""


class Up:
    """A daemon with its bundles."""

    def __init__(self, data_dir: str) -> None:
        self._data_dir = data_dir
        self._wire = Wire(socket_path(data_dir))

    def begin(self) -> None:
        """Start the daemon; it brings up what ran when it was stopped."""
        ensure_daemon(self._data_dir)

    def pids(self) -> tuple[int, ...]:
        daemon = psutil.Process(self._wire.get("/v1/status")["pid"])
        watchdogs = [
            child.pid for child in daemon.children() if "watchdog" in " ".join(child.cmdline())
        ]
        return (daemon.pid, *watchdogs)

    def respawn_by_api(self, child: str) -> None:
        self._wire.send("POST", f"/v1/workspaces/bench/bundles/{child}/respawn", b"{}")

    def respawn_by_command(self, child: str) -> None:
        subprocess.run(
            [ROOST, "respawn", "-w", "bench", child],
            env=child_environment(self._data_dir),
            capture_output=True,
            check=True,
        )

    def captured(self, child: str, last: int) -> bytes:
        files = (Path(self._data_dir) / "logs" / "bench" / child).glob("*.log")
        # Named by generation first; the generation of the installation wrote something too.
        return last_bytes(max(files, key=lambda file: int(file.name.split("-")[0])), last)


@contextmanager
def up(commands: dict[str, tuple[str, ...]], secrets: int = 0) -> Iterator[Up]:
    """Install the bundles and stop the daemon again, as before a reboot.

    Args:
        commands: command of each child by its name.
        secrets: credentials that each is given; its output is searched for every one of them.
    """
    env = {f"API_TOKEN_{number}": token_urlsafe(32) for number in range(secrets)}
    with running_daemon({"ROOST_LOG_FILE_BYTES": str(LOG_BYTES)}) as (data_dir, wire):
        for name, command in commands.items():
            request = InstallRequest(
                source=SourceKind.COMMAND,
                name=name,
                kind=BundleKind.COMMAND,
                command=command,
                env=env,
            )
            wire.send("POST", "/v1/workspaces/bench/bundles", codec.to_json(request))
        stop_daemon(data_dir)
        yield Up(data_dir)
