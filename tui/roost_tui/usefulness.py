"""Which actions are worth offering for a bundle as it is."""

from __future__ import annotations

from roost.models import BundleKind, BundleView, RunKind, RunView, SlotState
from roost_tui import render, run_words

TOOL_KINDS = (BundleKind.MCP_STDIO, BundleKind.MCP_HTTP)
RETRIED = (RunKind.TOOL_CALL, RunKind.COMMAND, RunKind.TASK)
"""Kinds of runs that the daemon itself can begin again."""
STARTABLE = (SlotState.STOPPED, SlotState.DEAD, SlotState.BACKING_OFF)
STOPPABLE = (SlotState.STARTING, SlotState.RUNNING, SlotState.BACKING_OFF)


def fits(action_id: str, bundle: BundleView) -> bool:
    """Say whether an action makes sense for a bundle in this state; it may be done all the same."""
    match action_id:
        case "bundle.start":
            return bundle.state in STARTABLE
        case "bundle.stop":
            return bundle.state in STOPPABLE
        case "bundle.credentials":
            return bundle.field_count > 0
        case "bundle.call":
            return bundle.state is SlotState.RUNNING
        case "task.submit" | "schedule.list":
            return bundle.kind is BundleKind.WORKER
        case "bundle.previous_logs":
            return bundle.generation is not None and bundle.generation.number > 1
        case "bundle.why":
            return bundle.state is not SlotState.RUNNING or render.is_faulty(bundle)
    return True


def run_fits(action_id: str, run: RunView) -> bool:
    """Say whether an action makes sense for a run in this state."""
    match action_id:
        case "run.stop":
            return run.status.is_active
        case "run.retry":
            return run.kind in RETRIED and not run.status.is_active
        case "run.resume":
            return run_words.is_suspended(run)
        case "run.replace":
            return run.scope is not None
    return True
