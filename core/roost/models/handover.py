"""Which bundles may run twice for a moment, as a handover needs it."""

from __future__ import annotations

from roost.models.definition import BundleKind, Definition, RespawnStrategy

_NO_HANDOVER_KINDS = {
    BundleKind.COMMAND: "a plain command is not run twice at a time, which a handover would do",
    BundleKind.WORKER: "a worker gives its runs back when it is stopped, so none is handed over",
}


def handover_obstacle(definition: Definition) -> str | None:
    """Say why the next generation of a bundle cannot be started beside the running one.

    Returns:
        A clause that continues a sentence, or None when nothing speaks against it.
    """
    if definition.port is not None:
        return (
            f"it has the fixed port {definition.port}, on which two processes cannot listen at a "
            "time"
        )
    return _NO_HANDOVER_KINDS.get(definition.kind)


def hands_over(definition: Definition) -> bool:
    """Whether respawns of a bundle are handovers."""
    is_asked = definition.settings.strategy is RespawnStrategy.HANDOVER
    return is_asked and handover_obstacle(definition) is None
