"""Roost: the terminal control plane for apps.

Importing this package loads the standard library only; everything heavier is behind its
subpackages. What apps are written with is loaded when it is asked for.
"""

__version__ = "0.1.0"

TYPE_CHECKING = False  # type checkers take it for true; the module typing costs milliseconds
if TYPE_CHECKING:
    from roost.app import App, load_for_snapshot, restore
    from roost.sdk import (
        AlreadyFinished,
        AsyncRun,
        LeaseLost,
        RoostUnreachable,
        Run,
        StopRequested,
        begin_run,
        begin_run_async,
    )

__all__ = [
    "AlreadyFinished",
    "App",
    "AsyncRun",
    "LeaseLost",
    "RoostUnreachable",
    "Run",
    "StopRequested",
    "__version__",
    "begin_run",
    "begin_run_async",
    "load_for_snapshot",
    "restore",
]

_OF_APPS = frozenset({"App", "load_for_snapshot", "restore"})


if not TYPE_CHECKING:  # or else every name of the package would do for them

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        # Deferred: most who import roost need nothing of it.
        if name in _OF_APPS:
            from roost import app as part
        else:
            from roost import sdk as part
        return getattr(part, name)
