"""Slots, states, generations, respawn and admission.

`roost.supervision.mcp_session` is left out here: it imports the MCP SDK and is loaded in a thread
when the first MCP bundle starts.
"""

from roost.supervision.link import CallAnswer, CallEnded
from roost.supervision.logfiles import LogFiles
from roost.supervision.ports import Recipes, TransitionJournal
from roost.supervision.slot import BundleSlot
from roost.supervision.starter import Starter
from roost.supervision.supervisor import Supervisor

__all__ = [
    "BundleSlot",
    "CallAnswer",
    "CallEnded",
    "LogFiles",
    "Recipes",
    "Starter",
    "Supervisor",
    "TransitionJournal",
]
