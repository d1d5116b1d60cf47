"""`Roster`: the components of one app in their order, and the steps that are walked with them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from roost.errors import HookFailed
from roost.lifecycle.component import LOAD, Callback, Component, HookTiming, current_component
from roost.lifecycle.phases import Phase

logger = logging.getLogger(__name__)

SLOW_HOOK_S = 5.0
"""A hook that took longer is logged by name: someone waits for this app."""


class Roster:
    """Walks steps, one component after the other.

    Args:
        check_goes_on: called before each component; raises where the walk is to end there.
    """

    def __init__(self, check_goes_on: Callable[[], None]) -> None:
        self.timings: list[HookTiming] = []
        self._check_goes_on = check_goes_on
        self._components: list[Component] = []
        self._in_progress: list[tuple[Component, str]] = []

    def add(self, name: str, part: object, hooks: dict[str, Callable[[], Any]]) -> Component:
        """Put a component at the end."""
        component = Component(name, SimpleNamespace(**hooks) if hooks else part, self._note)
        self._components.append(component)
        return component

    def add_clean_up(self, clean_up: Callback) -> None:
        """Give a clean-up to the component whose hook runs, or to one of its own."""
        component = current_component.get()
        if component is None or component not in self._components:
            component = self.add(getattr(clean_up, "__qualname__", "clean-up"), None, {})
        component.add_clean_up(clean_up)

    @property
    def waiting_for(self) -> tuple[str, ...]:
        """What the steps under way wait for, in words."""
        components = dict.fromkeys(component for component, _ in self._in_progress)
        return tuple(words for each in components for words in each.waiting_for())

    @property
    def in_progress(self) -> tuple[str, str] | None:
        """The component and the step that were begun last and are not over."""
        if not self._in_progress:
            return None
        component, step = self._in_progress[-1]
        return component.name, step

    def begin(self) -> None:
        """Be as new: nothing is loaded, nothing was timed."""
        self.timings.clear()
        for component in self._components:
            component.is_loaded = False

    async def walk(self, step: str, *, reverse: bool = False) -> None:
        """Run the hooks of one step.

        Raises:
            HookFailed: a component failed; those after it are left out.
        """
        components = [component for component in self._components if not _is_bare(component)]
        for component in reversed(components) if reverse else components:
            await self._run(component, step)

    async def load(self) -> None:
        """Load what is not loaded yet.

        Raises:
            HookFailed: a component failed; those after it are left out.
        """
        for component in self._components:
            if not component.is_loaded:
                await self._run(component, LOAD)
                component.is_loaded = True

    async def close(self) -> tuple[HookFailed, ...]:
        """Close each component once, in reverse order, and return what failed."""
        failures: list[HookFailed] = []
        for component in reversed(self._components):
            with self._progress(component, Phase.BEFORE_CLOSE):
                failures += await component.close()
        self._components = [each for each in self._components if not _is_bare(each)]
        return tuple(failures)

    async def _run(self, component: Component, step: str) -> None:
        self._check_goes_on()
        with self._progress(component, step):
            await component.run(step)

    @contextmanager
    def _progress(self, component: Component, step: str) -> Iterator[None]:
        # Servers begin to listen beside the `did_ready` hooks, so there may be two.
        self._in_progress.append((component, step))
        try:
            yield
        finally:
            self._in_progress.remove((component, step))

    def _note(self, timing: HookTiming) -> None:
        self.timings.append(timing)
        level = logging.WARNING if timing.seconds > SLOW_HOOK_S else logging.DEBUG
        logger.log(level, "%s: %s took %.3f s", timing.component, timing.step, timing.seconds)


def _is_bare(component: Component) -> bool:
    """Whether it only stands for a clean-up that no component registered."""
    return component.part is None
