"""`ShutdownDeadline`: ends the process when its shutdown does not."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from roost.lifecycle.signals import EXIT_FORCED

logger = logging.getLogger(__name__)

TELL_S = 1.0
"""How long the last line of the log may take."""


class ShutdownDeadline:
    """Bounds the block that shuts down; a block that ends in time cancels it.

    It waits in a thread of its own: a component may hold the event loop itself.

    Args:
        seconds: how long the shutdown may take.
        waiting_for: says in words what it waits for.
        force_exit: ends the process at once with a status.
    """

    def __init__(
        self,
        seconds: float,
        waiting_for: Callable[[], tuple[str, ...]],
        *,
        force_exit: Callable[[int], None] = os._exit,
    ) -> None:
        self._waiting_for = waiting_for
        self._force_exit = force_exit
        self._timer = threading.Timer(seconds, self._pass)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        self._timer.join()  # it ends at once; whoever looks now finds no thread of ours

    def _pass(self) -> None:
        # Whoever is stuck may hold the log itself; the exit does not wait for the words.
        teller = threading.Thread(target=self._tell, daemon=True)
        teller.start()
        teller.join(TELL_S)
        self._force_exit(EXIT_FORCED)

    def _tell(self) -> None:
        waiting = ", ".join(self._waiting_for()) or "an unnamed component"
        logger.error("shutdown deadline passed; still waiting for: %s", waiting)
        for handler in logging.getLogger().handlers:
            handler.flush()
