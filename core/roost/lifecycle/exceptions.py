"""`ExceptionReporter`: what nobody caught, in the log instead of on the screen."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from types import TracebackType
from typing import Any

logger = logging.getLogger(__name__)


class ExceptionReporter:
    """Holds the interpreter's, the threads' and the event loop's exception handlers while it is up.

    It is a component: installed once the configuration is loaded, gone after the close, and never
    part of a snapshot. What it puts in place is bound once, so what it takes away is the same
    object; what it never put in place it does not take away.

    Args:
        name: the app's name in the log.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._on_error = self._report
        self._on_thread_error = self._report_thread
        self._on_loop_error = self._report_loop
        self._before: tuple[Any, Any] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def is_installed(self) -> bool:
        """Whether its handlers are in place."""
        return self._before is not None

    def install(self) -> None:
        """Put the handlers in place; safe to call again."""
        if self._before is not None:
            return
        self._before = (sys.excepthook, threading.excepthook)
        sys.excepthook, threading.excepthook = self._on_error, self._on_thread_error
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._on_loop_error)

    def remove(self) -> None:
        """Give back what was in place before, where it is still ours; safe to call again."""
        if self._before is None:
            return
        before, before_in_threads = self._before
        self._before = None
        if sys.excepthook is self._on_error:
            sys.excepthook = before
        if threading.excepthook is self._on_thread_error:
            threading.excepthook = before_in_threads
        loop, self._loop = self._loop, None
        if loop is not None and loop.get_exception_handler() is self._on_loop_error:
            loop.set_exception_handler(None)

    def config_did_load(self) -> None:
        """Install, in a boot and after a restore."""
        self.install()

    def before_snapshot(self) -> None:
        """Leave nothing of it in the copy."""
        self.remove()

    def before_close(self) -> None:
        """Give everything back."""
        self.remove()

    def _report(
        self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        logger.error("%s: uncaught", self._name, exc_info=(kind, error, traceback))

    def _report_thread(self, given: threading.ExceptHookArgs) -> None:
        # An exit ends its thread only, in silence, as it does without us.
        if given.exc_value is not None and not isinstance(given.exc_value, SystemExit):
            found = (given.exc_type, given.exc_value, given.exc_traceback)
            logger.error("%s: uncaught in a thread", self._name, exc_info=found)

    def _report_loop(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        message = context.get("message") or "an error in the event loop"
        logger.error("%s: %s", self._name, message, exc_info=context.get("exception"))
