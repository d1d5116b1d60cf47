"""`TaskOffers`: which bundle offers which tasks, in the store and in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from roost.clock import Clock
from roost.models import TaskRow, TaskSpec
from roost.runs.task_board import Key
from roost.store.base import TaskRows


class TaskOffers:
    """Keeps what workers have said they do; it outlives them, so that runs can be submitted."""

    def __init__(self, rows: TaskRows, clock: Clock) -> None:
        self._rows = rows
        self._clock = clock
        self._offered: dict[Key, TaskRow] = {}
        self._changing = asyncio.Lock()
        """Guards that what is in memory changes in the order in which it is stored."""

    async def load(self) -> None:
        """Read what is kept."""
        for row in await self._rows.list():
            self._offered[row.workspace, row.spec.name] = row

    async def put(self, workspace: str, bundle: str, specs: Sequence[TaskSpec]) -> set[Key]:
        """Make these the tasks of a bundle and return those that it offered before.

        Raises:
            TaskTaken: another bundle offers one of them; nothing has changed then.
        """
        async with self._changing:
            before = self._keys_of(workspace, bundle)
            await self._rows.put(workspace, bundle, specs, at=self._clock.now())
            for key in before:
                del self._offered[key]
            for spec in specs:
                self._offered[workspace, spec.name] = TaskRow(workspace, bundle, spec)
        return before

    async def forget(self, workspace: str, bundle: str) -> set[Key]:
        """Let go of the tasks of a bundle and return them."""
        async with self._changing:
            gone = self._keys_of(workspace, bundle)
            await self._rows.forget_bundle(workspace, bundle)
            for key in gone:
                del self._offered[key]
        return gone

    def all(self, workspace: str | None) -> tuple[TaskRow, ...]:
        """Return the tasks by workspace and name."""
        keys = (key for key in sorted(self._offered) if workspace in (None, key[0]))
        return tuple(self._offered[key] for key in keys)

    def row(self, key: Key) -> TaskRow | None:
        """Return who offers a task, or None when nobody does."""
        return self._offered.get(key)

    def spec(self, workspace: str, task: str | None) -> TaskSpec | None:
        """Return a task as it is offered now, or None when it is not."""
        row = self._offered.get((workspace, task or ""))
        return None if row is None else row.spec

    def slots(self, key: Key) -> int | None:
        """Return how many runs of a task may be under way at a time; None means any number."""
        spec = self.spec(*key)
        return None if spec is None else spec.slots

    @property
    def keys(self) -> tuple[Key, ...]:
        """Every task."""
        return tuple(self._offered)

    def _keys_of(self, workspace: str, bundle: str) -> set[Key]:
        rows = self._offered.items()
        return {key for key, row in rows if (row.workspace, row.bundle) == (workspace, bundle)}
