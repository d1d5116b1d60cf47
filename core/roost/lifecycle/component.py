"""`Component`: one registered part of an app, its hooks and what it has to clean up."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from roost.errors import HookFailed, RoostError
from roost.lifecycle.phases import START_PHASES, Phase
from roost.lifecycle.tracebacks import log_with_traceback

logger = logging.getLogger(__name__)

Callback = Callable[[], Awaitable[None] | None]
"""A hook or a clean-up: sync or async, without arguments."""

LOAD = "load"
"""The step between `config_did_load` and `did_load`, walked in every mode."""

LISTEN = "listen"
"""The step in which a server begins to listen."""

current_component: ContextVar[Component | None] = ContextVar("current_component", default=None)
"""The component whose hook runs here; tasks that it starts inherit it."""

current_step: ContextVar[str] = ContextVar("current_step", default="")
"""The step of that hook."""


@dataclass(frozen=True, slots=True)
class HookTiming:
    """How long one hook took."""

    component: str
    step: str
    """The phase, or ``load``, ``listen`` or ``clean-up``."""
    seconds: float


class Component:
    """One part as the lifecycle sees it.

    Hooks are bound once, here: what is added to a loop or an interpreter and taken away again is
    the same object both times.

    Args:
        name: what errors and timings call it.
        part: any object; its methods named after phases are its hooks.
        note: told how long each hook took.
    """

    def __init__(self, name: str, part: object, note: Callable[[HookTiming], None]) -> None:
        self.name = name
        self.part = part
        self.is_loaded = False
        self._note = note
        steps = (*Phase, LOAD, LISTEN)
        self._hooks: dict[str, Callback] = {
            step: hook for step in steps if callable(hook := getattr(part, step, None))
        }
        self._completed: set[str] = set()
        self._has_passed_cut_off = False
        self._clean_ups: list[Callback] = []

    def has(self, step: str) -> bool:
        """Whether it hooks this step."""
        return step in self._hooks

    async def run(self, step: str) -> None:
        """Run its hook of one step, where it has one.

        Raises:
            HookFailed: the hook raised.
        """
        hook = self._hooks.get(step)
        if hook is not None:
            await self._timed(step, hook)
        if step in START_PHASES:
            self._has_passed_cut_off = True
            if hook is not None:
                self._completed.add(step)

    def add_clean_up(self, clean_up: Callback) -> None:
        """Run this when the component is closed, in reverse order, whatever was started."""
        self._clean_ups.append(clean_up)

    @property
    def is_started(self) -> bool:
        """Whether its start ran: one of its start hooks completed, or it needs none."""
        if any(phase in self._hooks for phase in START_PHASES):
            return bool(self._completed)
        return self._has_passed_cut_off

    def waiting_for(self) -> tuple[str, ...]:
        """Return what its step waits for, in its own words, or else its name."""
        say = getattr(self.part, "waiting_for", None)
        return (tuple(say()) if callable(say) else ()) or (self.name,)

    async def close(self) -> list[HookFailed]:
        """Close what was started, clean up what was registered, and return what failed."""
        steps: list[tuple[str, Callback]] = []
        if self.is_started and (before_close := self._hooks.get(Phase.BEFORE_CLOSE)):
            steps.append((Phase.BEFORE_CLOSE, before_close))
        steps += [("clean-up", clean_up) for clean_up in reversed(self._clean_ups)]
        self.forget_run()
        failures = []
        for step, callback in steps:
            try:
                await self._timed(step, callback)
            except HookFailed as failure:
                if isinstance(failure.__cause__, RoostError):
                    logger.error("%s", failure.message)
                failures.append(failure)
        return failures

    def forget_run(self) -> None:
        """Be as if nothing was ever started; what is loaded stays loaded."""
        self._completed.clear()
        self._clean_ups.clear()
        self._has_passed_cut_off = False

    async def _timed(self, step: str, callback: Callback) -> None:
        component_before, step_before = current_component.set(self), current_step.set(step)
        began = time.perf_counter()
        try:
            answer: Any = callback()
            if inspect.isawaitable(answer):
                await answer
        except asyncio.CancelledError as error:
            # It waited for something that was cancelled: nobody has cancelled this walk.
            if is_being_cancelled():
                raise
            raise self._failed(step, error) from error
        # An exit inside a task would end the loop under the components that are to be closed.
        except (Exception, SystemExit) as error:
            raise self._failed(step, error) from error
        finally:
            current_step.reset(step_before)
            current_component.reset(component_before)
            self._note(HookTiming(self.name, step, time.perf_counter() - began))

    def _failed(self, step: str, error: BaseException) -> HookFailed:
        """Make the error, and log where a bug is: who receives it has a sentence only."""
        failure = HookFailed(self.name, step, error)
        if not isinstance(error, RoostError):
            log_with_traceback(logger, failure.message, error)
        return failure


def is_being_cancelled() -> bool:
    """Say whether a `CancelledError` caught here is meant for the task that runs."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
