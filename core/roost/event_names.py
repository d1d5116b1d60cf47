"""Names of a run's events that handlers cannot give to what they emit."""

from __future__ import annotations

RESERVED_NAMES = frozenset(
    {
        "aborted",
        "closing",
        "completed",
        "done",
        "emit",
        "end",
        "error",
        "failed",
        "output",
        "pending",
        "reload",
        "running",
        "started",
        "status",
        "step",
        "stopped",
        "succeeded",
    }
)
"""The daemon alone tells of these; a viewer would take an emission of one for the end."""
