"""Runs, their payloads and their events.

Every change of a run is one conditional UPDATE, and the event it causes is inserted in the same
transaction with the number that the UPDATE counted up: no gap, no repeat, nothing after the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, and_, select, tuple_

from roost.errors import RunNotFound
from roost.models import (
    NewRun,
    RunDetail,
    RunError,
    RunEvent,
    RunEventKind,
    RunProgress,
    RunQuery,
    RunStatus,
    RunView,
)
from roost.models.codec import from_json
from roost.store.connection import StoreConnection
from roost.store.database import Database
from roost.store.fixed_statement import Execute
from roost.store.run_columns import VIEW_COLUMNS, event_of, is_active, view_of
from roost.store.run_insert import insert_run
from roost.store.run_leases import SqlRunLeases
from roost.store.run_retention import SqlRunRetention
from roost.store.run_statements import change_active_now, insert_events, set_result
from roost.store.run_writes import (
    add_event,
    change,
    event,
    is_run,
    progress_values,
    under_lease,
)
from roost.store.tables import run_events, run_payloads, runs
from roost.store.task_statements import end_attempt_now


class SqlRunRows(SqlRunLeases, SqlRunRetention):
    """Meets `roost.store.base.RunRows`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert(self, new: NewRun) -> None:
        """Insert a run.

        Raises:
            AlreadyActive: its scope has an active run; nothing was inserted.
            IdempotencyConflict: its key is taken in this workspace; nothing was inserted.
        """
        await insert_run(self._database, new)

    async def find_by_key(self, workspace: str, key: str) -> tuple[RunView, str] | None:
        """Return the run with this idempotency key and the hash of its input."""
        query = select(*VIEW_COLUMNS, runs.c.input_hash).where(
            runs.c.workspace == workspace, runs.c.idempotency_key == key
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else (view_of(row), row.input_hash)

    async def get(self, workspace: str, run_id: str) -> RunView | None:
        """Return a run of this workspace."""
        async with self._database.read() as connection:
            return await _one(connection, _views().where(is_run(run_id, workspace)))

    async def detail(self, workspace: str, run_id: str, *, newest: int) -> RunDetail:
        """Return a run with its payload and its newest events, all of one moment.

        Args:
            newest: how many events at most.

        Raises:
            RunNotFound: no such run in this workspace.
        """
        query = (
            select(
                *VIEW_COLUMNS,
                runs.c.events_dropped,
                run_payloads.c.input,
                run_payloads.c.result,
                run_payloads.c.is_truncated,
            )
            .join(run_payloads, runs.c.id == run_payloads.c.run_id)
            .where(is_run(run_id, workspace))
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
            if row is None:
                raise RunNotFound(run_id)
            last = max(0, row.last_seq - newest)
            found = await connection.execute(_events(run_id, after=last, limit=newest))
            events = tuple(event_of(row) for row in found)
        return RunDetail(
            run=view_of(row),
            input=from_json(row.input, Any),
            result=None if row.result is None else from_json(row.result, Any),
            is_truncated=row.is_truncated,
            events=events,
            events_dropped=row.events_dropped,
        )

    async def list(self, query: RunQuery) -> tuple[RunView, ...]:
        """Return runs, newest first."""
        age = tuple_(runs.c.created_at, runs.c.id)
        statement = _views().order_by(runs.c.created_at.desc(), runs.c.id.desc())
        for column, wanted in (
            (runs.c.workspace, query.workspace),
            (runs.c.bundle, query.bundle),
            (runs.c.scope, query.scope),
            (runs.c.parent, query.parent),
        ):
            if wanted is not None:
                statement = statement.where(column == wanted)
        if query.statuses:
            statement = statement.where(runs.c.status.in_(query.statuses))
        if query.kinds:
            statement = statement.where(runs.c.kind.in_(query.kinds))
        if query.since is not None:
            statement = statement.where(runs.c.created_at >= query.since)
        if query.before is not None:
            statement = statement.where(age < _age_of(query.before, query.workspace))
        async with self._database.read() as connection:
            rows = await connection.execute(statement.limit(query.limit))
            return tuple(view_of(row) for row in rows)

    async def mark_started(
        self, run_id: str, *, at: int, generation: int | None, owner: str, epoch: int
    ) -> RunView | None:
        """Move a pending run to running under its lease, or None when it is not that any more.

        A `STATUS` event tells it to the run's viewers.
        """
        pending = and_(
            is_run(run_id), under_lease(owner, epoch), runs.c.status == RunStatus.PENDING
        )
        async with self._database.write() as connection:
            view = await change(
                connection,
                pending,
                status=RunStatus.RUNNING,
                started_at=at,
                generation=generation,
                last_seq=runs.c.last_seq + 1,
            )
            if view is not None:
                message = str(RunStatus.RUNNING)
                await add_event(connection, view, at, RunEventKind.STATUS, message, None)
            return view

    async def append_event(
        self,
        run_id: str,
        *,
        at: int,
        kind: RunEventKind,
        message: str,
        progress: RunProgress | None,
        owner: str,
        epoch: int,
    ) -> tuple[RunEvent, RunView] | None:
        """Store the next event of an active run, with the next sequence number.

        A `STEP` event also raises the step count and keeps `progress` as the run's last.

        Returns:
            None when the run is not active under this lease; nothing was stored then.
        """
        is_step = kind is RunEventKind.STEP
        values: dict[str, Any] = progress_values([progress]) if is_step else {}
        if kind is not RunEventKind.STATUS:
            values["last_progress_at"] = at

        def write(execute: Execute) -> tuple[RunEvent, RunView] | None:
            view = change_active_now(
                execute, run_id, owner=owner, epoch=epoch, events=1, steps=is_step, **values
            )
            if view is None:
                return None
            added = event(run_id, view.last_seq, at, kind, message, progress)
            insert_events(execute, (added,))
            return added, view

        return await self._database.write_at_once(write)

    async def append_steps(
        self,
        run_id: str,
        steps: Sequence[tuple[str, RunProgress | None]],
        *,
        at: int,
        owner: str,
        epoch: int,
    ) -> tuple[tuple[RunEvent, ...], RunView] | None:
        """Store several `STEP` events of an active run at once, all or none.

        Args:
            steps: the message and the progress of each, in order; not empty.

        Returns:
            None when the run is not active under this lease; nothing was stored then.
        """
        values = progress_values([progress for _, progress in steps])
        count = len(steps)

        def write(execute: Execute) -> tuple[tuple[RunEvent, ...], RunView] | None:
            view = change_active_now(
                execute,
                run_id,
                owner=owner,
                epoch=epoch,
                events=count,
                steps=count,
                last_progress_at=at,
                **values,
            )
            if view is None:
                return None
            first = view.last_seq - len(steps) + 1
            events = tuple(
                event(run_id, seq, at, RunEventKind.STEP, message, progress)
                for seq, (message, progress) in enumerate(steps, first)
            )
            insert_events(execute, events)
            return events, view

        return await self._database.write_at_once(write)

    async def append_outputs(
        self,
        run_id: str,
        pieces: Sequence[tuple[str, RunProgress | None]],
        *,
        at: int,
        owner: str,
        epoch: int,
    ) -> RunView | None:
        """Store several `OUTPUT` events of an active run at once, all or none.

        Args:
            pieces: the message and the figures of each, in order; not empty.

        Returns:
            None when the run is not active under this lease; nothing was stored then.
        """

        def write(execute: Execute) -> RunView | None:
            view = change_active_now(
                execute,
                run_id,
                owner=owner,
                epoch=epoch,
                events=len(pieces),
                last_progress_at=at,
            )
            if view is None:
                return None
            first = view.last_seq - len(pieces) + 1
            events = tuple(
                event(run_id, seq, at, RunEventKind.OUTPUT, message, figures)
                for seq, (message, figures) in enumerate(pieces, first)
            )
            insert_events(execute, events)
            return view

        return await self._database.write_at_once(write)

    async def events(self, run_id: str, *, after: int, limit: int) -> tuple[RunEvent, ...]:
        """Return the events after a sequence number, in order."""
        query = _events(run_id, after=after, limit=limit)
        async with self._database.read() as connection:
            return tuple(event_of(row) for row in await connection.execute(query))

    async def request_stop(
        self, workspace: str, run_id: str, *, at: int, by: str
    ) -> RunView | None:
        """Stamp an active run once, or None when it has settled; the first stamp stays."""
        active = and_(is_run(run_id, workspace), is_active())
        async with self._database.write() as connection:
            stamped = await change(
                connection,
                and_(active, runs.c.stop_requested_at.is_(None)),
                stop_requested_at=at,
                stop_requested_by=by,
            )
            return stamped or await _one(connection, _views().where(active))

    async def amend(self, run_id: str, **values: Any) -> RunView | None:
        """Set columns of an active run that say more about it, or None when it has settled.

        Args:
            values: any of `link` and `stop_phase`.
        """
        async with self._database.write() as connection:
            return await change(connection, and_(is_run(run_id), is_active()), **values)

    async def finalize(
        self,
        run_id: str,
        *,
        at: int,
        status: RunStatus,
        error: RunError | None,
        result: Any,
        is_truncated: bool,
        link: str | None = None,
        owner: str | None = None,
        epoch: int = 0,
        lapsed_at: int | None = None,
    ) -> RunView | None:
        """Write the terminal status and a closing `STATUS` event if the run is still active.

        Args:
            link: where its output lies; None leaves what is stored.
            owner: with `epoch`, the lease under which the run must be; None takes any.
            lapsed_at: when its lease must have run out, in epoch milliseconds; None takes any.

        Returns:
            The settled run, or None when it was settled before; nothing was written then.
        """
        links: dict[str, Any] = {} if link is None else {"link": link}

        def write(execute: Execute) -> RunView | None:
            view = change_active_now(
                execute,
                run_id,
                owner=owner,
                epoch=epoch,
                lapsed_at=lapsed_at,
                events=1,
                status=status,
                finished_at=at,
                error_code=error.code if error else None,
                error_sentence=error.sentence if error else None,
                available_at=None,
                waits=None,
                **links,
            )
            if view is None:
                return None
            message = f"{status}: {error.sentence}" if error else str(status)
            closing = event(run_id, view.last_seq, at, RunEventKind.STATUS, message, None)
            insert_events(execute, (closing,))
            set_result(execute, run_id, result, is_truncated=is_truncated)
            if view.task is not None:
                end_attempt_now(execute, run_id, at, error)
            return view

        return await self._database.write_at_once(write)

    async def active_of_other_owners(self, owner: str) -> tuple[RunView, ...]:
        """Return active runs whose lease belongs to another daemon start, oldest first."""
        query = (
            _views()
            .where(is_active(), runs.c.lease_owner != owner)
            .order_by(runs.c.created_at, runs.c.id)
        )
        async with self._database.read() as connection:
            return tuple(view_of(row) for row in await connection.execute(query))


def _views() -> Select[Any]:
    return select(*VIEW_COLUMNS)


def _events(run_id: str, *, after: int, limit: int) -> Select[Any]:
    return (
        select(run_events)
        .where(run_events.c.run_id == run_id, run_events.c.seq > after)
        .order_by(run_events.c.seq)
        .limit(limit)
    )


def _age_of(run_id: str, workspace: str | None) -> Any:
    # An unknown run has no age, and nothing is older than that.
    return select(runs.c.created_at, runs.c.id).where(is_run(run_id, workspace)).scalar_subquery()


async def _one(connection: StoreConnection, query: Select[Any]) -> RunView | None:
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else view_of(row)
