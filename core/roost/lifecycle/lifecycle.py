"""`Lifecycle`: walks the components of one app through its phases, and back.

A boot walks every phase. Loading for a snapshot stops the hooks after `config_will_load` and only
loads; `freeze` and `restore` then bracket the moment in which the process is copied, and the boot
goes on at `config_did_load`. Closing walks back, runs once however often it is asked for, and is
not stopped by a component that raises.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import SimpleNamespace
from typing import Any, TypeVar

from roost.errors import (
    ClientRefused,
    HookFailed,
    LifecycleClosed,
    NotLoaded,
    StartupTimedOut,
)
from roost.lifecycle.component import (
    LISTEN,
    LOAD,
    Callback,
    Component,
    HookTiming,
    current_component,
)
from roost.lifecycle.milestone import Milestone
from roost.lifecycle.phases import LifeState, Phase

logger = logging.getLogger(__name__)

T = TypeVar("T")

SLOW_HOOK_S = 5.0
"""A hook that took longer is logged by name: someone waits for this app."""

CANCEL_GRACE_S = 5.0
"""How long a start that was cancelled may take to end before the close goes on without it."""

_OPEN_STATES = (LifeState.STARTING, LifeState.READY, LifeState.SERVING)


class Lifecycle:
    """The phases of one app.

    Nothing in it belongs to an event loop between two calls, so a process may be copied between
    `freeze` and `restore`.

    Args:
        name: the app's name, for logs and errors.
        startup_timeout_s: seconds a boot may take until ready; None sets no bound. It does not
            count while loading for a snapshot.
        config: returns the configuration in force, secrets masked, as it is logged once per boot.
    """

    def __init__(
        self,
        name: str,
        *,
        startup_timeout_s: float | None = None,
        config: Callable[[], Mapping[str, object]] | None = None,
    ) -> None:
        self.name = name
        self.state = LifeState.NEW
        self.is_for_snapshot = False
        self.ready = Milestone()
        """Every `will_ready` hook has run, or the app is loaded for a snapshot."""
        self.load_finished = Milestone()
        """Every component is loaded."""
        self.serving = Milestone()
        """Every server listens and every `server_did_ready` hook has run."""
        self.timings: list[HookTiming] = []
        """How long each hook of the present run took, in the order in which they ended."""
        self._startup_timeout_s = startup_timeout_s
        self._config = config
        self._components: list[Component] = []
        self._walking: Component | None = None
        self._step = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing: asyncio.Task[tuple[HookFailed, ...]] | None = None

    # Registration --------------------------------------------------------------------------------

    def add(self, name: str, part: object = None, /, **hooks: Callable[[], Any]) -> Component:
        """Register a component; its methods named after phases are its hooks.

        Args:
            name: what errors and timings call it.
            part: any object. Besides the phases it may have `load`, walked in every mode,
                `listen`, in which a server begins to listen, and `waiting_for`, which returns in
                words what its step waits for.
            hooks: the same by name, for a component that is no object of its own.
        """
        component = Component(name, SimpleNamespace(**hooks) if hooks else part, self._note)
        self._components.append(component)
        return component

    def on_close(self, clean_up: Callback) -> bool:
        """Run this at close, in every mode, in reverse order of registration.

        Called from a hook it is closed with its component, after that one's `before_close`.

        Returns:
            False when the app is closing already; the caller cleans up itself.
        """
        if self.is_closing:
            return False
        component = current_component.get()
        if component is None or component not in self._components:
            component = self.add(getattr(clean_up, "__qualname__", "clean-up"))
        component.add_clean_up(clean_up)
        return True

    # What components may ask ---------------------------------------------------------------------

    @property
    def is_closing(self) -> bool:
        """Whether closing has begun, or is over."""
        return self.state in (LifeState.CLOSING, LifeState.CLOSED)

    @property
    def is_up(self) -> bool:
        """Whether it is ready: booted in full, not loaded for a snapshot, not closing."""
        return self.state in (LifeState.READY, LifeState.SERVING)

    @property
    def waiting_for(self) -> tuple[str, ...]:
        """What the start or the close waits for now, in words."""
        return self._walking.waiting_for() if self._walking is not None else ()

    def check_may_open_client(self) -> None:
        """Refuse a connection that a copy of the loaded app would share.

        Raises:
            ClientRefused: the app is loading; names the component and the phase to use.
        """
        if self.state not in _OPEN_STATES or self._step == LOAD:
            component = current_component.get()
            raise ClientRefused(component.name if component else self.name)

    async def open_client(
        self, manager: AbstractAsyncContextManager[T] | AbstractContextManager[T]
    ) -> T:
        """Enter a client's context manager and leave it when the component is closed.

        Raises:
            ClientRefused: the app is loading, or not up.
            LifecycleClosed: it was closed while the client was opening; the client is closed too.
        """
        self.check_may_open_client()
        if isinstance(manager, AbstractAsyncContextManager):
            entered = await manager.__aenter__()

            async def leave() -> None:
                await manager.__aexit__(None, None, None)
        else:
            entered = manager.__enter__()

            async def leave() -> None:
                manager.__exit__(None, None, None)

        if not self.on_close(leave):
            await leave()
            raise LifecycleClosed(self.name)
        return entered

    # Start ---------------------------------------------------------------------------------------

    async def boot(self) -> None:
        """Walk to ready; servers and what follows readiness go on by themselves.

        Raises:
            HookFailed: a component failed; the app is closed again.
            StartupTimedOut: it took longer than the time-out; the app is closed again.
            LifecycleClosed: it was closed meanwhile.
        """
        self._begin(is_for_snapshot=False)
        await self._start(self._walk_all())

    async def load_for_snapshot(self) -> None:
        """Load without starting: hooks stop after `config_will_load`, loading goes on.

        `ready` resolves at the cut-off, `load_finished` when every component is loaded. The
        start-up time-out and the log of the configuration belong to a boot and are left out.

        Raises:
            HookFailed: a `config_will_load` hook failed.
        """
        self._begin(is_for_snapshot=True)
        try:
            await self._walk(Phase.CONFIG_WILL_LOAD)
        except HookFailed:
            await self.close()
            raise
        self.ready.reach()
        self._own(self._load_only())

    async def freeze(self) -> None:
        """Run every `before_snapshot` hook, in reverse order.

        Raises:
            NotLoaded: the app is not loaded for a snapshot.
            HookFailed: a hook failed. The state stays as it was: what was frozen before can still
                be restored.
        """
        if self.state not in (LifeState.LOADED, LifeState.FROZEN):
            raise NotLoaded(self.name, self.state, "a snapshot")
        await self._walk(Phase.BEFORE_SNAPSHOT, reverse=True)
        self.state = LifeState.FROZEN

    async def restore(self) -> None:
        """Run every `after_restore` hook in order and go on with the boot, up to ready.

        Raises:
            NotLoaded: nothing is frozen.
            HookFailed: a hook failed; the app is closed.
            StartupTimedOut: as for `boot`.
        """
        if self.state is not LifeState.FROZEN:
            raise NotLoaded(self.name, self.state, "a restore")
        self.is_for_snapshot = False
        self.ready, self.serving = Milestone(), Milestone()
        self.state = LifeState.STARTING
        await self._start(self._walk_restored())

    def _begin(self, *, is_for_snapshot: bool) -> None:
        if self.state not in (LifeState.NEW, LifeState.CLOSED):
            raise NotLoaded(self.name, self.state, "another start")
        self.state = LifeState.LOADING
        self.is_for_snapshot = is_for_snapshot
        self.ready, self.load_finished, self.serving = Milestone(), Milestone(), Milestone()
        self.timings.clear()
        self._closing = None
        for component in self._components:
            component.is_loaded = False

    async def _start(self, walk: Coroutine[Any, Any, None]) -> None:
        booting = self._own(walk)
        try:
            done, _ = await asyncio.wait({booting}, timeout=self._startup_timeout_s)
        except asyncio.CancelledError:
            await self.close()
            raise
        if not done:
            assert self._startup_timeout_s is not None
            component = self._walking.name if self._walking else self.name
            late = StartupTimedOut(self.name, component, self._step, self._startup_timeout_s)
            await self._fail(late)
            raise late
        if booting.cancelled():
            raise LifecycleClosed(self.name)
        if error := booting.exception():
            await self._fail(error)
            raise error
        self._own(self._serve())

    async def _fail(self, error: BaseException) -> None:
        for milestone in (self.ready, self.load_finished, self.serving):
            milestone.fail(error)
        await self.close()

    async def _walk_all(self) -> None:
        await self._walk(Phase.CONFIG_WILL_LOAD)
        await self._go_on()

    async def _walk_restored(self) -> None:
        await self._walk(Phase.AFTER_RESTORE)
        await self._go_on()

    async def _go_on(self) -> None:
        self.state = LifeState.STARTING
        await self._walk(Phase.CONFIG_DID_LOAD)
        if self._config is not None:
            pairs = " ".join(f"{key}={value}" for key, value in self._config().items())
            logger.info("%s is configured: %s", self.name, pairs)
        await self._load()
        await self._walk(Phase.DID_LOAD)
        await self._walk(Phase.WILL_READY)
        self.state = LifeState.READY
        self.ready.reach()

    async def _load_only(self) -> None:
        try:
            await self._load()
        except HookFailed as error:
            self.load_finished.fail(error)
            return
        self.state = LifeState.LOADED

    async def _load(self) -> None:
        for component in self._components:
            if not component.is_loaded:
                await self._run(component, LOAD)
                component.is_loaded = True
        self.load_finished.reach()

    async def _serve(self) -> None:
        """Begin to listen beside the `did_ready` hooks; neither holds readiness up."""
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._walk(Phase.DID_READY))
                both.create_task(self._walk(LISTEN))
            await self._walk(Phase.SERVER_DID_READY)
        except (HookFailed, BaseExceptionGroup) as raised:
            error = raised.exceptions[0] if isinstance(raised, BaseExceptionGroup) else raised
            logger.error("%s", error, exc_info=error.__cause__)
            self.serving.fail(error)
        else:
            self.state = LifeState.SERVING
            self.serving.reach()

    async def _walk(self, step: str, *, reverse: bool = False) -> None:
        components = [component for component in self._components if not _is_bare(component)]
        for component in reversed(components) if reverse else components:
            await self._run(component, step)

    async def _run(self, component: Component, step: str) -> None:
        self._walking, self._step = component, step
        try:
            await component.run(step)
        finally:
            if self._walking is component:
                self._walking = None
            self._step = ""

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=f"{self.name}: lifecycle")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _note(self, timing: HookTiming) -> None:
        self.timings.append(timing)
        level = logging.WARNING if timing.seconds > SLOW_HOOK_S else logging.DEBUG
        logger.log(level, "%s: %s took %.3f s", timing.component, timing.step, timing.seconds)

    # Close ---------------------------------------------------------------------------------------

    async def close(self) -> tuple[HookFailed, ...]:
        """Walk back: each component once, in reverse order, whatever fails on the way.

        Every caller waits for the same walk, and a caller that is cancelled does not stop it.

        Returns:
            What failed; each failure is logged too.
        """
        if self._closing is None:
            if self.state is LifeState.CLOSED:
                return ()
            self.state = LifeState.CLOSING
            loop = asyncio.get_running_loop()
            self._closing = loop.create_task(self._close(), name=f"{self.name}: close")
        if asyncio.current_task() is self._closing:
            return ()  # a close hook asks again for what it is part of
        return await asyncio.shield(self._closing)

    async def _close(self) -> tuple[HookFailed, ...]:
        await self._end_tasks()
        failures: list[HookFailed] = []
        for component in reversed(self._components):
            self._walking = component
            failures += await component.close()
        self._walking = None
        self._components = [each for each in self._components if not _is_bare(each)]
        self.state = LifeState.CLOSED
        closed = LifecycleClosed(self.name)
        for milestone in (self.ready, self.load_finished, self.serving):
            milestone.fail(closed)
        return tuple(failures)

    async def _end_tasks(self) -> None:
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            _, deaf = await asyncio.wait(tasks, timeout=CANCEL_GRACE_S)
            if deaf:
                waiting = ", ".join(self.waiting_for) or "a component"
                logger.error("%s does not end its start: %s", self.name, waiting)


def _is_bare(component: Component) -> bool:
    """Whether it only stands for a clean-up that no component registered."""
    return component.part is None
