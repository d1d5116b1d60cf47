"""A real daemon that is this process's own child, so that its exit status can be seen."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.real_daemon import RealDaemon, wait_for
from tests.support.snapshot_bundles import descriptors
from tests.support.warm_daemons import WarmProcess, warm_program

from roost.client.discovery import find_daemon

FAULTY = Path(__file__).parent / "programs" / "faulty_daemon.py"

EXIT_BOUND_S = 30.0


class OwnedDaemon:
    """One data directory and the daemon started on it.

    Args:
        fault: what goes wrong in its shutdown, as `faulty_daemon.py` names it.
    """

    def __init__(self, fault: str = "none", **environ: str) -> None:
        self.data_dir = Path(tempfile.mkdtemp(prefix="roost-", dir="/tmp"))
        self._fault = fault
        self._gate = self.data_dir / "gate"
        self._environ = os.environ | {"TEST_GATE": str(self._gate)} | environ
        self._log = self.data_dir / "own.log"
        self.process = self._spawn()
        self.operator = self._attach()

    def start_again(self) -> None:
        """Start a daemon on the same directory after the last one has ended."""
        assert self.process.poll() is not None
        self.process = self._spawn()
        self.operator = self._attach()

    def exit_status(self) -> int:
        """Wait for its end."""
        return self.process.wait(EXIT_BOUND_S)

    def open_gate(self) -> None:
        """Let a shutdown go on that waits at one of its steps."""
        self._gate.touch()

    def told(self) -> list[str]:
        """Return what it logged."""
        return self._log.read_text(errors="replace").splitlines()

    def steps(self) -> list[str]:
        """Return the steps of its shutdown as it walked them."""
        return [line.partition("step: ")[2] for line in self.told() if "step: " in line]

    def descriptors(self) -> int:
        """Count its open descriptors, without the database's."""
        return descriptors(self.process.pid)

    def close(self) -> None:
        """End it and delete the directory."""
        self.open_gate()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(EXIT_BOUND_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.data_dir, ignore_errors=True)

    def _spawn(self) -> WarmProcess | subprocess.Popen[bytes]:
        arguments = (self._fault, "--debug", "--data-dir", str(self.data_dir))
        return warm_program(FAULTY, *arguments, log=self._log, environ=self._environ)

    def _attach(self) -> RealDaemon:
        wait_for(
            lambda: (find_daemon(str(self.data_dir)), self.process.poll()),
            lambda seen: seen[0] or seen[1] is not None,
        )
        assert self.process.poll() is None, self.told()[-5:]
        return RealDaemon(self.data_dir)


@contextmanager
def owned_daemon(fault: str = "none", **environ: str) -> Iterator[OwnedDaemon]:
    """Give a daemon of our own with the workspace ``w``, and end it."""
    daemon = OwnedDaemon(fault, **environ)
    try:
        daemon.operator.workspace("w")
        yield daemon
    finally:
        daemon.close()
