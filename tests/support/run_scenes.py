"""Runs as the runs screen and the run screen meet them: many, long, nested, resisting."""

from __future__ import annotations

from tests.support.fake_engine import FIXED_START, FakeEngine, run_view, sample_engine

from roost.models import (
    RunError,
    RunEvent,
    RunEventKind,
    RunKind,
    RunProgress,
    RunStatus,
    StopPhase,
)
from roost_tui.app import RoostApp
from roost_tui.run_screen import RunScreen
from roost_tui.runs_screen import RunsScreen


def runs_screen(app: RoostApp) -> RunsScreen:
    """Return the runs screen, which is what is shown."""
    assert isinstance(app.screen, RunsScreen)
    return app.screen


def run_screen(app: RoostApp) -> RunScreen:
    """Return the run screen, which is what is shown."""
    assert isinstance(app.screen, RunScreen)
    return app.screen


STAGES = ("reading the index", "fetching pages", "ranking", "writing the report")


def many_runs(count: int = 30, *, shown: int | None = None) -> FakeEngine:
    """Return a daemon with settled runs, of which a snapshot holds the newest ones only.

    Args:
        count: runs there are.
        shown: runs that a snapshot holds; None means all.
    """
    fake = FakeEngine()
    statuses = (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.SUCCEEDED, RunStatus.ABORTED)
    for number in range(count):
        fake.add_run(
            run_view(
                f"r-{number:04}",
                status=statuses[number % 4],
                title=f"work {number}",
                scope=f"chat-{number % 5}",
                created_at=FIXED_START - (count - number) * 60_000,
            )
        )
    fake.world.run_limit = shown
    return fake


def steps(
    run_id: str, *, began: int = FIXED_START - 40_000, every_ms: int = 2500
) -> list[RunEvent]:
    """Return the events of a run that is in its third stage."""
    events = [RunEvent(run_id, 1, began, RunEventKind.STATUS, "running")]
    for number in range(12):
        stage = STAGES[min(number // 5, 2)]
        at = began + (number + 1) * every_ms
        events.append(RunEvent(run_id, number + 2, at, RunEventKind.STEP, stage, number + 1, 20))
    return events


def staged_engine() -> FakeEngine:
    """Return the sample daemon with outside work, its children, a command and stops under way."""
    fake = sample_engine()
    began = FIXED_START - 40_000
    fake.add_run(
        run_view(
            "r-900",
            workspace="acme",
            kind=RunKind.EXTERNAL,
            title="weekly report",
            scope="report",
            created_at=began,
            created_by="report-agent",
            on_behalf_of="dana",
            attempt=2,
            lease_until=FIXED_START + 45_000,
            link="https://reports.example.org/weekly/48",
            progress=RunProgress(12, 20, "ranking"),
            step_count=12,
        ),
        input={"week": 48, "sources": ["mail", "tickets"], "limit": 200},
        events=tuple(steps("r-900")),
    )
    fake.add_run(
        run_view(
            "r-901",
            workspace="acme",
            title="filesystem.read_file",
            bundle="filesystem",
            tool="read_file",
            parent="r-900",
            generation=4,
            created_at=FIXED_START - 5000,
            stop_requested_at=FIXED_START - 3000,
            stop_requested_by="ops",
            stop_phase=StopPhase.ASKED,
        ),
        input={"path": "/srv/app/big.log"},
    )
    fake.add_run(
        run_view(
            "r-902",
            workspace="acme",
            kind=RunKind.COMMAND,
            title="exec pg_dump",
            scope="nightly",
            created_at=FIXED_START - 20_000,
            stop_requested_at=FIXED_START - 4000,
            stop_requested_by="ops",
            stop_phase=StopPhase.TERMINATING,
        ),
        input={"command": ["pg_dump", "--format=custom", "app"], "directory": None},
        events=(
            RunEvent("r-902", 1, FIXED_START - 20_000, RunEventKind.STATUS, "running"),
            *(
                RunEvent(
                    "r-902",
                    number + 2,
                    FIXED_START - 19_000 + number * 900,
                    RunEventKind.OUTPUT,
                    f"dumping contents of table public.part_{number}",
                )
                for number in range(14)
            ),
        ),
    )
    fake.add_run(
        run_view(
            "r-903",
            workspace="acme",
            kind=RunKind.COMMAND,
            status=RunStatus.FAILED,
            title="exec pytest -q",
            created_at=FIXED_START - 90_000,
            finished_at=FIXED_START - 60_000,
            error=RunError("exit", "pytest ended with exit 2; read its output"),
        ),
        input={"command": ["pytest", "-q"], "directory": "/srv/app"},
        result={"exit_code": 2, "signal": None},
        is_truncated=True,
    )
    return fake
