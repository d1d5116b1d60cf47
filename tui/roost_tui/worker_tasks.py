"""`WorkerTasks`: the tasks that one worker offers, and the schedules it declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from roost.contract import EngineAPI
from roost.models import RunStatus, RunView, ScheduleView, TaskView
from roost_tui import schedule_text, task_text
from roost_tui.last_endings import last_endings
from roost_tui.notes import RowKey
from roost_tui.schedule_text import Endings
from roost_tui.spans import Spans
from roost_tui.text_blocks import blank


@dataclass(frozen=True, slots=True)
class WorkerTasks:
    """What the bundle screen shows of a worker in place of tools."""

    tasks: Sequence[TaskView]
    schedules: Sequence[ScheduleView]
    """Those that submit one of its tasks, whoever made them."""
    endings: Endings
    """How the last runs of the schedules stand."""

    def statuses(self, runs: Mapping[str, RunView]) -> tuple[RunStatus, ...]:
        """Return how the last runs stand by now, as far as these are known."""
        last = (runs.get(view.last_run or "") for view in self.schedules)
        return tuple(run.status for run in last if run is not None)

    def lines(self, width: int, now: int) -> list[Spans]:
        """Return the blocks of tasks and schedules."""
        found = task_text.lines(self.tasks, width)
        if self.schedules:
            shown = schedule_text.lines(self.schedules, self.endings, width, now=now)
            found += [blank(), *shown]
        return found


async def read(engine: EngineAPI, key: RowKey, known: Mapping[str, RunView]) -> WorkerTasks:
    """Read what a worker offers.

    Args:
        engine: the engine.
        key: workspace and name of the worker's bundle.
        known: runs by id, as they are now.
    """
    workspace, bundle = key
    tasks = [view for view in await engine.tasks(workspace) if view.bundle == bundle]
    names = {view.spec.name for view in tasks}
    schedules = [
        view
        for view in await engine.schedules(workspace)
        if view.bundle == bundle or view.spec.task in names
    ]
    return WorkerTasks(tasks, schedules, await last_endings(engine, schedules, known))
