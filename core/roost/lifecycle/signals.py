"""`StopSignals`: SIGINT and SIGTERM, told apart into a wish, its echo and an order.

The first one asks for a shutdown. A second one within two seconds is taken for the same wish,
because a terminal and its supervisor signal together; a later one forces the exit. They are
received by the interpreter and not by the event loop: a loop that is stuck must not swallow the
order, and the loop's own handlers go away before the process does.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

logger = logging.getLogger(__name__)

SAME_SIGNAL_S = 2.0
"""A second signal within this time is the first one's echo."""

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

EXIT_FORCED = 70
"""Exit status of a shutdown that was forced or ran into its deadline."""


class StopSignals:
    """Owns the two signals of one process while it is installed.

    Args:
        on_stop: asked for once: in the event loop that ran when the signals were taken over, or
            else in the signal handler itself.
        when_forced: words for the log that say what becomes of what is left.
        force_exit: ends the process at once with a status.
        monotonic: seconds; measures the time between two signals.
    """

    def __init__(
        self,
        on_stop: Callable[[], None],
        *,
        when_forced: str,
        force_exit: Callable[[int], None] = os._exit,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_stop = on_stop
        self._when_forced = when_forced
        self._force_exit = force_exit
        self._monotonic = monotonic
        self._signalled_at: float | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._before: dict[int, object] = {}

    @property
    def is_received(self) -> bool:
        """Whether a stop was asked for by signal."""
        return self._signalled_at is not None

    def install(self) -> None:
        """Take the signals over; call it in the main thread."""
        with suppress(RuntimeError):  # no loop runs
            self._loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            self._before[number] = signal.signal(number, self.receive)

    def remove(self) -> None:
        """Give the signals back to who had them; nothing when they were never taken."""
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]  # what `signal` returned
        self._before.clear()

    def ignore(self) -> None:
        """Ignore them from here on: nothing is left to shut down, and a late echo must not turn
        the exit into a death by signal."""
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        self._before.clear()

    def receive(self, number: int, _: FrameType | None = None) -> None:
        """Take one signal."""
        now, name = self._monotonic(), signal.Signals(number).name
        if self._signalled_at is None:
            self._signalled_at = now
            self._ask()
        elif now - self._signalled_at <= SAME_SIGNAL_S:
            logger.debug("%s ignored: the shutdown has begun", name)
        else:
            logger.error("%s again: exit forced; %s", name, self._when_forced)
            self._force_exit(EXIT_FORCED)

    def _ask(self) -> None:
        if self._loop is None:
            self._on_stop()
            return
        with suppress(RuntimeError):  # the loop has just closed
            self._loop.call_soon_threadsafe(self._on_stop)
