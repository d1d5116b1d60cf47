"""Runs of tasks: how a worker gets one, what is stored under its lease, and how it goes back.

Every change is one conditional UPDATE of the run, with its events, its journal and its attempt in
the same transaction. A run that waits is held by nobody; a claim counts its epoch up, so whoever
held it before can write nothing any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import and_, select

from roost.models import (
    GivenWork,
    JournalEntry,
    JournalWrite,
    RunAttempt,
    RunError,
    RunEvent,
    RunEventKind,
    RunProgress,
    RunStatus,
    RunView,
    WaitReason,
)
from roost.models.codec import from_json
from roost.models.record import WAITING_OWNER
from roost.store.database import Database
from roost.store.fixed_statement import Execute
from roost.store.journal_rows import (
    attempts_of,
    empty_journal,
    end_attempt,
    journal_of,
    mark_interrupted,
)
from roost.store.run_columns import VIEW_COLUMNS, is_active, view_of
from roost.store.run_statements import change_active_now, insert_events
from roost.store.run_writes import (
    add_event,
    change,
    event,
    is_run,
    progress_values,
    under_lease,
)
from roost.store.tables import runs
from roost.store.task_statements import (
    claim_now,
    entry_of,
    input_of,
    journal_rows_of,
    write_journal,
)

JournalFate = Literal["kept", "emptied"]
"""What becomes of the journal of a run that waits for its next attempt."""

EventDraft = tuple[RunEventKind, str, RunProgress | None, str | None]
"""Kind, message, progress and name of an event to store."""

_Claimed = tuple[RunView, str, Sequence[Sequence[Any]]]
"""A run, its input as JSON and the rows of its journal: all of one moment, and not read yet."""


class SqlTaskRunRows:
    """The part of `roost.store.base.TaskRows` that is about runs."""

    _database: Database

    async def active(self) -> tuple[RunView, ...]:
        """Return every active run of a task, oldest first."""
        query = (
            select(*VIEW_COLUMNS)
            .where(is_active(), runs.c.task.is_not(None))
            .order_by(runs.c.created_at, runs.c.id)
        )
        async with self._database.read() as connection:
            return tuple(view_of(row) for row in await connection.execute(query))

    async def claim(
        self,
        run_id: str,
        *,
        at: int,
        owner: str,
        epoch: int,
        bundle: str,
        generation: int | None,
        lease_ms: int,
    ) -> tuple[RunView, GivenWork] | None:
        """Let a worker begin an attempt at a run that waits, under the next epoch.

        Args:
            owner: who holds it from now on.
            epoch: the epoch under which it waits.

        Returns:
            The run, and what its handler is given; None when it does not wait under this epoch,
            may not begin yet, or was asked to stop.
        """

        def write(execute: Execute) -> _Claimed | None:
            view = claim_now(
                execute,
                run_id,
                at=at,
                owner=owner,
                epoch=epoch,
                bundle=bundle,
                generation=generation,
                lease_ms=lease_ms,
            )
            if view is None:
                return None
            message = _numbered(RunStatus.RUNNING, view.attempt)
            begun = event(run_id, view.last_seq, at, RunEventKind.STATUS, message, None)
            insert_events(execute, (begun,))
            return view, input_of(execute, run_id), journal_rows_of(execute, run_id)

        claimed = await self._database.write_at_once(write)
        if claimed is None:
            return None
        view, given, journal = claimed
        return view, GivenWork(from_json(given, Any), tuple(entry_of(row) for row in journal))

    async def report_work(
        self,
        run_id: str,
        *,
        at: int,
        owner: str,
        epoch: int,
        lease_until: int,
        events: Sequence[EventDraft] = (),
        journal: Sequence[JournalWrite] = (),
        link: str | None = None,
    ) -> RunView | None:
        """Store what a handler tells, all or nothing, and renew the lease.

        Returns:
            None when the run is not held by this owner under this epoch; nothing was stored then.
        """
        steps = [progress for kind, _, progress, _ in events if kind is RunEventKind.STEP]
        values: dict[str, Any] = {"lease_until": lease_until} | progress_values(steps)
        if events or journal:
            values["last_progress_at"] = at
        if link is not None:
            values["link"] = link

        def write(execute: Execute) -> RunView | None:
            view = change_active_now(
                execute,
                run_id,
                owner=owner,
                epoch=epoch,
                events=len(events),
                steps=len(steps),
                **values,
            )
            if view is not None and events:
                insert_events(execute, _events_of(view, at, events))
            if view is not None and journal:
                write_journal(execute, view, journal, at)
            return view

        return await self._database.write_at_once(write)

    async def requeue(
        self,
        run_id: str,
        *,
        at: int,
        owner: str,
        epoch: int,
        error: RunError,
        waits: WaitReason | None,
        available_at: int | None,
        journal: JournalFate,
    ) -> RunView | None:
        """Take a run from its worker and let it wait for its next attempt.

        Args:
            owner: with `epoch`, the lease that ends by this.
            error: why the attempt under way did not finish the run.

        Returns:
            None when the run is not held by this owner under this epoch; nothing was stored then.
        """
        held = and_(is_run(run_id), under_lease(owner, epoch), runs.c.status == RunStatus.RUNNING)
        async with self._database.write() as connection:
            view = await change(
                connection,
                held,
                status=RunStatus.PENDING,
                attempt=runs.c.attempt + 1,
                lease_owner=WAITING_OWNER,
                lease_until=None,
                available_at=available_at,
                waits=waits,
                last_seq=runs.c.last_seq + 1,
            )
            if view is None:
                return None
            await end_attempt(connection, run_id, at, error)
            if journal == "emptied":
                await empty_journal(connection, run_id)
            else:
                await mark_interrupted(connection, run_id)
            message = f"{_numbered(RunStatus.PENDING, view.attempt)}: {error.sentence}"
            await add_event(connection, view, at, RunEventKind.STATUS, message, None)
            return view

    async def resume(
        self, run_id: str, *, at: int, waits: WaitReason | None, message: str
    ) -> RunView | None:
        """Let a run go on that waits for the person it acts for, or return None when none does."""
        suspended = and_(
            is_run(run_id), runs.c.status == RunStatus.PENDING, runs.c.waits == WaitReason.USER
        )
        async with self._database.write() as connection:
            view = await change(connection, suspended, waits=waits, last_seq=runs.c.last_seq + 1)
            if view is not None:
                await add_event(connection, view, at, RunEventKind.STATUS, message, None)
            return view

    async def set_waits(
        self, run_id: str, *, before: WaitReason | None, after: WaitReason | None
    ) -> RunView | None:
        """Say anew what a pending run waits for, or return None when it waits otherwise."""
        waiting = and_(
            is_run(run_id),
            runs.c.status == RunStatus.PENDING,
            runs.c.waits.is_(None) if before is None else runs.c.waits == before,
        )
        async with self._database.write() as connection:
            return await change(connection, waiting, waits=after)

    async def history(self, run_id: str) -> tuple[tuple[JournalEntry, ...], tuple[RunAttempt, ...]]:
        """Return the journal of a run and its attempts, both of one moment."""
        async with self._database.read() as connection:
            return await journal_of(connection, run_id), await attempts_of(connection, run_id)


def _numbered(status: RunStatus, attempt: int) -> str:
    return str(status) if attempt == 1 else f"{status} (attempt {attempt})"


def _events_of(view: RunView, at: int, drafts: Sequence[EventDraft]) -> tuple[RunEvent, ...]:
    first = view.last_seq - len(drafts) + 1
    return tuple(
        event(view.id, seq, at, kind, message, progress, name)
        for seq, (kind, message, progress, name) in enumerate(drafts, first)
    )
