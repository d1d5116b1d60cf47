"""`TaskRequest`: what the modals of tasks and schedules want of the engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

from roost.models import ScheduleSpec, SubmitRequest

if TYPE_CHECKING:
    from roost_tui.modals.fill_in import FillInModal
    from roost_tui.modals.schedules import SchedulesModal


@dataclass(repr=False)
class TaskRequest(Message):
    """Something is wanted of tasks or schedules. Its representation holds no input."""

    modal: FillInModal | SchedulesModal
    """Who is told what came of it."""
    workspace: str
    action_id: str
    name: str = ""
    """The task or the schedule."""
    submit: SubmitRequest | None = None
    spec: ScheduleSpec | None = None
