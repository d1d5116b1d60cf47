"""What supervision knows of the process behind a worker: its generation, and how it came to end."""

from __future__ import annotations

from roost.errors import BundleNotFound
from roost.supervision import Supervisor


def generation_number(
    supervisor: Supervisor, workspace: str, bundle: str, generation_id: str
) -> int | None:
    """Return the number of a generation that runs, be it as a candidate; None when none does."""
    try:
        slot = supervisor.slot(workspace, bundle)
    except BundleNotFound:
        return None
    running = (slot.candidate, slot.generation)
    return next((view.number for view in running if view and view.id == generation_id), None)


def was_asked(supervisor: Supervisor, workspace: str, bundle: str) -> bool:
    """Say whether the process that has just ended was stopped, rather than that it crashed.

    A slot parts from a process that ended by itself before that is cleaned up; from one that it
    stops, or has replaced, only afterwards.
    """
    try:
        return supervisor.slot(workspace, bundle).incarnation is not None
    except BundleNotFound:
        return True
