"""`Tasks`: durable tasks, the workers that do their runs, and the ledger of both."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from roost.errors import Refused, RoostError, RunNotFound, TaskNotFound
from roost.models import (
    ChangeBody,
    ClaimedRun,
    ClaimRequest,
    JournalEntry,
    ReleaseRequest,
    RunDetail,
    RunError,
    RunLease,
    RunStatus,
    RunTrigger,
    RunView,
    SubmitOutcome,
    SubmitRequest,
    TaskEnd,
    TaskReport,
    TaskRow,
    TaskRunDetail,
    TasksChanged,
    TaskView,
    WorkerHello,
    WorkerView,
)
from roost.runs.recorder import RunRecorder
from roost.runs.task_board import TaskBoard, key_of
from roost.runs.task_checks import check_hello
from roost.runs.task_claims import TaskClaims
from roost.runs.task_leases import TaskLeases
from roost.runs.task_offers import TaskOffers
from roost.runs.task_recovery import (
    CLOSING,
    CRASHED,
    DAEMON_GONE,
    INTERRUPTED,
    LEAVING,
    SILENT,
    STOPPED,
)
from roost.runs.task_submits import TaskSubmits
from roost.runs.task_waits import TaskWaits
from roost.runs.task_workers import Worker, Workers
from roost.runs.values import Ending
from roost.store.base import TaskRows

TELL_PAUSE_S = 0.2
"""How long changes of tasks are gathered before viewers are told to read them anew: a worker that
does hundreds of runs a second changes their number each time."""

GenerationOf = Callable[[str, str, str], int | None]
"""Returns the number of a generation, by workspace, bundle and id; None when it is not known."""

logger = logging.getLogger(__name__)


class Tasks:
    """What workers offer, what waits for them, and what they tell.

    Args:
        recorder: the ledger.
        rows: of tasks.
        publish: told when tasks or their numbers have changed; must not raise.
        generation_of: finds the number of a worker's generation.
    """

    def __init__(
        self,
        recorder: RunRecorder,
        rows: TaskRows,
        *,
        publish: Callable[[ChangeBody], None],
        generation_of: GenerationOf,
    ) -> None:
        self._recorder = recorder
        self._rows = rows
        self._clock = recorder.parts.clock
        self._publish = publish
        self._generation_of = generation_of
        self._offers = TaskOffers(rows, self._clock)
        self._board = TaskBoard()
        self._workers = Workers()
        parts = recorder.parts
        self._waits = TaskWaits(parts, rows, self._board, self._workers, self._offers)
        self._leases = TaskLeases(
            parts, rows, spec_of=self._offers.spec, waits_of=self._waits.of_old
        )
        self._claims = TaskClaims(
            recorder, self._board, self._workers, self._leases, self._offers.slots
        )
        self._submits = TaskSubmits(recorder, self._board, waits_of=self._waits.of_new)
        self._untold: set[str] = set()
        self._own_tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    # Boot and close

    async def boot(self) -> int:
        """Read what is kept, and recover the runs whose worker ended with an earlier daemon.

        Its errors never stop the boot. Call it once the recorder has swept.

        Returns:
            How many runs were recovered or ended.
        """
        try:
            await self._offers.load()
            return await self._recover_left_over(await self._rows.active())
        except RoostError:
            logger.exception("the tasks could not be read; their runs wait for the next start")
            return 0

    async def sweep(self) -> None:
        """Recover the runs whose lease ran out; call it now and then, it never raises."""
        for workspace, run_id in self._board.running():
            if self._leases.unheard(run_id):
                await self._recover(workspace, run_id, None, SILENT)

    async def close(self) -> None:
        """Take back what workers hold still; call it when they have ended."""
        self._claims.close()
        for workspace, run_id in self._board.running():
            await self._recover(workspace, run_id, None, CLOSING)
        self._is_closed = True
        for task in tuple(self._own_tasks):
            task.cancel()
        await asyncio.gather(*self._own_tasks, return_exceptions=True)

    def refuse_claims(self) -> None:
        """Let every worker that waits for runs go: no more are begun."""
        self._claims.close()

    # Looking

    def views(self, workspace: str | None = None) -> tuple[TaskView, ...]:
        """Return the tasks by workspace and name."""
        return tuple(self._view(row) for row in self._offers.all(workspace))

    def knows(self, workspace: str, task: str) -> bool:
        """Say whether a bundle offers a task, or has offered it."""
        return self._offers.row((workspace, task)) is not None

    async def detail(self, workspace: str, run_id: str) -> TaskRunDetail:
        """Return the journal and the attempts of a run, as they may be shown.

        Raises:
            RunNotFound: no such run in this workspace.
        """
        run = await self._recorder.get(workspace, run_id)
        journal, attempts = await self._rows.history(run_id)
        shown = tuple(self._shown(run, entry) for entry in journal)
        return TaskRunDetail(shown, attempts, self._offers.spec(workspace, run.task))

    def run_changed(self, run: RunView) -> None:
        """Take the newest row of a run, in the same step in which it is announced."""
        if run.task is None:
            return
        if run.status is not RunStatus.RUNNING:
            self._workers.let_go(run.id)
            self._leases.forget(run.id)
            self._workers.wake()
        if self._board.put(run, self._clock.now()):
            self._tell(run.workspace)

    # Workers

    async def register(
        self, workspace: str, bundle: str, generation_id: str, hello: WorkerHello
    ) -> WorkerView:
        """Take the tasks of a worker instead of those that its bundle offered before.

        Raises:
            BadInput: a task does not fit. TaskTaken: another bundle offers one of them. Nothing
                was taken over then. Refused: its process has ended meanwhile.
        """
        check_hello(hello)
        before = await self._offers.put(workspace, bundle, hello.tasks)
        number = self._generation_of(workspace, bundle, generation_id)
        worker = self._workers.welcome(workspace, bundle, generation_id, number, hello)
        self._own(self._waits.tell_anew({*before, *worker.keys}))
        self._workers.wake()
        self._tell(workspace)
        return WorkerView(
            workspace, bundle, generation_id, worker.slots, worker.tasks, self._warnings(worker)
        )

    async def worker_gone(self, generation_id: str, *, was_asked: bool) -> None:
        """Recover what a process held that has ended.

        Args:
            was_asked: whether it was stopped, rather than that it crashed.
        """
        worker = self._workers.dismiss(generation_id)
        if worker is None:
            return
        self._workers.wake()
        for run_id in tuple(worker.run_ids):
            error = STOPPED if was_asked else CRASHED
            await self._recover(worker.workspace, run_id, generation_id, error)
        self._own(self._waits.tell_anew(worker.keys))
        self._tell(worker.workspace)

    async def forget_bundle(self, workspace: str, bundle: str) -> None:
        """Let go of the tasks of a bundle that was removed; runs of them that wait stay."""
        if await self._offers.forget(workspace, bundle):
            self._tell(workspace)

    async def claim(
        self, workspace: str, generation_id: str, request: ClaimRequest
    ) -> tuple[ClaimedRun, ...]:
        """Let a worker begin runs, the oldest first; waits for one if need be.

        Raises:
            Refused: it has not told its tasks, or it is gone. BadInput: the wish is none.
        """
        return await self._claims.claim(self._workers.found(workspace, generation_id), request)

    async def report(self, workspace: str, run_id: str, report: TaskReport) -> RunLease:
        """Store what a handler tells, all or nothing, and renew the lease.

        Raises:
            RunNotFound, BadInput. LeaseLost: the run has settled, or another attempt holds it.
        """
        return await self._recorder.shielded(self._leases.report(workspace, run_id, report))

    async def end(self, workspace: str, run_id: str, end: TaskEnd) -> RunView:
        """End an attempt: settle the run, or let it wait for its next attempt.

        Raises:
            RunNotFound, BadInput. LeaseLost: another attempt holds it.
        """
        return await self._recorder.shielded(self._leases.end(workspace, run_id, end))

    async def release(self, workspace: str, run_id: str, release: ReleaseRequest) -> RunView:
        """Take a run back that its worker cannot finish, by the recovery policy of its task.

        Raises:
            RunNotFound. LeaseLost: another attempt holds it.
        """
        error = RunError(INTERRUPTED, release.sentence or LEAVING.sentence)
        back = self._leases.release(workspace, run_id, release.epoch, error)
        return await self._recorder.shielded(back)

    # Operators

    async def submit(
        self,
        workspace: str,
        task: str,
        request: SubmitRequest,
        *,
        actor: str,
        trigger: RunTrigger = RunTrigger.USER,
    ) -> SubmitOutcome:
        """Begin a run of a task, or find the one that its idempotency key has begun.

        Raises:
            TaskNotFound, BadInput, AlreadyActive, IdempotencyConflict, QueueFull, ShuttingDown: no
                run was begun.
        """
        row = self._offers.row((workspace, task))
        if row is None:
            raise TaskNotFound(task)
        return await self._submits.submit(row, request, actor=actor, trigger=trigger)

    async def resume(self, workspace: str, run_id: str, *, actor: str) -> RunView:
        """Let a run go on that waits for the person it acts for.

        Raises:
            RunNotFound: no such run, or it acts for somebody else. Refused: it does not wait.
        """
        run = await self._recorder.get(workspace, run_id)
        if run.on_behalf_of not in (None, actor):
            raise RunNotFound(run_id)
        resumed = await self._recorder.shielded(self._resume(run, actor))
        if resumed is None:
            raise Refused(f"{run_id} does not wait for anybody to resume it; nothing was changed")
        return resumed

    async def retry(self, detail: RunDetail, *, actor: str) -> RunView:
        """Begin a new run with the input of a settled one.

        Raises:
            TaskNotFound, BadInput, AlreadyActive, QueueFull, ShuttingDown: no run was begun.
        """
        run = detail.run
        row = self._offers.row(key_of(run))
        if row is None:
            raise TaskNotFound(run.task or "")
        return await self._submits.again(row, run, detail.input, actor=actor)

    async def stop(self, workspace: str, run_id: str, *, by: str) -> None:
        """Ask for the end of a run; one that no worker holds ends at once."""
        stamped = await self._recorder.request_stop(workspace, run_id, by=by)
        if stamped is not None and stamped.status is RunStatus.PENDING:
            ending = Ending.aborted("stopped", f"stopped by {stamped.stop_requested_by}")
            await self._recorder.finalize(workspace, run_id, ending)

    # Inside

    async def _recover_left_over(self, active: tuple[RunView, ...]) -> int:
        recovered = 0
        for run in active:
            self._board.put(run, self._clock.now())
        for run in active:
            if run.status is RunStatus.RUNNING:
                recovered += await self._recover(run.workspace, run.id, None, DAEMON_GONE)
        await self._waits.tell_anew({key_of(run) for run in active})
        return recovered

    async def _recover(
        self, workspace: str, run_id: str, owner: str | None, error: RunError
    ) -> bool:
        """Take a run from its worker; what fails is left to the next sweep or the next start."""
        try:
            work = self._leases.recover(workspace, run_id, owner, error)
            return await self._recorder.shielded(work)
        except RoostError as failure:
            logger.error("run %s could not be taken from its worker: %s", run_id, failure)
            return False

    async def _resume(self, run: RunView, actor: str) -> RunView | None:
        known = await self._recorder.parts.active.find(run.workspace, run.id)
        if known is None:
            return None
        async with known.lock:
            stored = await self._rows.resume(
                run.id,
                at=self._clock.now(),
                waits=self._waits.of_old(run),
                message=f"{RunStatus.PENDING} (attempt {known.view.attempt}): resumed by {actor}",
            )
            return stored and self._recorder.parts.announce(stored)

    def _view(self, row: TaskRow) -> TaskView:
        key = (row.workspace, row.spec.name)
        waiting, running, suspended = self._board.lane(key).counts
        workers = sum(1 for _ in self._workers.of(key))
        return TaskView(row.workspace, row.bundle, row.spec, workers, waiting, running, suspended)

    def _shown(self, run: RunView, entry: JournalEntry) -> JournalEntry:
        kept, _ = self._recorder.parts.payloads.value(run.workspace, run.bundle, entry.value)
        return replace(entry, value=kept)

    def _warnings(self, worker: Worker) -> tuple[str, ...]:
        warnings = []
        for key in worker.keys:
            waiting = self._board.lane(key).waiting.values()
            others = {run.bundle for run in waiting} - {worker.bundle, None}
            if others:
                named = ", ".join(sorted(name for name in others if name))
                warnings.append(
                    f"runs of {key[1]!r} wait that were submitted when {named} offered it; this "
                    "worker does them"
                )
        return tuple(warnings)

    def _tell(self, workspace: str) -> None:
        """Let viewers read the tasks anew, soon."""
        if workspace not in self._untold and not self._is_closed:
            self._untold.add(workspace)
            self._own(self._tell_soon(workspace))

    async def _tell_soon(self, workspace: str) -> None:
        try:
            await self._clock.sleep(TELL_PAUSE_S)
        finally:
            self._untold.discard(workspace)
        self._publish(TasksChanged(workspace))

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._own_tasks.add(task)
        task.add_done_callback(self._own_tasks.discard)
