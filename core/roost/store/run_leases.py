"""Leases of runs whose work others do: who holds one, and what is stored under it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, and_, select

from roost.models import LeasedRun, RunEvent, RunEventKind, RunProgress, RunView
from roost.store.database import Database
from roost.store.run_columns import VIEW_COLUMNS, is_active, view_of
from roost.store.run_writes import add_events, change, event, is_run, progress_values, under_lease
from roost.store.tables import runs

_LEASE_COLUMNS = (*VIEW_COLUMNS, runs.c.lease_owner, runs.c.lease_epoch, runs.c.lease_ms)


class SqlRunLeases:
    """The part of `roost.store.base.RunRows` that is about leases."""

    _database: Database

    async def leased(self, workspace: str, run_id: str) -> LeasedRun | None:
        """Return a run of this workspace with its lease, active or settled."""
        query = select(*_LEASE_COLUMNS).where(is_run(run_id, workspace))
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _leased_of(row)

    async def active_leases(self) -> tuple[LeasedRun, ...]:
        """Return every active run with its lease, oldest first."""
        query = select(*_LEASE_COLUMNS).where(is_active()).order_by(runs.c.created_at, runs.c.id)
        async with self._database.read() as connection:
            return tuple(_leased_of(row) for row in await connection.execute(query))

    async def take_over(
        self, run_id: str, *, at: int, owner: str, epoch: int, new_owner: str, lease_ms: int
    ) -> RunView | None:
        """Give an active run a new owner and the next epoch, from `at` on for `lease_ms`.

        Args:
            owner: with `epoch`, the lease that ends by this.

        Returns:
            None when the run is not active under that lease; nothing was stored then.
        """
        held = and_(is_run(run_id), under_lease(owner, epoch), is_active())
        async with self._database.write() as connection:
            return await change(
                connection,
                held,
                lease_owner=new_owner,
                lease_epoch=epoch + 1,
                lease_ms=lease_ms,
                lease_until=at + lease_ms,
                last_progress_at=at,
            )

    async def report(
        self,
        run_id: str,
        *,
        at: int,
        steps: Sequence[tuple[str, RunProgress | None]],
        outputs: Sequence[str],
        link: str | None,
        owner: str,
        epoch: int,
    ) -> RunView | None:
        """Store a report of an active run, steps before output, and renew its lease, or nothing.

        Returns:
            None when the run is not active under this lease; nothing was stored then.
        """
        drafts = [(RunEventKind.STEP, message, progress) for message, progress in steps]
        drafts += [(RunEventKind.OUTPUT, text, None) for text in outputs]
        values: dict[str, Any] = {
            "last_seq": runs.c.last_seq + len(drafts),
            "step_count": runs.c.step_count + len(steps),
            "last_progress_at": at,
            "lease_until": at + runs.c.lease_ms,
        } | progress_values([progress for _, progress in steps])
        if link is not None:
            values["link"] = link
        held = and_(is_run(run_id), under_lease(owner, epoch), is_active())
        async with self._database.write() as connection:
            view = await change(connection, held, **values)
            if view is not None and drafts:
                await add_events(connection, _numbered(view, at, drafts))
            return view


def _numbered(
    view: RunView, at: int, drafts: Sequence[tuple[RunEventKind, str, RunProgress | None]]
) -> tuple[RunEvent, ...]:
    first = view.last_seq - len(drafts) + 1
    return tuple(
        event(view.id, seq, at, kind, message, progress)
        for seq, (kind, message, progress) in enumerate(drafts, first)
    )


def _leased_of(row: Row[*tuple[Any, ...]]) -> LeasedRun:
    return LeasedRun(view_of(row), row.lease_owner, row.lease_epoch, row.lease_ms)
