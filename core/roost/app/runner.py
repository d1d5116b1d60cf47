"""`Runner`: one run of an app in an event loop of its own, from its start to its exit status."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from roost.app.report import EXIT_FAILED, log_on_stderr, report
from roost.errors import LifecycleClosed, NotLoaded, RoostError
from roost.lifecycle import Lifecycle, ShutdownDeadline, StopSignals

Start = Callable[[], Awaitable[None]]
"""Walks the app to ready."""


class Runner:
    """Starts an app, serves until a stop is asked for, and closes it within a deadline.

    Args:
        lifecycle: the app's.
        stop_deadline_s: seconds from the beginning of the close until the process is ended.
    """

    def __init__(self, lifecycle: Lifecycle, stop_deadline_s: float) -> None:
        self._lifecycle = lifecycle
        self._stop_deadline_s = stop_deadline_s
        self._until_ended = ExitStack()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_asked = False
        self._asked = asyncio.Event()
        self._failure: RoostError | None = None

    def run(self, start: Start) -> int:
        """Run to the end and return the exit status.

        What ends it is told in a sentence on stderr; what fails on the way down is in the log.
        """
        with log_on_stderr(), self._until_ended, self._signals():
            try:
                failures = asyncio.run(self._serve(start))
            except RoostError as error:
                return report(error)
        return EXIT_FAILED if failures else 0

    def ask(self, failure: RoostError | None = None) -> None:
        """Ask for the stop; from any thread, and from a signal handler.

        Args:
            failure: what the run ends with; the first one counts.
        """
        self._failure = self._failure or failure
        self._is_asked = True
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has just closed
                self._loop.call_soon_threadsafe(self._asked.set)

    def closing_begins(self) -> None:
        """Bound the close, whoever asked for it, until the event loop and its threads are gone."""
        self.ask()
        self._until_ended.enter_context(ShutdownDeadline(self._stop_deadline_s, self._waiting_for))

    @contextmanager
    def _signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread may have them; whoever runs it elsewhere asks by `stop`
            return
        signals = StopSignals(self.ask, when_forced="what is left ends with the process")
        signals.install()
        try:
            yield
        finally:
            # A process that was told to end does; a late echo must not turn that into a death.
            signals.ignore() if signals.is_received else signals.remove()

    async def _serve(self, start: Start) -> tuple[RoostError, ...]:
        self._loop = asyncio.get_running_loop()
        serving = self._loop.create_task(self._start(start))
        asked = self._loop.create_task(self._asked.wait())
        if self._is_asked:
            self._asked.set()
        try:
            await asyncio.wait({serving, asked}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done() and serving.exception() is None:
                await asked
        finally:
            asked.cancel()
            # What was refused has begun nothing: a loaded app stays loaded.
            failures = () if _is_refused(serving) else await self._lifecycle.close()
            await asyncio.wait({serving})
        if self._failure is not None:
            raise self._failure
        error = None if serving.cancelled() else serving.exception()
        if error is not None and not (self._is_asked and isinstance(error, LifecycleClosed)):
            raise error
        return failures

    async def _start(self, start: Start) -> None:
        await start()
        await self._lifecycle.serving.wait()

    def _waiting_for(self) -> tuple[str, ...]:
        """Name what holds the end up: a component, or what an app left running behind it."""
        return self._lifecycle.waiting_for or self._left_over()

    def _left_over(self) -> tuple[str, ...]:
        tasks = asyncio.all_tasks(self._loop) if self._loop is not None else set()
        main = threading.main_thread()
        threads = [each for each in threading.enumerate() if each is not main and not each.daemon]
        return (
            *(f"task {task.get_name()!r}" for task in tasks),
            *(f"thread {thread.name!r}" for thread in threads),
        )


def _is_refused(serving: asyncio.Task[None]) -> bool:
    is_over = serving.done() and not serving.cancelled()
    return is_over and isinstance(serving.exception(), NotLoaded)
