"""What actions do to tasks and schedules: submit, fire, pause, let fire again, make and remove."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from roost.contract import EngineAPI
from roost.errors import RoostError, Unavailable
from roost.models import (
    ScheduleSpec,
    ScheduleView,
    SubmitOutcome,
    SubmitRequest,
    SubmitState,
    TaskView,
)
from roost_tui.last_endings import last_endings
from roost_tui.modals.fill_in import FillInModal
from roost_tui.modals.schedules import SchedulesModal, can_resume
from roost_tui.modals.task_forms import PutScheduleModal, SubmitTaskModal
from roost_tui.modals.task_request import TaskRequest
from roost_tui.notes import Severity
from roost_tui.selection import Selection

if TYPE_CHECKING:
    from roost_tui.operations import Desk

_FOUND = {
    SubmitState.NEW: "was submitted as {}",
    SubmitState.ATTACHED: "goes on already as {}: the same task with the same input",
    SubmitState.REPLAYED: "has settled already as {}: the same task with the same input; `anew` "
    "runs it again",
}
"""What a submit says of its run."""

SHOWS_RUN = "run.show"
"""What the list of schedules asks for to show the last run of one."""

_OF_SCHEDULES: dict[str, tuple[str, Callable[[ScheduleView], bool]]] = {
    "schedule.fire": ("Fire which schedule now?", lambda view: True),
    "schedule.pause": ("Pause which schedule?", lambda view: not can_resume(view)),
    "schedule.resume": ("Let which schedule fire again?", can_resume),
    "schedule.remove": ("Remove which schedule?", lambda view: view.bundle is None),
}
"""What the palette asks, and which schedules fit."""


class TaskOperations:
    """Acts on the tasks and schedules of a workspace.

    Args:
        desk: what it needs of the app.
        workspace: whose tasks and schedules they are.
    """

    def __init__(self, desk: Desk, workspace: str) -> None:
        self._desk = desk
        self._workspace = workspace

    async def perform(self, action_id: str, selection: Selection) -> None:
        """Do an action of the palette or of a key; each says first what it is about."""
        if action_id == "task.submit":
            await self._open_submit(selection)
        elif action_id == "schedule.list":
            allowed = frozenset(entry.id for entry in self._desk.entries) | {SHOWS_RUN}
            self._desk.open_modal(SchedulesModal(self._workspace, self._desk.clock, allowed), None)
        elif action_id == "schedule.put":
            tasks = await self._engine.tasks(self._workspace)
            self._desk.open_modal(PutScheduleModal(self._workspace, tasks), None)
        else:
            await self._act_on_one(action_id)

    @property
    def _engine(self) -> EngineAPI:
        if self._desk.engine is None:
            raise Unavailable("nothing was done: the daemon is not connected; try again when it is")
        return self._desk.engine

    async def _open_submit(self, selection: Selection) -> None:
        tasks = await self._engine.tasks(self._workspace)
        bundle = selection.bundle
        of_bundle = [view for view in tasks if bundle is not None and view.bundle == bundle.name]
        chosen: Sequence[TaskView] = of_bundle or tasks
        if not chosen:
            text = f"no worker of {self._workspace} offers a task"
            return self._desk.say(Severity.WARNING, text)
        self._desk.open_modal(SubmitTaskModal(self._workspace, chosen), None)

    async def _act_on_one(self, action_id: str) -> None:
        """Do it to the schedule that fits, or to the one that is chosen of several."""
        from roost_tui.modals import PickerModal  # loaded after the first paint

        title, fits = _OF_SCHEDULES[action_id]
        found = [view for view in await self._engine.schedules(self._workspace) if fits(view)]
        if not found:
            text = f"{self._workspace} has no schedule that this could be done to"
            return self._desk.say(Severity.WARNING, text)
        name: str | None = found[0].spec.name
        if len(found) > 1:
            entries = [(view.spec.name, view.spec.name, view.spec.task) for view in found]
            name = await self._desk.ask(PickerModal(title, entries))
        if name is not None:
            self._desk.say(Severity.INFORMATION, await self._act(action_id, name))

    async def _act(self, action_id: str, name: str) -> str:
        """Do it, and return what to say."""
        engine, workspace = self._engine, self._workspace
        if action_id == "schedule.fire":
            outcome = await engine.fire_schedule(workspace, name)
            self._desk.open_run_page(outcome.run)
            return f"the schedule {name} was fired as {outcome.run.id}"
        if action_id == "schedule.remove":
            return (await engine.remove_schedule(workspace, name)).sentence
        is_pause = action_id == "schedule.pause"
        await engine.pause_schedule(workspace, name, paused=is_pause)
        return f"the schedule {name} {'is paused' if is_pause else 'fires again'}"

    # What the modals ask for

    async def answer(self, request: TaskRequest) -> None:
        """Do what an open modal asks for and tell it what came of it."""
        try:
            await self._answer(request)
        except RoostError as error:
            if isinstance(request.modal, SchedulesModal):
                request.modal.show_error(error.message)
            else:
                request.modal.show_error(error)
            if request.action_id != "schedule.list":
                self._desk.say(Severity.ERROR, error.message)

    async def _answer(self, request: TaskRequest) -> None:
        modal = request.modal
        if isinstance(modal, FillInModal):
            if request.submit is not None:
                await self._submit(modal, request.name, request.submit)
            elif request.spec is not None:
                await self._put(modal, request.spec)
        elif request.action_id == "schedule.list":
            await self._show(modal)
        elif request.action_id == SHOWS_RUN:
            detail = await self._engine.run(self._workspace, request.name)
            self._leave(modal)
            self._desk.open_run_page(detail.run)
        elif request.action_id == "schedule.put":
            self._leave(modal)
            await self.perform("schedule.put", Selection())
        else:
            await self._act_in_list(modal, request)

    async def _act_in_list(self, modal: SchedulesModal, request: TaskRequest) -> None:
        if request.action_id == "schedule.fire":
            self._leave(modal)
        said = await self._act(request.action_id, request.name)
        self._desk.say(Severity.INFORMATION, said)
        await self._show(modal, said)

    async def _show(self, modal: SchedulesModal, said: str = "") -> None:
        if modal.is_attached:
            schedules = await self._engine.schedules(self._workspace)
            known = self._desk.screen_state.runs
            modal.show(schedules, await last_endings(self._engine, schedules, known), said)

    async def _submit(self, modal: FillInModal, task: str, request: SubmitRequest) -> None:
        outcome = await self._engine.submit_task(self._workspace, task, request)
        self._leave(modal)
        self._tell(task, outcome)
        self._desk.open_run_page(outcome.run)

    def _tell(self, task: str, outcome: SubmitOutcome) -> None:
        is_new = outcome.state is SubmitState.NEW
        said = f"{task} {_FOUND[outcome.state].format(outcome.run.id)}"
        self._desk.say(Severity.INFORMATION if is_new else Severity.WARNING, said)
        if outcome.warning:
            self._desk.say(Severity.WARNING, outcome.warning)

    async def _put(self, modal: FillInModal, spec: ScheduleSpec) -> None:
        view = await self._engine.put_schedule(self._workspace, spec)
        self._leave(modal)
        self._desk.say(Severity.INFORMATION, f"the schedule {view.spec.name} was saved")
        await self.perform("schedule.list", Selection())

    def _leave(self, modal: FillInModal | SchedulesModal) -> None:
        if modal.is_attached:
            modal.dismiss(None)
