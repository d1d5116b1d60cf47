"""`SubmitTaskModal` and `PutScheduleModal`: begin a run of a task, and make a schedule of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from roost.models import TaskView, ToolView
from roost_tui.modals.fill_in import FillInModal
from roost_tui.modals.task_request import TaskRequest
from roost_tui.task_forms import read_schedule, read_submit, schedule_form, submit_forms


class SubmitTaskModal(FillInModal):
    """Choose a task, give it its input and submit it; the app opens the run.

    Args:
        workspace: where the tasks are.
        tasks: the tasks, in the order to list them.
    """

    verb = "Submit"
    under_way = "submitting"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "call", "submit", id="submit.submit", tooltip="Submit the task"),
        Binding("escape", "back", "tasks", id="call.back", tooltip="Back to the tasks"),
        Binding("escape", "close", "close", id="modal.close", tooltip="Close without a run"),
    ]

    def __init__(self, workspace: str, tasks: Sequence[TaskView]) -> None:
        nothing = f"No worker of {workspace} offers a task."
        title = f"Submit a task of {workspace}"
        super().__init__(title, submit_forms(tasks), noun="task", nothing=nothing)
        self._workspace = workspace

    def asked(self, tool: ToolView, arguments: dict[str, Any]) -> Message:
        """Return the message that asks for the run."""
        request = read_submit(arguments)
        return TaskRequest(self, self._workspace, "task.submit", tool.name, submit=request)


class PutScheduleModal(FillInModal):
    """Say when a task is submitted by itself.

    Args:
        workspace: where the schedule belongs to.
        tasks: the tasks to choose from.
    """

    verb = "Save"
    under_way = "saving the"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "call", "save", id="schedule.save", tooltip="Save the schedule"),
        Binding("escape", "close", "close", id="modal.close", tooltip="Close without a change"),
    ]

    def __init__(self, workspace: str, tasks: Sequence[TaskView]) -> None:
        forms = [schedule_form(tasks)] if tasks else []
        nothing = f"No worker of {workspace} offers a task, so there is nothing to submit."
        title = f"A schedule of {workspace}"
        super().__init__(title, forms, noun="", nothing=nothing)
        self.add_class("-lone")
        self._workspace = workspace

    def asked(self, tool: ToolView, arguments: dict[str, Any]) -> Message:
        """Return the message that asks for the schedule."""
        spec = read_schedule(arguments)
        return TaskRequest(self, self._workspace, "schedule.put", spec.name, spec=spec)
