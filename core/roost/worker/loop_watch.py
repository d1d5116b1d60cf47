"""`LoopWatch`: ends a worker whose event loop has been blocked for too long."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress

BLOCKED_S = 20.0
"""Well below the lease of 30 s, so that nobody else can have begun the work anew."""

TICK_S = 1.0

EXIT_BLOCKED = 1


class LoopWatch:
    """Asks the loop once a second whether it turns, from a thread.

    A handler that blocks the loop stops every async handler of its worker, and neither a stop nor
    a cancellation reaches it. Its leases are kept meanwhile, so that no second worker does the same
    work; but not for ever: after `BLOCKED_S` the whole process ends, and its runs go on by their
    recovery policies, in the next process. Letting only the leases run out would leave the blocked
    code working beside its own next attempt.

    Ticks are counted, not seconds: a process that was suspended has not been blocked.

    Args:
        on_blocked: called in the thread, once for each time that the loop is blocked.
        ticks: how many of them it may miss.
        tick_s: seconds between two of them.
    """

    def __init__(
        self,
        on_blocked: Callable[[], object],
        *,
        ticks: int = int(BLOCKED_S / TICK_S),
        tick_s: float = TICK_S,
    ) -> None:
        self._on_blocked = on_blocked
        self._ticks = ticks
        self._tick_s = tick_s
        self._loop = asyncio.get_running_loop()
        self._is_asked = False
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="roost-loop-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Watch no more."""
        self._is_over.set()

    def _watch(self) -> None:
        missed = 0
        while not self._is_over.wait(self._tick_s):
            missed = missed + 1 if self._is_asked else 0
            if missed == self._ticks:
                self._on_blocked()
            if not self._is_asked:
                self._ask()

    def _ask(self) -> None:
        self._is_asked = True
        with suppress(RuntimeError):  # the loop has closed
            self._loop.call_soon_threadsafe(self._turn)

    def _turn(self) -> None:
        self._is_asked = False


def say_blocked() -> None:
    """Write where the main thread stands to stderr."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    stack = "".join(traceback.format_stack(frame)[-5:])
    sys.stderr.write(
        f"roost: the worker's event loop has been blocked for {BLOCKED_S:.0f} s; move what blocks "
        f"into asyncio.to_thread, or make the handler an ordinary function:\n{stack}"
    )
    sys.stderr.flush()


def end_blocked() -> None:
    """Say where the main thread stands and end the process; see `LoopWatch`."""
    say_blocked()
    os._exit(EXIT_BLOCKED)
