"""The real daemon, with its shutdown told step by step and one fault in it.

Arguments: the fault, then the daemon's own. Faults: none; runs-raise, where settling the runs
raises; driver-hangs, where no process tree is ever seen to end.
"""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from roost import daemon
from roost.drivers import LocalDriver, process
from roost.engine.journal import StoredTransitions
from roost.runs import RunRecorder, ToolCalls
from roost.store import sql_store
from roost.supervision import Supervisor

logger = logging.getLogger("told")


def tell(owner: type, method: str, step: str) -> None:
    """Log when a step of the shutdown begins."""
    real: Callable[..., Awaitable[Any]] = getattr(owner, method)

    async def told(self: Any, *given: Any) -> Any:
        logger.info("step: %s", step)
        return await real(self, *given)

    setattr(owner, method, told)


async def broken(*_: Any) -> None:
    logger.info("step: recorder")
    raise RuntimeError("a fault in settling the runs")


async def hang(*_: Any, **__: Any) -> None:
    await asyncio.Event().wait()


def main() -> int:
    fault, arguments = sys.argv[1], sys.argv[2:]
    tell(ToolCalls, "close", "runs")
    tell(Supervisor, "close", "bundles")
    tell(LocalDriver, "close", "driver")
    tell(StoredTransitions, "close", "journal")
    tell(sql_store.SqlStore, "close", "store")
    if fault == "runs-raise":
        RunRecorder.close = broken  # type: ignore[method-assign, assignment]
    if fault == "driver-hangs":
        process.LocalProcess.stop = hang  # type: ignore[assignment]
    return daemon.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
