"""The SDK for outside work: any Python program reports what it does as a run.

`begin_run` is for ordinary programs, `begin_run_async` for those with an event loop. Importing it
loads the standard library only.
"""

from roost.errors import DaemonUnreachable as RoostUnreachable
from roost.errors import LeaseLost
from roost.sdk.async_run import AsyncRun, begin_run_async
from roost.sdk.endings import AlreadyFinished, StopRequested
from roost.sdk.run import Run, begin_run

__all__ = [
    "AlreadyFinished",
    "AsyncRun",
    "LeaseLost",
    "RoostUnreachable",
    "Run",
    "StopRequested",
    "begin_run",
    "begin_run_async",
]
