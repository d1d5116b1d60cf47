"""What the list of messages keeps of the connection: when it was lost, how it came back."""

from __future__ import annotations

from roost_tui.notes import Severity
from roost_tui.state import Link, LinkPhase, ScreenState


def message(before: ScreenState, link: Link) -> tuple[Severity, str] | None:
    """Return what a change of the connection is worth saying, or nothing."""
    match link.phase:
        case LinkPhase.LIVE if before.has_seen_engine:
            return Severity.INFORMATION, "connected to the daemon again"
        case LinkPhase.LOST:
            return Severity.WARNING, f"the daemon does not answer: {link.reason}"
        case LinkPhase.CLOSING:
            return Severity.WARNING, f"the daemon is stopping: {link.reason}"
        case LinkPhase.STOPPED if link.shutdown is not None:
            from roost_tui.shutdown_text import ending  # most screens never see a daemon stop

            severity = Severity.ERROR if link.shutdown.was_forced else Severity.INFORMATION
            return severity, ending(link.shutdown)
        case _:
            return None
