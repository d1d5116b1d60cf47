"""Durable tasks for programs: `task` declares them, a worker does their runs, `submit` begins them.

A worker is a bundle: ``roost add --worker MODULE``. Importing this loads the standard library
only.
"""

from roost.worker.context import TaskContext
from roost.worker.declare import task
from roost.worker.earlier import EarlierEvent
from roost.worker.failures import StepFailed
from roost.worker.submitting import Outcome, Submitted, submit, submit_async
from roost.worker.sync_context import SyncTaskContext

__all__ = [
    "EarlierEvent",
    "Outcome",
    "StepFailed",
    "Submitted",
    "SyncTaskContext",
    "TaskContext",
    "submit",
    "submit_async",
    "task",
]
