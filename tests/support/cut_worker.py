"""A worker of the three patterns of the demo beside its own files, and what a test does to it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.owned_daemon import OwnedDaemon, owned_daemon
from tests.support.real_daemon import RealDaemon, wait_for

from roost import submit
from roost.models import BundleSettings, InstallRequest, SourceKind

PROGRAM = Path(__file__).parent / "programs" / "cut_stages.py"

NAME = "cut"

SCOPE = "one"
"""Of every run that is begun here: one that were left active would refuse the next."""


@dataclass(frozen=True)
class Pattern:
    """A task of the demo and what it does when nothing cuts it."""

    task: str
    input: dict[str, Any]
    stages: tuple[str, ...]
    """In their order; each leaves its name as a line."""
    status: str = "succeeded"
    has_journal: bool = True
    result: dict[str, Any] | None = field(default=None)


PATTERNS = {
    "pipeline": Pattern(
        "pipeline.count", {"text": "to be or not to be"}, ("split", "count", "store")
    ),
    "saga": Pattern(
        "travel.book",
        {"parts": ["flight", "hotel", "full cruise"]},
        ("book flight", "book hotel", "book full cruise", "cancel hotel", "cancel flight"),
        status="failed",
    ),
    "agent loop": Pattern(
        "agent.answer",
        {"question": "Which is the highest mountain of Japan?"},
        ("search", "feet"),
        has_journal=False,
        result={"answer": "Mount Fuji, 3776 m; 12388 ft", "turns": 2},
    ),
}


class CutWorker:
    """One daemon with the worker, whose stages a test cuts."""

    def __init__(self, owned: OwnedDaemon, folder: Path) -> None:
        self.owned = owned
        self._folder = folder
        shutil.copy(PROGRAM, folder)
        self.cut()
        request = InstallRequest(
            SourceKind.WORKER,
            name=NAME,
            path=str(folder),
            entry=PROGRAM.stem,
            settings=BundleSettings(stop_grace_s=30),
        )
        self.daemon.install(request)
        self.daemon.until(NAME, "running")

    @property
    def daemon(self) -> RealDaemon:
        """What an operator asks."""
        return self.owned.operator

    # Work

    def begin(self, pattern: Pattern, *cuts: str) -> str:
        """Submit a run that is cut in some of its stages, and return its id."""
        out = {"out": str(self._folder / "counts.json"), "ledger": str(self._folder / "ledger")}
        return self.submit(pattern.task, pattern.input | out, *cuts)

    def submit(self, task: str, given: Any, *cuts: str, **facts: Any) -> str:
        """Submit anything that leaves lines."""
        self.cut(*cuts)
        where: dict[str, Any] = {"workspace": "w", "data_dir": str(self.owned.data_dir)}
        return submit(task, given, scope=SCOPE, anew=True, **where, **facts).run_id

    def cut(self, *stages: str) -> None:
        """Let each of these stages be cut once from now on, and no others."""
        (self._folder / "lines").unlink(missing_ok=True)
        (self._folder / "cuts").write_text("".join(f"{stage}\n" for stage in stages))

    def left_to_cut(self) -> int:
        """Return how many stages were not cut yet."""
        return len((self._folder / "cuts").read_text().splitlines())

    def lines(self) -> list[str]:
        """Return the stages that were entered."""
        path = self._folder / "lines"
        return path.read_text().splitlines() if path.exists() else []

    def until_lines(self, wanted: Sequence[str]) -> None:
        """Wait until some stages were entered, and no others."""
        wait_for(self.lines, lambda lines: len(lines) >= len(wanted))
        assert self.lines() == list(wanted)

    # Ways to end it

    def kill_worker(self) -> None:
        """Kill the worker with -9, and wait until its end is known: a start is needed from then on.

        Its runs are taken back a moment earlier, as soon as it has hung up.
        """
        pid = self.daemon.pid_of(NAME)
        os.kill(pid, signal.SIGKILL)
        self.daemon.until(
            NAME, lambda view: view["state"] != "running" or view["generation"]["pid"] != pid
        )

    def kill_daemon(self) -> None:
        """Kill the daemon with -9, and start the next one."""
        self.owned.process.kill()
        self.owned.exit_status()
        self.owned.start_again()

    def quit_daemon(self) -> None:
        """Let the daemon stop in order."""
        self.daemon.post("/v1/shutdown")
        assert self.owned.exit_status() == 0

    def ask(self, verb: str) -> dict[str, Any]:
        """Start, stop or respawn the worker and return what came of it."""
        told: dict[str, Any] = self.daemon.post(f"{self.daemon.path(NAME)}/{verb}")
        assert told["ok"], told
        return told

    # Looking

    def run(self, run_id: str) -> dict[str, Any]:
        """Return the row of a run."""
        run: dict[str, Any] = self.daemon.run(run_id)["run"]
        return run

    def until_attempt(self, run_id: str, number: int) -> None:
        """Wait until a run has been taken from who did the attempt before."""
        wait_for(lambda: self.run(run_id)["attempt"], lambda attempt: attempt >= number)

    def history(self, run_id: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return the journal and the attempts of a run."""
        found = self.daemon.wire.get(f"/v1/workspaces/w/runs/{run_id}/task")
        return found["journal"], found["attempts"]

    def active(self) -> list[dict[str, Any]]:
        """Return the runs that have not settled."""
        runs = self.daemon.wire.get("/v1/runs")
        return [run for run in runs if run["status"] in ("pending", "running")]


@contextmanager
def cut_worker(fault: str = "none") -> Iterator[CutWorker]:
    """Give a daemon of the test's own with the worker."""
    with owned_daemon(fault) as owned:
        folder = owned.data_dir / "worker"
        folder.mkdir()
        yield CutWorker(owned, folder)
