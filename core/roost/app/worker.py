"""`Worker`: one coroutine of an app, from `did_ready` until it returns or a stop is asked for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from roost.app.stop_request import StopRequest
from roost.errors import WorkerFailed
from roost.lifecycle.component import is_being_cancelled
from roost.lifecycle.tracebacks import log_with_traceback

logger = logging.getLogger(__name__)

Work = Callable[[], Awaitable[None]]


class Worker:
    """A component that runs one worker.

    Args:
        app: the app's name, for errors.
        name: the worker's name.
        work: runs once per start.
        stopping: asked for before anything is closed.
        grace_s: how long the work may go on by itself after that, in seconds.
        ended: told when it has ended by itself, with what it failed with or None.
    """

    def __init__(
        self,
        app: str,
        name: str,
        work: Work,
        stopping: StopRequest,
        *,
        grace_s: float,
        ended: Callable[[WorkerFailed | None], None],
    ) -> None:
        self._app = app
        self.name = name
        self._work = work
        self._stopping = stopping
        self._grace_s = grace_s
        self._ended = ended
        self._task: asyncio.Task[None] | None = None
        self.has_ended = False
        """Whether it began in this start and ended by itself."""

    def did_ready(self) -> None:
        """Begin."""
        self.has_ended = False
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._run(), name=f"worker {self.name}")

    async def before_close(self) -> None:
        """Let it end by itself, then cancel it, and wait until it has ended."""
        task, self._task = self._task, None
        if task is None or task.done():
            return
        await asyncio.wait({task}, timeout=self._stopping.grace_left(self._grace_s))
        if not task.done():
            task.cancel()
            await asyncio.wait({task})

    def waiting_for(self) -> tuple[str, ...]:
        """Name it as people know it."""
        return (f"worker {self.name!r}",)

    async def _run(self) -> None:
        try:
            await self._work()
        except asyncio.CancelledError as error:
            if not is_being_cancelled():
                self._fail(error)
            raise
        # An exit inside a task would end the loop under everything else that is to be closed.
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the top of a task
            self._fail(error)
        else:
            self.has_ended = True
            self._ended(None)

    def _fail(self, error: BaseException) -> None:
        log_with_traceback(logger, f"worker {self.name!r} failed", error)
        self.has_ended = True
        self._ended(WorkerFailed(self._app, self.name, error))
