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
    from roost.worker import (
        EarlierEvent,
        Outcome,
        StepFailed,
        Submitted,
        SyncTaskContext,
        TaskContext,
        submit,
        submit_async,
        task,
    )

__all__ = [
    "AlreadyFinished",
    "App",
    "AsyncRun",
    "EarlierEvent",
    "LeaseLost",
    "Outcome",
    "RoostUnreachable",
    "Run",
    "StepFailed",
    "StopRequested",
    "Submitted",
    "SyncTaskContext",
    "TaskContext",
    "__version__",
    "begin_run",
    "begin_run_async",
    "load_for_snapshot",
    "restore",
    "submit",
    "submit_async",
    "task",
]

_OF_APPS = frozenset({"App", "load_for_snapshot", "restore"})
_OF_TASKS = frozenset(
    {
        "EarlierEvent",
        "Outcome",
        "StepFailed",
        "Submitted",
        "SyncTaskContext",
        "TaskContext",
        "submit",
        "submit_async",
        "task",
    }
)


if not TYPE_CHECKING:  # or else every name of the package would do for them

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        # Deferred: most who import roost need nothing of it.
        if name in _OF_APPS:
            from roost import app as part
        elif name in _OF_TASKS:
            from roost import worker as part
        else:
            from roost import sdk as part
        return getattr(part, name)
