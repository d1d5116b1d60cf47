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
from typing import Any, TypeVar

from roost.errors import (
    ClientRefused,
    HookFailed,
    LifecycleClosed,
    NotLoaded,
    StartupTimedOut,
)
from roost.lifecycle.clients import enter
from roost.lifecycle.component import (
    LISTEN,
    LOAD,
    Callback,
    Component,
    HookTiming,
    current_component,
    current_step,
)
from roost.lifecycle.milestone import Milestone
from roost.lifecycle.phases import LifeState, Phase
from roost.lifecycle.roster import Roster

logger = logging.getLogger(__name__)

T = TypeVar("T")

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
        when_closing: called once as a close begins, whoever asked for it.
    """

    def __init__(
        self,
        name: str,
        *,
        startup_timeout_s: float | None = None,
        config: Callable[[], Mapping[str, object]] | None = None,
        when_closing: Callable[[], None] | None = None,
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
        self._startup_timeout_s = startup_timeout_s
        self._config = config
        self._when_closing = when_closing
        self._roster = Roster(self._check_goes_on)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing: asyncio.Task[None] | None = None
        self._failures: tuple[HookFailed, ...] = ()

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
        return self._roster.add(name, part, hooks)

    def on_close(self, clean_up: Callback) -> bool:
        """Run this at close, in every mode, in reverse order of registration.

        Called from a hook it is closed with its component, after that one's `before_close`.

        Returns:
            False when the app is closing already; the caller cleans up itself.
        """
        if self.is_closing:
            return False
        self._roster.add_clean_up(clean_up)
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
        return self._roster.waiting_for

    @property
    def timings(self) -> list[HookTiming]:
        """How long each hook of the present run took, in the order in which they ended."""
        return self._roster.timings

    def check_may_open_client(self) -> None:
        """Refuse a connection that a copy of the loaded app would share.

        Raises:
            ClientRefused: the app is loading; names the component and the phase to use.
            LifecycleClosed: the app is closing.
        """
        if self.is_closing:
            raise LifecycleClosed(self.name)
        is_loading = current_step.get() == LOAD and not self.load_finished.is_settled
        if self.state not in _OPEN_STATES or is_loading:
            component = current_component.get()
            raise ClientRefused(component.name if component else self.name)

    async def open_client(
        self, manager: AbstractAsyncContextManager[T] | AbstractContextManager[T]
    ) -> T:
        """Enter a client's context manager and leave it when the component is closed.

        Raises:
            ClientRefused: the app is loading, or not started.
            LifecycleClosed: it is closing, or began to while the client was opened; the client is
                closed too.
        """
        self.check_may_open_client()
        entered, leave = await enter(manager)
        if not self.on_close(leave):
            await leave()
            raise LifecycleClosed(self.name)
        return entered

    # Start ---------------------------------------------------------------------------------------

    async def boot(self) -> None:
        """Walk to ready; servers and what follows readiness go on by themselves.

        What fails after readiness is raised by `serving`; whoever waits for it closes the app.

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
            HookFailed: a `config_will_load` hook failed; the app is closed again. What fails later
                is raised by `load_finished`, and the close begins by itself.
            LifecycleClosed: it was closed meanwhile.
        """
        self._begin(is_for_snapshot=True)
        try:
            await self._follow(self._roster.walk(Phase.CONFIG_WILL_LOAD))
        except HookFailed as error:
            await self._fail(error)
            raise
        self.ready.reach()
        self._own(self._load_only())

    async def freeze(self) -> None:
        """Run every `before_snapshot` hook, in reverse order.

        Raises:
            NotLoaded: the app is not loaded for a snapshot.
            HookFailed: a hook failed. The state stays as it was: what was frozen before can still
                be restored.
            LifecycleClosed: it was closed meanwhile.
        """
        if self.state not in (LifeState.LOADED, LifeState.FROZEN):
            raise NotLoaded(self.name, self.state, "a snapshot")
        await self._follow(self._roster.walk(Phase.BEFORE_SNAPSHOT, reverse=True))
        self.state = LifeState.FROZEN

    async def restore(self) -> None:
        """Run every `after_restore` hook in order and go on with the boot, up to ready.

        Raises:
            NotLoaded: nothing is frozen.
            HookFailed: a hook failed; the app is closed.
            StartupTimedOut: as for `boot`.
            LifecycleClosed: it was closed meanwhile.
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
        if self._tasks:  # a hook that was cancelled by the close goes on all the same
            raise NotLoaded(self.name, "not at its end yet", "another start")
        self.state = LifeState.LOADING
        self.is_for_snapshot = is_for_snapshot
        self.ready, self.load_finished, self.serving = Milestone(), Milestone(), Milestone()
        self._roster.begin()

    async def _start(self, walk: Coroutine[Any, Any, None]) -> None:
        try:
            is_in_time = await self._follow(walk, self._startup_timeout_s)
        except LifecycleClosed:
            raise
        except Exception as error:
            await self._fail(error)
            raise
        if not is_in_time:
            late = self._late()
            await self._fail(late)
            raise late
        self._own(self._serve())

    async def _follow(
        self, walk: Coroutine[Any, Any, None], timeout_s: float | None = None
    ) -> bool:
        """Wait for a walk in a task of its own, which a close cancels.

        Returns:
            False when it is still going on after `timeout_s` seconds.
        """
        task = self._own(walk)
        try:
            done, _ = await asyncio.wait({task}, timeout=timeout_s)
        except asyncio.CancelledError:
            await self.close()
            raise
        if done and not task.cancelled() and (error := task.exception()):
            raise error
        # The close may have begun in the very moment in which the walk ended.
        if self.is_closing or (done and task.cancelled()):
            raise LifecycleClosed(self.name)
        return bool(done)

    def _late(self) -> StartupTimedOut:
        assert self._startup_timeout_s is not None
        component, step = self._roster.in_progress or (self.name, "its start")
        return StartupTimedOut(self.name, component, step, self._startup_timeout_s)

    async def _fail(self, error: BaseException) -> None:
        for milestone in (self.ready, self.load_finished, self.serving):
            milestone.fail(error)
        await self.close()

    async def _walk_all(self) -> None:
        await self._roster.walk(Phase.CONFIG_WILL_LOAD)
        await self._go_on()

    async def _walk_restored(self) -> None:
        await self._roster.walk(Phase.AFTER_RESTORE)
        await self._go_on()

    async def _go_on(self) -> None:
        self._enter(LifeState.STARTING)
        await self._roster.walk(Phase.CONFIG_DID_LOAD)
        if self._config is not None:
            pairs = " ".join(f"{key}={value}" for key, value in self._config().items())
            logger.info("%s is configured: %s", self.name, pairs)
        await self._roster.load()
        self.load_finished.reach()
        await self._roster.walk(Phase.DID_LOAD)
        await self._roster.walk(Phase.WILL_READY)
        self._enter(LifeState.READY)
        self.ready.reach()

    async def _load_only(self) -> None:
        try:
            await self._roster.load()
        except HookFailed as error:
            self.load_finished.fail(error)
            self._begin_close()
            return
        self._enter(LifeState.LOADED)
        self.load_finished.reach()

    async def _serve(self) -> None:
        """Begin to listen beside the `did_ready` hooks; neither holds readiness up."""
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._roster.walk(Phase.DID_READY))
                both.create_task(self._roster.walk(LISTEN))
            await self._roster.walk(Phase.SERVER_DID_READY)
        except (HookFailed, BaseExceptionGroup) as raised:
            error = raised.exceptions[0] if isinstance(raised, BaseExceptionGroup) else raised
            self.serving.fail(error)
        else:
            self._enter(LifeState.SERVING)
            self.serving.reach()

    def _enter(self, state: LifeState) -> None:
        self._check_goes_on()
        self.state = state

    def _check_goes_on(self) -> None:
        """End a walk that goes on although the close has cancelled it: a hook did not listen."""
        if self.is_closing:
            raise asyncio.CancelledError

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=f"{self.name}: lifecycle")
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # a walk that outlived its close has nobody left to tell

    # Close ---------------------------------------------------------------------------------------

    async def close(self) -> tuple[HookFailed, ...]:
        """Walk back: each component once, in reverse order, whatever fails on the way.

        Every caller waits for the same walk, and a caller that is cancelled does not stop it.

        Returns:
            What failed; each failure is logged too.
        """
        if self.state is LifeState.CLOSED:
            return self._failures
        closing = self._begin_close()
        if asyncio.current_task() is closing:
            return ()  # a close hook asks again for what it is part of
        await asyncio.shield(closing)
        return self._failures

    def _begin_close(self) -> asyncio.Task[None]:
        if self._closing is None:
            self.state = LifeState.CLOSING
            loop = asyncio.get_running_loop()
            self._closing = loop.create_task(self._close(), name=f"{self.name}: close")
            if self._when_closing is not None:
                self._when_closing()
        return self._closing

    async def _close(self) -> None:
        await self._end_tasks()
        self._failures, self._closing = await self._roster.close(), None
        self.state = LifeState.CLOSED
        closed = LifecycleClosed(self.name)
        for milestone in (self.ready, self.load_finished, self.serving):
            milestone.fail(closed)

    async def _end_tasks(self) -> None:
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            _, deaf = await asyncio.wait(tasks, timeout=CANCEL_GRACE_S)
            if deaf:
                waiting = ", ".join(self.waiting_for) or "a component"
                logger.error("%s does not end its start: %s", self.name, waiting)
