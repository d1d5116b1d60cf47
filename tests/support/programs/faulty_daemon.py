"""The real daemon, with its shutdown told step by step and one fault in it.

Arguments: the fault, then the daemon's own. Faults: ``none``; ``driver-hangs``, where no process
tree is ever seen to end; or ``STEP:MANNER``, where one step of `STEPS`, or ``every``, ``raises``,
``hangs``, ``blocks`` the event loop, or ``waits`` until the file that `TEST_GATE` names is there.
`TEST_SAME_SIGNAL_S` is how many seconds a second signal is taken for the echo of the first one.
"""

import asyncio
import inspect
import logging
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from roost import daemon
from roost.api import ApiServer
from roost.drivers import LocalDriver, process
from roost.engine.journal import StoredTransitions
from roost.events import EventBus
from roost.lifecycle import signals
from roost.runs import RunRecorder, ToolCalls
from roost.store import sql_store
from roost.supervision import LogFiles, Supervisor

STEPS: dict[str, tuple[type, str]] = {
    "viewers": (EventBus, "close"),
    "followers": (LogFiles, "close"),
    "runs": (ToolCalls, "close"),
    "bundles": (Supervisor, "close"),
    "ledger": (RunRecorder, "close"),
    "driver": (LocalDriver, "close"),
    "journal": (StoredTransitions, "close"),
    "store": (sql_store.SqlStore, "close"),
    "api": (ApiServer, "stop"),
}

FOR_EVER_S = 1e6

logger = logging.getLogger("told")


def tell(step: str, manner: str) -> None:
    """Log when a step of the shutdown begins, and let it go wrong in one manner."""
    owner, method = STEPS[step]
    real: Callable[..., Any] = getattr(owner, method)

    def begin() -> None:
        logger.info("step: %s", step)
        if manner == "raises":
            raise RuntimeError(f"a fault in {step}")
        if manner == "blocks":
            time.sleep(FOR_EVER_S)

    def told(self: Any, *given: Any) -> Any:
        begin()
        return real(self, *given)

    async def told_async(self: Any, *given: Any) -> Any:
        begin()
        if manner == "hangs":
            await asyncio.Event().wait()
        if manner == "waits":
            await asyncio.to_thread(wait_at_gate)
        return await real(self, *given)

    setattr(owner, method, told_async if inspect.iscoroutinefunction(real) else told)


def wait_at_gate() -> None:
    while not os.path.exists(os.environ["TEST_GATE"]):
        time.sleep(0.02)


async def hang(*_: Any, **__: Any) -> None:
    await asyncio.Event().wait()


def main() -> int:
    fault, arguments = sys.argv[1], sys.argv[2:]
    faulty, _, manner = fault.partition(":")
    for step in STEPS:
        tell(step, manner if faulty in (step, "every") else "")
    if seconds := os.environ.get("TEST_SAME_SIGNAL_S"):
        signals.SAME_SIGNAL_S = float(seconds)
    if fault == "driver-hangs":
        process.LocalProcess.stop = hang  # type: ignore[assignment]
    return daemon.main(arguments)


if __name__ == "__main__":
    daemon.leave(main())
