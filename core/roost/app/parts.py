"""`Parts`: what every app consists of besides its own components, and in which order.

First come what the others need: the environment, the exception handlers, the signs of life. Last
come what must end before the app's own components do: the workers, the web server, and the word to
the supervisor.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from roost.app.environment import Environment
from roost.app.stop_request import StopRequest
from roost.app.worker import Work, Worker
from roost.clock import SystemClock
from roost.errors import BadInput, WorkerFailed
from roost.lifecycle import ExceptionReporter, KeepAlive, Lifecycle, watchdog_interval_s

if TYPE_CHECKING:
    from roost.app.web import WebServer

GRACE_S = 2.0
"""How long workers and answers under way may end by themselves: Roost gives an app 5 s in all."""

GRACE_SHARE = 0.25
"""The same as a share of the stop deadline; the shorter one counts, as hooks run after it."""


class Parts:
    """The lifecycle of one app, and what it has of its own on it.

    It is the first component of all.

    Args:
        name: the app's.
        startup_timeout_s: seconds a start may take; None sets no bound.
        stop_deadline_s: seconds a stop may take.
        ask_to_stop: ends the run, with what failed where something did.
        when_closing: told as the close begins.
    """

    def __init__(
        self,
        name: str,
        *,
        startup_timeout_s: float | None,
        stop_deadline_s: float,
        ask_to_stop: Callable[[WorkerFailed | None], None],
        when_closing: Callable[[], None],
    ) -> None:
        self._name = name
        self._startup_timeout_s = startup_timeout_s
        self._stop_deadline_s = stop_deadline_s
        self._grace_s = min(GRACE_S, stop_deadline_s * GRACE_SHARE)
        self._ask_to_stop = ask_to_stop
        self._when_closing = when_closing
        self._is_complete = False
        self._is_told_ready = False
        self.entry = ""
        self.web: WebServer | None = None
        self.workers: list[Worker] = []
        self.stopping = StopRequest()
        self.lifecycle = Lifecycle(
            name,
            startup_timeout_s=startup_timeout_s,
            config=self.described,
            when_closing=self._begin_to_close,
        )
        self.environment = Environment(lambda: self.lifecycle.is_up)
        self._add_first()

    def add_web(self, application: Any, host: str, port: int) -> None:
        """Give the app its web application.

        Raises:
            BadPort: it is no port.
            BadInput: it has one already, or this is none.
        """
        from roost.app.web import WebServer  # deferred: what has no web server does not load it

        if self.web is not None:
            raise BadInput(f"{self._name!r} has a web application already; mount the second in it")
        if not callable(application):
            raise BadInput(f"{application!r} is no ASGI application; give one that can be called")
        self.web = WebServer(
            self._name,
            application,
            host,
            port,
            self.environment,
            self.stopping,
            drain_s=self._grace_s,
        )

    def add_worker(self, name: str, work: Work) -> None:
        """Give the app one more worker."""
        worker = Worker(
            self._name,
            name,
            work,
            self.stopping,
            grace_s=self._grace_s,
            ended=self._worker_ended,
        )
        self.workers.append(worker)

    def described(self) -> dict[str, object]:
        """Return the configuration in force, as it is logged once per start; nothing secret."""
        by_hand = getattr(sys.modules.get("__main__"), "__file__", None) or "interactive"
        about: dict[str, object] = {"entry": self.entry or by_hand}
        if self.web is not None:
            port = self.web.wanted_port or "any"
            about |= {"kind": "web", "host": self.web.host, "port": port}
        else:
            about["kind"] = "worker" if self.workers else "plain"
        return about | {
            "startup_timeout_s": self._startup_timeout_s,
            "stop_deadline_s": self._stop_deadline_s,
        }

    def config_will_load(self) -> None:
        """Begin anew; by now the app's own components are there, so the last ones can follow."""
        self.stopping.renew()
        self.environment.forget()
        self._is_told_ready = False
        if not self._is_complete:
            self._is_complete = True
            self._add_last()

    def _add_first(self) -> None:
        beat = KeepAlive(
            lambda: self.environment.notifier.alive(),
            lambda: watchdog_interval_s(self.environment.variables, os.getpid()),
            SystemClock(),
        )
        self.lifecycle.add("parts", self)
        self.lifecycle.add("environment", self.environment)
        self.lifecycle.add("exception handlers", ExceptionReporter(self._name))
        self.lifecycle.add("signs of life", beat)

    def _add_last(self) -> None:
        for worker in self.workers:
            self.lifecycle.add(worker.name, worker)
        if self.web is not None:
            self.lifecycle.add("web server", self.web)
        self.lifecycle.add("service manager", server_did_ready=self._tell_ready)

    def _tell_ready(self) -> None:
        self.environment.notifier.ready()
        self._is_told_ready = True
        self._end_when_done()

    def _begin_to_close(self) -> None:
        self.stopping.set()
        self.environment.notifier.stopping()
        self._when_closing()

    def _worker_ended(self, failure: WorkerFailed | None) -> None:
        if failure is not None:
            self._ask_to_stop(failure)
        self._end_when_done()

    def _end_when_done(self) -> None:
        """End an app that has nothing left to do; a supervisor has heard that it was ready."""
        is_done = self.workers and all(worker.has_ended for worker in self.workers)
        if is_done and self.web is None and self._is_told_ready:
            self._ask_to_stop(None)
