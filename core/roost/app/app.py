"""`App`: what a Python app is written with; the same object runs by hand, by Roost, restored."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from contextvars import ContextVar
from typing import Any, TypeVar

from roost.app.environment import replace_environment
from roost.app.parts import Parts
from roost.app.runner import Runner, Start
from roost.errors import BadInput, HookFailed, NotLoaded, WorkerFailed
from roost.lifecycle import LifeState, Notifier, Phase

T = TypeVar("T")
HookT = TypeVar("HookT", bound=Callable[[], Any])
WorkT = TypeVar("WorkT", bound=Callable[[], Any])

STEPS = (*(str(phase) for phase in Phase), "load", "listen")
"""What a component may hook."""


is_loading_for_snapshot: ContextVar[bool] = ContextVar("is_loading_for_snapshot", default=False)
"""Whether an app's module is imported here to be loaded and not to be started."""


class App:
    """One app: its components, at most one web application, and its workers.

    Args:
        name: for logs and errors.
        startup_timeout_s: seconds a start may take until ready; None sets no bound. It does not
            count while the app is loaded for a snapshot.
        stop_deadline_s: seconds after which a stop that is not over ends the process, with status
            70 and the name of the component that it waited for.
    """

    def __init__(
        self,
        name: str,
        *,
        startup_timeout_s: float | None = 30.0,
        stop_deadline_s: float = 10.0,
    ) -> None:
        self.name = name
        self.stop_deadline_s = stop_deadline_s
        self.exit_status: int | None = None
        """What the last run ended with; None before one."""
        self._runner: Runner | None = None
        self._parts = Parts(
            name,
            startup_timeout_s=startup_timeout_s,
            stop_deadline_s=stop_deadline_s,
            ask_to_stop=self._ask_to_stop,
            when_closing=self._closing_begins,
        )
        self.lifecycle = self._parts.lifecycle
        """Its phases and components."""
        self.stopping = self._parts.stopping
        """Set before anything is closed; a worker or a stream ends by itself when it is."""

    # Writing an app ------------------------------------------------------------------------------

    def add(self, component: T, name: str | None = None) -> T:
        """Register a component: an object whose methods named after phases are its hooks.

        As a decorator of a class it registers an instance that is made without arguments.

        Args:
            component: the object, or a class.
            name: what errors and timings call it; its class's name unless given.

        Returns:
            What it was given.

        Raises:
            BadInput: it hooks nothing.
        """
        part: Any = component() if isinstance(component, type) else component
        name = name or type(part).__name__
        if not any(callable(getattr(part, step, None)) for step in STEPS):
            raise BadInput(
                f"the component {name!r} hooks nothing; give it a method named after a phase: "
                f"{', '.join(STEPS)}"
            )
        self.lifecycle.add(name, part)
        return component

    def hook(self, phase: str) -> Callable[[HookT], HookT]:
        """Register a function as the hook of one phase, as a component named like the function.

        Raises:
            BadInput: there is no such phase.
        """
        if phase not in STEPS:
            raise BadInput(f"there is no phase {phase!r}; there are {', '.join(STEPS)}")

        def register(function: HookT) -> HookT:
            self.lifecycle.add(_name_of(function), None, **{str(phase): function})
            return function

        return register

    def web(self, application: T, port: int = 8000, host: str = "127.0.0.1") -> T:
        """Serve an ASGI application; the variable PORT wins over `port`.

        Args:
            application: speaks ASGI.
            port: what to listen on when the environment names nothing; 0 takes any free port.
            host: the address to listen on.

        Returns:
            The application.

        Raises:
            BadPort: `port` is none.
            BadInput: the app has a web application already, or this is none.
        """
        self._parts.add_web(application, host, port)
        return application

    def worker(self, work: WorkT) -> WorkT:
        """Run a coroutine function from `did_ready` until it returns or a stop is asked for.

        An app whose workers have all returned, and that serves nothing, ends with status 0. One
        that raises ends the app with status 1.

        Raises:
            BadInput: it is no coroutine function.
        """
        if not inspect.iscoroutinefunction(work):
            raise BadInput(f"the worker {_name_of(work)!r} is not async; write it as async def")
        self._parts.add_worker(_name_of(work), work)
        return work

    # What its code may ask -----------------------------------------------------------------------

    @property
    def environ(self) -> Mapping[str, str]:
        """The variables of this start; empty before `config_did_load`."""
        return self._parts.environment.variables

    @property
    def notifier(self) -> Notifier:
        """Speaks to the supervisor of this start; made anew at `config_did_load`."""
        return self._parts.environment.notifier

    @property
    def is_stopping(self) -> bool:
        """Whether a stop was asked for."""
        return self.stopping.is_set()

    @property
    def url(self) -> str | None:
        """Where the web application is served; None while it is not."""
        return self._parts.web.url if self._parts.web is not None else None

    @property
    def entry(self) -> str:
        """Where a launcher found it; empty when it was started by hand."""
        return self._parts.entry

    @entry.setter
    def entry(self, entry: str) -> None:
        self._parts.entry = entry

    def on_close(self, clean_up: Callable[[], Any]) -> bool:
        """Run this at close, in reverse order of registration; see `Lifecycle.on_close`."""
        return self.lifecycle.on_close(clean_up)

    async def open_client(
        self, manager: AbstractAsyncContextManager[T] | AbstractContextManager[T]
    ) -> T:
        """Enter a client's context manager until the close; see `Lifecycle.open_client`."""
        return await self.lifecycle.open_client(manager)

    def stop(self) -> None:
        """Ask the run to end, from any thread; nothing when it does not run."""
        if self._runner is not None:
            self._runner.ask()

    # Running it ----------------------------------------------------------------------------------

    def run(self) -> int:
        """Start, serve until SIGINT, SIGTERM, `stop` or the last worker's end, close.

        Returns:
            The exit status: 0, 1 for a failure, 2 for a mistake of the operator; both of these with
            a sentence on stderr.

        Raises:
            NotLoaded: it runs already.
            BadInput: its module is imported for a snapshot, and runs it on the way.
        """
        return self._run(self.lifecycle.boot)

    def load_for_snapshot(self) -> None:
        """Load without starting; when it returns, nothing of the app runs and nothing is open.

        Raises:
            HookFailed: a component failed; what was registered for clean-up is cleaned up.
            NotLoaded: it is started or loaded already.
        """
        asyncio.run(self._load())

    def freeze(self) -> None:
        """Run every `before_snapshot` hook; from here on the process may be copied.

        Raises:
            HookFailed: a component failed. The app is closed, unless it was frozen before: that
                can still be restored.
            NotLoaded: it is not loaded for a snapshot.
        """
        asyncio.run(self._freeze())

    def restore(self, environ: Mapping[str, str] | None = None) -> int:
        """Go on from a snapshot and run as `run` does; freezes first what is only loaded.

        Args:
            environ: replaces the process's variables before any hook runs; None leaves them.
        """

        async def start() -> None:
            if self.lifecycle.state is LifeState.LOADED:
                await self._freeze()
            if environ is not None:
                replace_environment(environ)
            await self.lifecycle.restore()

        return self._run(start)

    def close(self) -> tuple[HookFailed, ...]:
        """Close an app that was loaded and is not to be restored; returns what failed.

        A run closes by itself.
        """
        return asyncio.run(self.lifecycle.close())

    def _run(self, start: Start) -> int:
        if self._runner is not None:
            raise NotLoaded(self.name, self.lifecycle.state, "another start")
        if is_loading_for_snapshot.get():
            raise BadInput(
                f"{self.name!r} starts while its module is imported, so it cannot be loaded for a "
                'snapshot; write its run() under if __name__ == "__main__":'
            )
        self._runner = Runner(self.lifecycle, self.stop_deadline_s)
        try:
            self.exit_status = self._runner.run(start)
        finally:
            self._runner = None
        return self.exit_status

    async def _load(self) -> None:
        await self.lifecycle.load_for_snapshot()
        try:
            await self.lifecycle.load_finished.wait()
        except BaseException:
            await self.lifecycle.close()
            raise

    async def _freeze(self) -> None:
        is_frozen = self.lifecycle.state is LifeState.FROZEN
        try:
            await self.lifecycle.freeze()
        except HookFailed:
            if not is_frozen:
                await self.lifecycle.close()
            raise

    def _ask_to_stop(self, failure: WorkerFailed | None) -> None:
        if self._runner is not None:
            self._runner.ask(failure)

    def _closing_begins(self) -> None:
        if self._runner is not None:
            self._runner.closing_begins()


def _name_of(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)
