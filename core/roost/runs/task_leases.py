"""`TaskLeases`: runs of tasks from claim to end; each write is under the epoch it names."""

from __future__ import annotations

from collections.abc import Callable

from roost.errors import LeaseLost, RunNotFound, StoreUnavailable
from roost.models import (
    ClaimedRun,
    LeasedRun,
    RunError,
    RunEventKind,
    RunLease,
    RunProgress,
    RunStatus,
    RunView,
    TaskEnd,
    TaskReport,
    TaskSpec,
    WaitReason,
)
from roost.models.codec import to_json
from roost.models.record import WAITING_OWNER
from roost.runs.active import ActiveRun
from roost.runs.leases import lease_of, settle_claimed
from roost.runs.parts import LedgerParts
from roost.runs.task_checks import check_end, check_report
from roost.runs.task_recovery import Requeue, after_failure, after_loss, stopped
from roost.runs.task_workers import Worker
from roost.runs.values import Ending
from roost.store.base import TaskRows

LEASE_MS = 30_000
"""How long a lease holds without a report: ten heartbeats, so that a busy machine costs none."""

SpecOf = Callable[[str, str | None], TaskSpec | None]
"""Returns a task as it is offered now, by workspace and name."""

WaitsOf = Callable[[RunView], WaitReason | None]
"""Says why a run that may be claimed is not claimed at once."""


class TaskLeases:
    """Hands runs to workers and takes them back.

    Args:
        parts: of the ledger.
        rows: of tasks.
        spec_of: finds the task of a run.
        waits_of: says why a run waits.
    """

    def __init__(
        self, parts: LedgerParts, rows: TaskRows, *, spec_of: SpecOf, waits_of: WaitsOf
    ) -> None:
        self._parts = parts
        self._rows = rows
        self._clock = parts.clock
        self._spec_of = spec_of
        self._waits_of = waits_of
        self._heard: dict[str, float] = {}
        """When each run that is under way was heard of last. A clock that does not run while the
        machine sleeps: its workers cannot report either."""

    async def claim(self, worker: Worker, view: RunView) -> ClaimedRun | None:
        """Let a worker begin an attempt; None when the run is not to be had (any more)."""
        run = await self._parts.active.find(view.workspace, view.id)
        if run is None:
            return None
        async with run.lock:
            if run.claimed is not None or run.epoch is None:
                return None
            claimed = await self._rows.claim(
                view.id,
                at=self._clock.now(),
                owner=worker.generation_id,
                epoch=run.epoch,
                bundle=worker.bundle,
                generation=worker.generation,
                lease_ms=LEASE_MS,
            )
            if claimed is None:
                return None
            stored, given = claimed
            run.owner, run.epoch, run.lease_ms = worker.generation_id, run.epoch + 1, LEASE_MS
            self._heard[view.id] = self._clock.monotonic()
            self._parts.announce(stored)
            return ClaimedRun(stored, run.epoch, LEASE_MS, given.input, given.journal)

    async def report(self, workspace: str, run_id: str, report: TaskReport) -> RunLease:
        """Store a report in one write and renew the lease.

        Raises:
            RunNotFound: no such run in this workspace. LeaseLost: it has settled, or another
                attempt holds it. BadInput: it cannot be stored as it is; nothing was.
        """
        run = await self._find(workspace, run_id)
        async with run.lock:
            self._check(run, report.epoch)
            check_report(self._parts.payloads, workspace, run.view.bundle or "", report)
            at = self._clock.now()
            stored = await self._rows.report_work(
                run_id,
                at=at,
                owner=run.owner,
                epoch=report.epoch,
                lease_until=at + LEASE_MS,
                events=self._events(run.view, report),
                journal=report.journal,
                link=report.link and self._parts.drafts.link(run.view, report.link),
            )
            if stored is None:
                self._parts.active.forget(run_id)
                raise LeaseLost(run_id, "it has settled or somebody else holds it")
            self._heard[run_id] = self._clock.monotonic()
            self._parts.announce(stored)
        return lease_of(LeasedRun(stored, run.owner, report.epoch), is_new=False)

    async def end(self, workspace: str, run_id: str, end: TaskEnd) -> RunView:
        """End an attempt: settle the run, or let it wait for its next one.

        The first end of an attempt stays, and is the answer when it is asked for again.

        Raises:
            RunNotFound: no such run in this workspace. LeaseLost: another attempt holds it.
            BadInput: it is no end. StoreUnavailable: the end is kept and will be stored.
        """
        check_end(end)
        run = await self._parts.active.find(workspace, run_id)
        if run is not None:
            _check_kind(run.view)
            async with run.lock:
                self._check_epoch(run, end.epoch)
                if run.claimed is None and run.view.status is RunStatus.RUNNING:
                    requeue = await self._another_try(run, end)
                    if requeue is not None:
                        return await self._requeue(run, requeue)
                    run.claimed = self._parts.drafts.final_write(run.view, _ending(run.view, end))
                elif run.claimed is None:
                    return _told_before(run.view, end)
            await settle_claimed(run, self._parts.endings)
            if _has_its_end(run):
                return run.view
        return await self._settled_under(workspace, run_id, end.epoch)

    async def release(self, workspace: str, run_id: str, epoch: int, error: RunError) -> RunView:
        """Take a run back from a worker that cannot finish it.

        Raises:
            RunNotFound: no such run in this workspace. LeaseLost: another attempt holds it.
        """
        run = await self._find(workspace, run_id)
        async with run.lock:
            self._check_epoch(run, epoch)
            if run.claimed is None and run.view.status is RunStatus.PENDING:
                return run.view
        await self._recover(run, run.owner, epoch, error)
        found = await self._parts.rows.get(workspace, run_id)
        if found is None:
            raise RunNotFound(run_id)
        return found

    async def recover(
        self, workspace: str, run_id: str, owner: str | None, error: RunError
    ) -> bool:
        """Take a run from a worker that is gone.

        Args:
            owner: the worker; None takes it from any.

        Returns:
            False, with nothing changed, when it does not hold the run.
        """
        run = await self._parts.active.find(workspace, run_id)
        return run is not None and await self._recover(run, owner, None, error)

    def unheard(self, run_id: str) -> bool:
        """Say whether a run that is under way was not heard of for as long as its lease holds."""
        heard = self._heard.get(run_id)
        return heard is not None and (self._clock.monotonic() - heard) * 1000 > LEASE_MS

    def forget(self, run_id: str) -> None:
        """Expect no report of a run any more."""
        self._heard.pop(run_id, None)

    # Inside

    async def _recover(
        self, run: ActiveRun, owner: str | None, epoch: int | None, error: RunError
    ) -> bool:
        async with run.lock:
            view = run.view
            is_held = owner in (None, run.owner) and epoch in (None, run.epoch)
            if run.claimed is not None or view.status is not RunStatus.RUNNING or not is_held:
                return False
            error = self._parts.drafts.error(view, error)
            journal, attempts = await self._rows.history(view.id)
            verdict = after_loss(
                view,
                self._spec_of(view.workspace, view.task),
                error,
                journal=journal,
                attempts=attempts,
                now=self._clock.now(),
            )
            if isinstance(verdict, Requeue):
                await self._requeue(run, verdict)
                return True
            run.claimed = self._parts.drafts.final_write(view, verdict)
        await settle_claimed(run, self._parts.endings)
        return True

    async def _another_try(self, run: ActiveRun, end: TaskEnd) -> Requeue | None:
        if end.status is not RunStatus.FAILED or not end.is_transient:
            return None
        error = self._parts.drafts.error(run.view, _error(end))
        spec = self._spec_of(run.view.workspace, run.view.task)
        _, attempts = await self._rows.history(run.view.id)
        return after_failure(run.view, spec, error, attempts)

    async def _requeue(self, run: ActiveRun, requeue: Requeue) -> RunView:
        """Let a run wait for its next attempt; the caller holds its lock."""
        view, at = run.view, self._clock.now()
        stored = await self._rows.requeue(
            view.id,
            at=at,
            owner=run.owner,
            epoch=run.epoch or 0,
            error=requeue.error,
            waits=requeue.waits or self._waits_of(view),
            available_at=None if requeue.pause_ms is None else at + requeue.pause_ms,
            journal=requeue.journal,
        )
        if stored is None:
            self._parts.active.forget(view.id)
            raise LeaseLost(view.id, "it has settled or somebody else holds it")
        run.owner = WAITING_OWNER
        self.forget(view.id)
        return self._parts.announce(stored)

    async def _settled_under(self, workspace: str, run_id: str, epoch: int) -> RunView:
        found = await self._parts.rows.leased(workspace, run_id)
        if found is None:
            raise RunNotFound(run_id)
        _check_kind(found.run)
        if found.epoch != epoch:
            raise LeaseLost(run_id, f"epoch {found.epoch} holds it")
        if found.run.status.is_active:
            raise StoreUnavailable(f"the end of run {run_id} is not stored yet; tell it again")
        return found.run

    async def _find(self, workspace: str, run_id: str) -> ActiveRun:
        run = await self._parts.active.find(workspace, run_id)
        if run is None:
            found = await self._parts.rows.get(workspace, run_id)
            if found is None:
                raise RunNotFound(run_id)
            raise LeaseLost(run_id, f"the run has {found.status}")
        _check_kind(run.view)
        return run

    def _check(self, run: ActiveRun, epoch: int) -> None:
        if run.claimed is not None:
            raise LeaseLost(run.view.id, f"the run has {run.claimed.status}")
        self._check_epoch(run, epoch)
        if run.view.status is not RunStatus.RUNNING:
            raise LeaseLost(run.view.id, "it waits for another attempt")

    @staticmethod
    def _check_epoch(run: ActiveRun, told: int) -> None:
        if run.epoch != told:
            raise LeaseLost(run.view.id, f"epoch {run.epoch} holds it")

    def _events(
        self, view: RunView, report: TaskReport
    ) -> list[tuple[RunEventKind, str, RunProgress | None, str | None]]:
        drafts = self._parts.drafts
        events: list[tuple[RunEventKind, str, RunProgress | None, str | None]] = [
            (RunEventKind.STEP, *drafts.step(view, progress), None) for progress in report.steps
        ]
        for emission in report.emissions:
            kept, _ = self._parts.payloads.value(view.workspace, view.bundle, emission.data)
            events.append((RunEventKind.EMIT, to_json(kept).decode(), None, emission.name))
        output = drafts.outputs(view, report.output or "")
        return [*events, *((RunEventKind.OUTPUT, text, None, None) for text in output)]


def _has_its_end(run: ActiveRun) -> bool:
    """Say whether the end that was claimed for a run is the one that is stored."""
    end = run.claimed
    stored = run.view.status, run.view.finished_at
    return run.is_settled and end is not None and stored == (end.status, end.at)


def _told_before(view: RunView, end: TaskEnd) -> RunView:
    """Return a run that waits because this end of its attempt was told before.

    Raises:
        LeaseLost: it waits because its worker was given up.
    """
    if end.is_transient and view.waits == WaitReason.RETRY:
        return view
    raise LeaseLost(view.id, "it waits for another attempt")


def _ending(view: RunView, end: TaskEnd) -> Ending:
    """Return the end of a run; one that was asked to stop was stopped, whatever is told."""
    if view.stop_requested_at is not None:
        return Ending(RunStatus.ABORTED, stopped(view).error, end.result, end.link)
    error = None if end.status is RunStatus.SUCCEEDED else _error(end)
    return Ending(end.status, error, end.result, end.link)


def _error(end: TaskEnd) -> RunError:
    if end.error is not None:
        return end.error
    return RunError(str(end.status), "its handler did not say why")


def _check_kind(run: RunView) -> None:
    """Refuse what only a worker tells for runs of other kinds."""
    if run.task is None:
        raise LeaseLost(run.id, "it is no run of a task, so no worker tells of it")
