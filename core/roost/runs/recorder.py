"""`RunRecorder`: the ledger of runs. Everything a run does is a row first and shown afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from roost.clock import Clock
from roost.errors import (
    AlreadyActive,
    Conflict,
    IdempotencyConflict,
    ShuttingDown,
    StoreUnavailable,
)
from roost.models import (
    ChangeBody,
    NewRun,
    RunChanged,
    RunDetail,
    RunEvent,
    RunEventKind,
    RunKind,
    RunProgress,
    RunQuery,
    RunStatus,
    RunView,
    StopPhase,
)
from roost.runs.active import ActiveRun, ActiveRuns
from roost.runs.audience import Audience
from roost.runs.drafts import Drafts
from roost.runs.endings import EndingWriter
from roost.runs.kept_endings import KeptEndings
from roost.runs.leases import Leases
from roost.runs.parts import LedgerParts
from roost.runs.payload import Payloads, Redact, valid_text
from roost.runs.recent import RecentRuns
from roost.runs.sweeps import WINDOW_S, IsWorking, Sweeps
from roost.runs.values import Begun, Ending, RunRequest, Settlement
from roost.runs.viewers import RunViewers
from roost.store.base import RunRows

SETTLED_LIMIT = 200
"""Settled runs in the engine's snapshot: some screens full. Older ones are read from the store."""

ACTIVE_LIMIT = 10_000
"""Active runs loaded at boot; far beyond what one daemon works at."""

DETAIL_EVENTS = 1000
"""Newest events that come with a run's detail; a viewer reads the others by number."""

T = TypeVar("T")


class RunRecorder:
    """Begins runs, stores what happens in them, and settles them exactly once.

    Changes are published after they are stored, in order for each run.

    Args:
        owner: id of this daemon start; the owner of every lease taken here.
        publish: told of every stored change; must not raise.
        redact: returns what takes a bundle's secrets out of a value, see `Redact`.
        endings_dir: directory for the ends of runs that the store did not take.
        settled_limit: settled runs in the engine's snapshot.
        window_s: silence after which a run without an owner is given up, in seconds.
    """

    def __init__(
        self,
        rows: RunRows,
        *,
        owner: str,
        clock: Clock,
        publish: Callable[[ChangeBody], None],
        redact: Redact,
        endings_dir: Path,
        settled_limit: int = SETTLED_LIMIT,
        window_s: float = WINDOW_S,
    ) -> None:
        self._rows = rows
        self._clock = clock
        self._publish = publish
        self._settled_limit = settled_limit
        self._payloads = Payloads(redact)
        self._drafts = Drafts(owner=owner, clock=clock, payloads=self._payloads)
        self._active = ActiveRuns(rows)
        self._recent = RecentRuns(settled_limit)
        self._viewers = RunViewers(rows)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_closed = False
        kept = KeptEndings(endings_dir)
        self._endings = EndingWriter(
            rows,
            clock=clock,
            kept=kept,
            on_settled=self._settled,
            on_gone=self._gone,
        )
        self._sweeps = Sweeps(
            rows,
            owner=owner,
            clock=clock,
            active=self._active,
            drafts=self._drafts,
            endings=self._endings,
            kept=kept,
            window_ms=round(window_s * 1000),
        )
        self.parts = LedgerParts(
            rows, clock, self._active, self._drafts, self._payloads, self._endings, self._announce
        )
        self.leases = Leases(self.parts)
        """The reports of outside work."""

    # Boot and close

    async def boot_sweep(self) -> int:
        """End the runs of earlier daemons that cannot go on; errors never stop the boot.

        Ends that an earlier daemon could not store are written first, as they were meant.

        Returns:
            How many runs were aborted.
        """
        return await self._sweeps.boot()

    async def load_recent(self) -> None:
        """Read what `view` starts from: the active runs and the newest settled ones."""
        active = tuple(status for status in RunStatus if status.is_active)
        settled = tuple(status for status in RunStatus if not status.is_active)
        for query in (
            RunQuery(statuses=active, limit=ACTIVE_LIMIT),
            RunQuery(statuses=settled, limit=self._settled_limit),
        ):
            for view in await self._rows.list(query):
                self._recent.put_loaded(view)

    async def sweep(self) -> None:
        """Write the ends that the store did not take earlier; call it now and then."""
        await self._sweeps.write_kept()

    def add_worker(self, kind: RunKind, is_working: IsWorking) -> None:
        """Let runs of a kind be swept that were begun here and that nobody works on any more."""
        self._sweeps.add_worker(kind, is_working)

    async def windowed_sweep(self) -> int:
        """End runs without an owner that have been silent for the window; never raises.

        Returns:
            How many runs were aborted.
        """
        return await self._sweeps.windowed()

    def forget(self, run_ids: Sequence[str]) -> None:
        """Let go of settled runs that are not kept any more."""
        for run_id in run_ids:
            self._recent.forget(run_id)

    async def close(self) -> None:
        """Finish the writes under way, try the kept ends once more, and let the viewers end."""
        self._is_closed = True
        while self._tasks:
            await asyncio.wait(set(self._tasks))
        await self.sweep()
        self._viewers.close()

    # Beginning and working

    async def find_begun(self, request: RunRequest) -> RunView | None:
        """Return the run that the request's idempotency key has begun, active or finished.

        Raises:
            IdempotencyConflict: the key was used with other input.
        """
        key = request.idempotency_key
        if key is None:
            return None
        found = await self._rows.find_by_key(request.workspace, key)
        if found is None:
            return None
        view, input_hash = found
        if input_hash != request.input_hash:
            raise IdempotencyConflict(key, view.id)
        return view

    def holds_secret(self, workspace: str, bundle: str, text: str) -> bool:
        """Say whether a text that would be kept as it is holds a secret of the bundle."""
        return self._payloads.text(workspace, bundle, text, len(text)) != valid_text(text)

    async def begin(self, request: RunRequest, *, is_unknown: bool = False) -> Begun:
        """Store a run as pending, outside work as running, or find the one its key has begun.

        A caller that is cancelled here may leave the run without anyone who works on it, so call
        it in a task that is not cancelled with its client.

        Args:
            is_unknown: whether `find_begun` found nothing a moment ago.

        Raises:
            AlreadyActive: its scope has an active run.
            IdempotencyConflict: its key was used with other input.
            BadInput: its parent is no active run of this workspace, or was asked to stop.
            ShuttingDown: no new runs are begun.
        """
        if self._is_closed:
            raise ShuttingDown()
        known = None if is_unknown else await self.find_begun(request)
        if known is not None:
            return Begun(known, is_new=False)
        try:
            return Begun(await self._insert(request), is_new=True)
        except Conflict:
            known = await self.find_begun(request)
            if known is None:
                raise
            return Begun(known, is_new=False)

    async def shielded(self, work: Coroutine[Any, Any, T]) -> T:
        """Do work that goes on when its caller is cancelled; closing waits for it."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def started(self, run_id: str, generation: int | None) -> RunView | None:
        """Move a pending run to running; None when it may not be worked on (any more)."""
        run = self._active.known(run_id)
        if run is None or run.epoch is None:
            return None
        async with run.lock:
            if run.claimed is not None:
                return None
            view = await self._rows.mark_started(
                run_id,
                at=self._clock.now(),
                generation=generation,
                owner=run.owner,
                epoch=run.epoch,
            )
            return view and self._announce(view)

    async def step(self, run_id: str, progress: RunProgress) -> RunEvent | None:
        """Store a step with what it reports; None when the run has ended."""
        stored = await self.steps(run_id, [progress])
        return stored[0] if stored else None

    async def steps(self, run_id: str, reports: Sequence[RunProgress]) -> tuple[RunEvent, ...]:
        """Store several steps in one write, all or none; nothing when the run has ended."""
        run = self._active.known(run_id)
        if run is None or not reports:
            return ()
        steps = [self._drafts.step(run.view, progress) for progress in reports]
        async with run.lock:
            if run.claimed is not None or run.epoch is None:
                return ()
            stored = await self._rows.append_steps(
                run_id, steps, at=self._clock.now(), owner=run.owner, epoch=run.epoch
            )
            if stored is None:
                return ()
            events, changed = stored
            self._announce(changed)
            return events

    async def output(self, run_id: str, text: str) -> RunEvent | None:
        """Store a piece of output; None when the run has ended."""
        run = self._active.known(run_id)
        return None if run is None else await self._append(run, RunEventKind.OUTPUT, text)

    async def outputs(self, run_id: str, pieces: Sequence[tuple[str, RunProgress | None]]) -> bool:
        """Store pieces of output in one write, all or none; False when the run has ended.

        Args:
            pieces: text and figures of each, see `RunEvent.current`.
        """
        run = self._active.known(run_id)
        if run is None or not pieces:
            return False
        kept = [(self._drafts.output(run.view, text), figures) for text, figures in pieces]
        async with run.lock:
            if run.claimed is not None or run.epoch is None:
                return False
            view = await self._rows.append_outputs(
                run_id, kept, at=self._clock.now(), owner=run.owner, epoch=run.epoch
            )
            return view is not None and bool(self._announce(view))

    async def request_stop(self, workspace: str, run_id: str, *, by: str) -> RunView | None:
        """Stamp an active run with who wants it stopped, or None when it has settled.

        This ends no work: whoever works on the run is signalled first.
        """
        run = await self._active.find(workspace, run_id)
        if run is None:
            return None
        if run.is_kept:
            await self._endings.finish(run)
        async with run.lock:
            if run.is_settled:
                return None
            view = await self._rows.request_stop(workspace, run_id, at=self._clock.now(), by=by)
            stamped = view and self._announce(view)
        if stamped is not None and stamped.kind is RunKind.EXTERNAL:
            await self.shielded(self._sweeps.settle_if_lapsed(run))
        return stamped

    async def set_stop_phase(
        self, run_id: str, phase: StopPhase, told: str | None = None
    ) -> RunView | None:
        """Show how far the stop of a run has come; None when it has settled.

        Args:
            told: kept among the events of the run as well.
        """
        view = await self._amend(run_id, stop_phase=phase)
        run = self._active.known(run_id)
        if told is not None and run is not None:
            await self._append(run, RunEventKind.STATUS, told)
        return view

    async def set_link(self, run_id: str, link: str) -> RunView | None:
        """Keep where the output of a run lies; None when it has settled."""
        return await self._amend(run_id, link=link)

    async def finalize(self, workspace: str, run_id: str, ending: Ending) -> Settlement:
        """Settle a run. Of several ends the first stays; goes on when the caller is cancelled."""
        run = await self._active.find(workspace, run_id)
        if run is None:
            return Settlement.EARLIER
        return await self.shielded(self._finalize(run, ending))

    # Looking

    async def children(self, workspace: str, run_id: str) -> tuple[RunView, ...]:
        """Return the active runs that a run has begun, newest first."""
        active = tuple(status for status in RunStatus if status.is_active)
        return await self._rows.list(
            RunQuery(workspace=workspace, parent=run_id, statuses=active, limit=ACTIVE_LIMIT)
        )

    def view(self) -> tuple[RunView, ...]:
        """Return the active runs and the newest settled ones, newest first."""
        return self._recent.newest_first()

    def active_ids(self, workspace: str, bundle: str) -> tuple[str, ...]:
        """Return the active runs of a bundle, oldest first."""
        return self._recent.active_ids(workspace, bundle)

    def active_count(self, workspace: str, bundle: str) -> int:
        """Return how many runs of a bundle are active."""
        return len(self.active_ids(workspace, bundle))

    async def get(self, workspace: str, run_id: str) -> RunView:
        """Return a run; an active one that nobody has ended is known without the store.

        Raises:
            RunNotFound: no such run in this workspace.
        """
        known = self._active.known(run_id)
        if known is None or known.view.workspace != workspace:
            return await self._viewers.get(workspace, run_id)
        if known.claimed is None:
            return known.view
        try:  # its end may be stored already, and others may have seen it there
            return await self._viewers.get(workspace, run_id)
        except StoreUnavailable:
            return known.view

    async def detail(self, workspace: str, run_id: str) -> RunDetail:
        """Return a run with its input, result and newest events, all of one moment.

        Raises:
            RunNotFound: no such run in this workspace.
        """
        return await self._rows.detail(workspace, run_id, newest=DETAIL_EVENTS)

    async def wait_settled(self, workspace: str, run_id: str) -> RunView:
        """Wait until a run has settled, or until the recorder closes.

        Raises:
            RunNotFound: no such run in this workspace.
        """
        return await self._viewers.wait_settled(workspace, run_id)

    @property
    def audience(self) -> Audience:
        """Who follows which run now."""
        return self._viewers.audience

    def events(
        self, workspace: str, run_id: str, *, after: int = 0
    ) -> AsyncGenerator[RunEvent, None]:
        """Yield the events after a sequence number, live; ends after the terminal one.

        Raises:
            RunNotFound: no such run in this workspace.
        """
        return self._viewers.events(workspace, run_id, after)

    # Inside

    async def _insert(self, request: RunRequest) -> RunView:
        new = self._drafts.new_run(request)
        run = ActiveRun(new.run, new.lease_epoch, new.lease_owner, new.lease_ms)
        async with run.lock:  # whoever finds the row before we do has to wait for its beginning
            self._active.add(run)
            try:
                await self._insert_row(new)
            except BaseException:
                self._active.forget(new.run.id)
                raise
            return self._announce(new.run)

    async def _insert_row(self, new: NewRun) -> None:
        try:
            await self._rows.insert(new)
        except AlreadyActive as error:
            holder = self._active.known(str(error.details["run"]))
            if holder is None or not holder.is_kept:
                raise
            await self._endings.finish(holder)
            await self._rows.insert(new)

    async def _append(self, run: ActiveRun, kind: RunEventKind, message: str) -> RunEvent | None:
        view = run.view
        text = self._drafts.output(view, message)
        async with run.lock:
            if run.claimed is not None or run.epoch is None:
                return None
            stored = await self._rows.append_event(
                view.id,
                at=self._clock.now(),
                kind=kind,
                message=text,
                progress=None,
                owner=run.owner,
                epoch=run.epoch,
            )
            if stored is None:
                return None
            event, changed = stored
            self._announce(changed)
            return event

    async def _amend(self, run_id: str, **values: Any) -> RunView | None:
        run = self._active.known(run_id)
        if run is None:
            view = await self._rows.amend(run_id, **values)
            return view and self._announce(view)
        async with run.lock:
            if run.claimed is not None:
                return None
            view = await self._rows.amend(run_id, **values)
            return view and self._announce(view)

    async def _finalize(self, run: ActiveRun, ending: Ending) -> Settlement:
        settlement = await self._endings.settle(run, self._drafts.final_write(run.view, ending))
        if settlement is not Settlement.KEPT:
            await self.sweep()
        return settlement

    def _announce(self, view: RunView) -> RunView:
        run = self._active.known(view.id)
        if run is not None:
            run.view = view
        self._recent.put(view)
        self._publish(RunChanged(view))
        self._viewers.wake(view.id, view)
        return view

    def _settled(self, view: RunView) -> None:
        self._active.forget(view.id)
        self._announce(view)

    def _gone(self, run_id: str) -> None:
        self._active.forget(run_id)
        self._recent.forget(run_id)
        self._viewers.wake(run_id)
