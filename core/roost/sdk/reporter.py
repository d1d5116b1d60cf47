"""`Reporter`: makes the exchanges of one run from a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable

from roost.sdk.courier import Courier


class Reporter:
    """A thread that makes the exchanges; it does not keep the program alive.

    Args:
        courier: knows what is due.
        on_exchange: called in the thread after each exchange.
    """

    def __init__(self, courier: Courier, on_exchange: Callable[[], object] = lambda: None) -> None:
        self._courier = courier
        self._on_exchange = on_exchange
        self._signal = threading.Event()
        self._is_closing = False
        self._thread = threading.Thread(target=self._work, name="roost-run", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look anew what is due."""
        self._signal.set()

    def close(self) -> None:
        """Make no further exchange and wait for the one under way."""
        self._is_closing = True
        self.wake()
        self._thread.join()

    def _work(self) -> None:
        while not self._is_closing:
            due_s = self._courier.due_in()
            if due_s == 0:
                self._courier.exchange()
                self._on_exchange()
                continue
            self._signal.wait(due_s)
            self._signal.clear()
