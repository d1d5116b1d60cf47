"""`KeptSchedules`: every schedule as it stands, in memory and in the store alike."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from roost.errors import ScheduleNotFound
from roost.models import ChangeBody, ScheduleView, TasksChanged
from roost.store.base import ScheduleRows

Key = tuple[str, str]
"""Workspace and name."""


class KeptSchedules:
    """The schedules of every workspace. A schedule that is paused has a next fire here too.

    Args:
        rows: where they are kept.
        knows: says of a workspace and a task whether a bundle offers it, or has offered it.
        publish: told when one has changed.
    """

    def __init__(
        self,
        rows: ScheduleRows,
        *,
        knows: Callable[[str, str], bool],
        publish: Callable[[ChangeBody], None],
    ) -> None:
        self.knows = knows
        self._rows = rows
        self._publish = publish
        self._kept: dict[Key, ScheduleView] = {}
        self.changing = asyncio.Lock()
        """Guards a schedule between being read here and being stored; whoever stores holds it."""
        self.woken = asyncio.Event()
        """Set when the next fire may be another one than before."""

    async def load(self) -> None:
        """Read what earlier daemons have kept."""
        self._kept = {(view.workspace, view.spec.name): view for view in await self._rows.list()}

    @property
    def all(self) -> tuple[ScheduleView, ...]:
        """Every schedule, by workspace and name."""
        return tuple(view for _, view in sorted(self._kept.items(), key=lambda item: item[0]))

    def get(self, workspace: str, name: str) -> ScheduleView | None:
        """Return a schedule; None when there is none."""
        return self._kept.get((workspace, name))

    def found(self, workspace: str, name: str) -> ScheduleView:
        """Return a schedule.

        Raises:
            ScheduleNotFound: there is none of this name in this workspace.
        """
        with suppress(KeyError):
            return self._kept[workspace, name]
        raise ScheduleNotFound(name)

    def next_at(self, view: ScheduleView) -> int | None:
        """Return when it fires next; None while it does not."""
        is_stopped = view.is_paused or view.disabled is not None
        return (
            None if is_stopped or not self.knows(view.workspace, view.spec.task) else view.next_at
        )

    def shown(self, view: ScheduleView) -> ScheduleView:
        """Return a schedule as clients see it."""
        return replace(view, next_at=self.next_at(view))

    async def store(self, view: ScheduleView) -> ScheduleView:
        """Keep a schedule as it is from now on."""
        await self._rows.put(view)
        self._kept[view.workspace, view.spec.name] = view
        self._publish(TasksChanged(view.workspace))
        self.woken.set()
        return view

    async def drop(self, view: ScheduleView) -> None:
        """Forget a schedule."""
        key = view.workspace, view.spec.name
        await self._rows.remove(*key)
        del self._kept[key]
        self._publish(TasksChanged(view.workspace))
