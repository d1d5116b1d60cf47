"""Whatever happens in whatever order: one active run per scope, one end, no gap in the events,
and no active run without an owner behind a sweep."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule
from tests.support.ledger import Ledger, request
from tests.support.stores import STORES, add_workspaces

from roost.errors import AlreadyActive, LeaseLost, RunNotFound, StoreUnavailable
from roost.models import (
    BeginRequest,
    FinishRequest,
    LeasedRun,
    RunKind,
    RunLease,
    RunProgress,
    RunQuery,
    RunReport,
    RunStatus,
    RunView,
)
from roost.runs import Ending, OutsideWork, Retention, RetentionLimits
from roost.store import SqlStore
from roost.store.base import RunRows

WINDOW_MS = 600_000
LEASE_S = 60.0
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
    leases: Bundle[RunLease | None] = Bundle("leases")

    booted_at = 0

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.directory = tempfile.TemporaryDirectory()
        self.store: SqlStore = STORES["sqlite"](Path(self.directory.name))
        self.ledger: Ledger | None = None
        self.starts = 0
        self.ends: dict[str, RunView] = {}
        self.epochs: dict[str, int] = {}
        """The newest epoch handed out for each run."""
        self.worked_on: set[str] = set()
        """Runs of this daemon start whose work is under way."""
        self.is_broken = False

    @initialize()
    def boot(self) -> None:
        self.runner.run(self.store.open())
        self.runner.run(add_workspaces(self.store, "main"))
        self.start_daemon()

    def start_daemon(self) -> None:
        self.starts += 1
        directory = Path(self.directory.name)
        elapsed = self.ledger.clock.monotonic() if self.ledger is not None else 0.0
        self.ledger = Ledger(self.store.runs, directory, owner=f"daemon-{self.starts}")
        self.ledger.clock.advance(elapsed)
        self.ledger.recorder.add_worker(RunKind.TOOL_CALL, self.worked_on.__contains__)
        self.worked_on.clear()
        self.is_broken = False
        self.booted_at = self.ledger.clock.now()
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
        self.worked_on.add(begun.run.id)
        return begun.run.id

    @rule(target=leases, scope=SCOPES, key=st.sampled_from(["k", "l", None]))
    def begin_outside(self, scope: str | None, key: str | None) -> RunLease | None:
        self.live.clock.advance(0.001)
        asked = BeginRequest("outside", scope=scope, idempotency_key=key, lease_s=LEASE_S)
        try:
            lease = self.runner.run(self.outside.begin("main", asked, actor="ann"))
        except (AlreadyActive, StoreUnavailable):
            return None
        known = self.epochs.get(lease.run.id, 0)
        if lease.run.status.is_active:
            assert lease.epoch == known + 1
        self.epochs[lease.run.id] = lease.epoch
        return lease

    @rule(lease=leases, count=st.integers(0, 3))
    def report(self, lease: RunLease | None, count: int) -> None:
        if lease is None:
            return
        told = RunReport(lease.epoch, steps=(RunProgress(1),) * count, output="x" * count)
        try:
            answer = self.runner.run(self.outside.report("main", lease.run.id, told))
        except (LeaseLost, RunNotFound, StoreUnavailable):
            return
        assert lease.epoch == self.epochs[lease.run.id]
        assert answer.until == self.live.clock.now() + LEASE_S * 1000
        assert answer.stop_requested == (answer.run.stop_requested_at is not None)

    @rule(lease=consumes(leases), status=st.sampled_from(["succeeded", "aborted"]))
    def finish_outside(self, lease: RunLease | None, status: str) -> None:
        if lease is None:
            return
        end = FinishRequest(lease.epoch, RunStatus(status))
        try:
            view = self.runner.run(self.outside.finish("main", lease.run.id, end))
        except (LeaseLost, RunNotFound, StoreUnavailable):
            return
        assert lease.epoch == self.epochs[lease.run.id]
        assert not view.status.is_active

    @rule(lease=leases)
    def stop_outside(self, lease: RunLease | None) -> None:
        if lease is not None:
            self.request_stop_of(lease.run.id)

    @rule(seconds=st.sampled_from([30.0, 61.0, 601.0]))
    def pass_time(self, seconds: float) -> None:
        self.live.clock.advance(seconds)

    @rule(run_id=runs)
    def lose_the_work(self, run_id: str) -> None:
        self.worked_on.discard(run_id)

    @rule()
    def windowed_sweep(self) -> None:
        self.runner.run(self.live.recorder.sweep())
        self.runner.run(self.live.recorder.windowed_sweep())
        if not self.is_broken:
            for found in self.runner.run(self.store.runs.active_leases()):
                assert self.has_owner(found), found

    @rule()
    def retain(self) -> None:
        limits = RetentionLimits(days=1.0, runs=6, events=4)
        retention = Retention(
            cast("RunRows", self.live.rows),
            limits,
            clock=self.live.clock,
            forget=self.live.recorder.forget,
        )
        self.runner.run(retention.run_once())

    def has_owner(self, found: LeasedRun) -> bool:
        """Say whether somebody holds a run, or held it less than the window ago."""
        run, now = found.run, self.live.clock.now()
        is_recent = now - (run.last_progress_at or run.created_at) <= WINDOW_MS
        if run.kind is not RunKind.EXTERNAL:
            return is_recent or run.id in self.worked_on
        since_boot = self.booted_at + round(LEASE_S * 1000)
        is_held = now < max(run.lease_until or 0, since_boot)
        return is_held or (is_recent and run.stop_requested_at is None)

    @property
    def outside(self) -> OutsideWork:
        return OutsideWork(self.live.recorder)

    @rule(target=runs, count=st.integers(2, 4), scope=SCOPES)
    def begin_at_once(self, count: int, scope: str | None) -> str:
        async def race() -> list[str]:
            begins = [self.live.recorder.begin(request(scope=scope)) for _ in range(count)]
            outcomes = await asyncio.gather(*begins, return_exceptions=True)
            return [out.run.id for out in outcomes if not isinstance(out, BaseException)]

        begun = self.runner.run(race())
        assert scope is None or len(begun) <= 1
        self.worked_on.update(begun)
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
        self.request_stop_of(run_id)

    def request_stop_of(self, run_id: str) -> None:
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
        self.is_broken = True

    @rule()
    def repair_the_store(self) -> None:
        self.live.rows.recover()
        self.is_broken = False

    @rule()
    def crash(self) -> None:
        self.start_daemon()

    @rule()
    def restart(self) -> None:
        self.runner.run(self.live.recorder.close())
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
            detail = await self.store.runs.detail(row.workspace, row.id, newest=1000)
            dropped = detail.events_dropped
            assert (detail.run, detail.events) == (row, events)
            assert [event.seq for event in events] == list(range(dropped + 1, row.last_seq + 1))
            assert not (dropped and row.status.is_active)
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


SIZED = partial(
    settings,
    stateful_step_count=25,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

LedgerMachine.TestCase.settings = SIZED(max_examples=8)
TestLedger = LedgerMachine.TestCase


class LongLedgerMachine(LedgerMachine):
    """The same at full size."""


LongLedgerMachine.TestCase.settings = SIZED(max_examples=60)
TestLedgerAtFullSize = pytest.mark.soak(LongLedgerMachine.TestCase)
