"""The run ledger, and tool calls on top of it."""

from roost.runs.caller import CallEnded, ToolAnswer, ToolCaller
from roost.runs.commands import Commands
from roost.runs.control import RunControl
from roost.runs.outside import OutsideWork
from roost.runs.payload import Redact
from roost.runs.recorder import RunRecorder
from roost.runs.retention import Retention, RetentionLimits
from roost.runs.schedules import Schedules
from roost.runs.tasks import Tasks
from roost.runs.tool_calls import ToolCalls
from roost.runs.values import Begun, Ending, RunRequest, Settlement
from roost.runs.withdrawal import Withdrawal

__all__ = [
    "Begun",
    "CallEnded",
    "Commands",
    "Ending",
    "OutsideWork",
    "Redact",
    "Retention",
    "RetentionLimits",
    "RunControl",
    "RunRecorder",
    "RunRequest",
    "Schedules",
    "Settlement",
    "Tasks",
    "ToolAnswer",
    "ToolCaller",
    "ToolCalls",
    "Withdrawal",
]
