"""The run ledger, and tool calls on top of it."""

from roost.runs.caller import CallEnded, ToolAnswer, ToolCaller
from roost.runs.payload import Redact
from roost.runs.recorder import RunRecorder
from roost.runs.tool_calls import ToolCalls
from roost.runs.values import Begun, Ending, RunRequest, Settlement

__all__ = [
    "Begun",
    "CallEnded",
    "Ending",
    "Redact",
    "RunRecorder",
    "RunRequest",
    "Settlement",
    "ToolAnswer",
    "ToolCaller",
    "ToolCalls",
]
