"""The phases of an app's life, in the order in which they are walked."""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """A point in an app's life; a component hooks it with a method of the same name."""

    CONFIG_WILL_LOAD = "config_will_load"
    """Before the configuration is fixed. The last phase of an app loaded for a snapshot."""
    CONFIG_DID_LOAD = "config_did_load"
    """The configuration is fixed. The first phase after a restore: environment is read here."""
    DID_LOAD = "did_load"
    """Every component's `load` has returned."""
    WILL_READY = "will_ready"
    """The last chance to hold readiness up."""
    DID_READY = "did_ready"
    """The app is ready; work that nobody waits for."""
    SERVER_DID_READY = "server_did_ready"
    """Every server listens."""
    BEFORE_SNAPSHOT = "before_snapshot"
    """In reverse order: let go of whatever a copy of the process must not share."""
    AFTER_RESTORE = "after_restore"
    """In order, before the boot goes on at `config_did_load`."""
    BEFORE_CLOSE = "before_close"
    """In reverse order."""


START_PHASES = (
    Phase.CONFIG_DID_LOAD,
    Phase.DID_LOAD,
    Phase.WILL_READY,
    Phase.DID_READY,
    Phase.SERVER_DID_READY,
)
"""The phases that start something; a component that completed one of them is closed."""


class LifeState(StrEnum):
    """Where a lifecycle stands."""

    NEW = "new"
    LOADING = "loading"
    LOADED = "loaded"
    """Loaded for a snapshot: nothing of it runs."""
    FROZEN = "frozen"
    """Every `before_snapshot` hook has run: a copy of the process may be restored."""
    STARTING = "starting"
    READY = "ready"
    SERVING = "serving"
    CLOSING = "closing"
    CLOSED = "closed"
