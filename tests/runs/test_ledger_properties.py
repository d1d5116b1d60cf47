"""Whatever happens in whatever order: one active run per scope, one end, no gap in the events."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule
from tests.support.ledger import Ledger, request
from tests.support.stores import STORES, add_workspaces

from roost.errors import AlreadyActive, StoreUnavailable
from roost.models import RunProgress, RunQuery, RunStatus, RunView
from roost.runs import Ending
from roost.store import SqlStore

SCOPES = st.sampled_from(["a", "b", None])
ENDINGS = st.sampled_from(
    [
        Ending(RunStatus.SUCCEEDED, result=[1]),
        Ending.failed("tool_error", "it broke"),
        Ending.aborted("stopped", "stopped by ann"),
    ]
)


class LedgerMachine(RuleBasedStateMachine):
    """Drives a recorder over a real store that comes and goes, through several daemon starts."""

    runs: Bundle[str] = Bundle("runs")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.directory = tempfile.TemporaryDirectory()
        self.store: SqlStore = STORES["sqlite"](Path(self.directory.name))
        self.ledger: Ledger | None = None
        self.starts = 0
        self.ends: dict[str, RunView] = {}

    @initialize()
    def boot(self) -> None:
        self.runner.run(self.store.open())
        self.runner.run(add_workspaces(self.store, "main"))
        self.start_daemon()

    def start_daemon(self) -> None:
        self.starts += 1
        directory = Path(self.directory.name)
        self.ledger = Ledger(self.store.runs, directory, owner=f"daemon-{self.starts}")
        self.runner.run(self.ledger.recorder.boot_sweep())
        self.runner.run(self.ledger.recorder.load_recent())

    @property
    def live(self) -> Ledger:
        assert self.ledger is not None
        return self.ledger

    @rule(target=runs, scope=SCOPES)
    def begin(self, scope: str | None) -> str:
        self.live.clock.advance(0.001)
        try:
            begun = self.runner.run(self.live.recorder.begin(request(scope=scope)))
        except (AlreadyActive, StoreUnavailable):
            return "none"
        return begun.run.id

    @rule(target=runs, count=st.integers(2, 4), scope=SCOPES)
    def begin_at_once(self, count: int, scope: str | None) -> str:
        async def race() -> list[str]:
            begins = [self.live.recorder.begin(request(scope=scope)) for _ in range(count)]
            outcomes = await asyncio.gather(*begins, return_exceptions=True)
            return [out.run.id for out in outcomes if not isinstance(out, BaseException)]

        begun = self.runner.run(race())
        assert scope is None or len(begun) <= 1
        return begun[0] if begun else "none"

    @rule(run_id=runs)
    def start(self, run_id: str) -> None:
        try:
            self.runner.run(self.live.recorder.started(run_id, 1))
        except StoreUnavailable:
            return

    @rule(run_id=runs, count=st.integers(1, 3))
    def step(self, run_id: str, count: int) -> None:
        async def report() -> None:
            steps = [self.live.recorder.step(run_id, RunProgress(1)) for _ in range(count)]
            await asyncio.gather(*steps, return_exceptions=True)

        self.runner.run(report())

    @rule(run_id=runs, endings=st.lists(ENDINGS, min_size=1, max_size=3))
    def finalize(self, run_id: str, endings: list[Ending]) -> None:
        async def settle() -> None:
            settling = [self.live.recorder.finalize("main", run_id, end) for end in endings]
            await asyncio.gather(*settling, return_exceptions=True)

        self.runner.run(settle())

    @rule(run_id=consumes(runs))
    def request_stop(self, run_id: str) -> None:
        try:
            self.runner.run(self.live.recorder.request_stop("main", run_id, by="ann"))
        except StoreUnavailable:
            return

    @rule()
    def sweep(self) -> None:
        self.runner.run(self.live.recorder.sweep())

    @rule()
    def break_the_store(self) -> None:
        self.live.rows.break_down()

    @rule()
    def repair_the_store(self) -> None:
        self.live.rows.recover()

    @rule()
    def start_another_daemon(self) -> None:
        self.start_daemon()

    @invariant()
    def the_rows_are_sound(self) -> None:
        if self.ledger is not None:
            self.runner.run(self.check())

    async def check(self) -> None:
        rows = await self.store.runs.list(RunQuery(limit=1000))
        active = Counter(row.scope for row in rows if row.status.is_active and row.scope)
        assert all(count == 1 for count in active.values())
        for row in rows:
            events = await self.store.runs.events(row.id, after=0, limit=1000)
            assert [event.seq for event in events] == list(range(1, row.last_seq + 1))
            if not row.status.is_active:
                assert self.ends.setdefault(row.id, row) == row
        shown = {view.id: view for view in self.live.recorder.view()}
        assert shown == {row.id: row for row in rows}

    def teardown(self) -> None:
        if self.ledger is not None:
            self.ledger.rows.recover()
            self.runner.run(self.ledger.recorder.close())
            self.runner.run(self.check())
        self.runner.run(self.store.close())
        self.runner.close()
        self.directory.cleanup()


LedgerMachine.TestCase.settings = settings(
    max_examples=20,
    stateful_step_count=25,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestLedger = LedgerMachine.TestCase
