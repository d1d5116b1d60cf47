"""`Warmth`: keeps one bundle's template alive while it is of use.

A template that ends by itself is made again in the background, and after the third loss within ten
minutes for a while only for starts that insist, which the supervisor tries ever more seldom. One
that nothing was started from for long is ended: its memory is worth more than the next start's
time. One that serves a single start is followed by another one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from roost.clock import Clock
from roost.errors import RoostError, TemplateFailed
from roost.snapshots.backend import Template
from roost.snapshots.decide import Readiness

LOSSES = 3
"""After the first, accident is likely; after the third it is the bundle."""

LOSS_WINDOW_S = 600.0
"""Losses further apart are counted alone; as long a bundle that lost three is left cold."""

SETTLE_S = 1.0
"""From the use of a template that serves one start until the next is loaded: the app's own start
needs the processor first."""

_CLOSING = "close the template of"

logger = logging.getLogger(__name__)


class Warmth:
    """The template of one bundle, which may be there or not.

    Args:
        label: the bundle, for the log.
        open_template: makes it, or raises `RoostError`. `TemplateFailed` counts as a loss.
        clock: for idle times and losses.
        gate: limits how many templates of all bundles are made at the same time.
        idle_s: seconds after the newest use at which it is ended.
        on_change: told whenever it came or went.
    """

    def __init__(
        self,
        label: str,
        open_template: Callable[[], Awaitable[Template]],
        *,
        clock: Clock,
        gate: asyncio.Semaphore,
        idle_s: float,
        on_change: Callable[[], None],
    ) -> None:
        self._label = label
        self._open_template = open_template
        self._clock = clock
        self._gate = gate
        self._idle_s = idle_s
        self._on_change = on_change
        self._template: Template | None = None
        self._opening: asyncio.Task[Template] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._used_at = 0.0
        self._lost_at: list[float] = []
        self.trouble: str | None = None
        """Why it is not there, unless nobody needed it."""

    @property
    def template(self) -> Template | None:
        """The living one that a start can use."""
        template = self._template
        return None if template is None or template.is_spent else template

    @property
    def readiness(self) -> Readiness:
        """How near it is."""
        if self.template is not None:
            return Readiness.WARM
        return Readiness.GIVEN_UP if self._has_given_up() else Readiness.LOADING

    def adopt(self, template: Template) -> None:
        """Take over a template that somebody else made; an earlier one is closed.

        Losses of the earlier one are forgotten.
        """
        self._lost_at.clear()
        self._let_go()
        self._take(template)

    def use(self) -> Template | None:
        """Return the living one and count this as a use; None begins to make it."""
        self._used_at = self._clock.monotonic()
        if self.template is None:
            self.begin()
        return self.template

    def begin(self, *, insists: bool = False) -> None:
        """Make it in the background, unless it is there, under way, or given up.

        Args:
            insists: whether to make it though it was given up.
        """
        is_wanted = insists or not self._has_given_up()
        if self.template is None and self._opening is None and is_wanted:
            self._opening = self._own(self._open(), "load the template of")
            self._opening.add_done_callback(lambda _: self._opened())

    async def wait(self, *, insists: bool = False) -> Template:
        """Return it, made first where it is not there.

        Args:
            insists: whether to make it though it was given up.

        Raises:
            RoostError: it cannot be made; the sentence says why.
        """
        template = self.use()
        if template is not None:
            return template
        self.begin(insists=insists)
        opening = self._opening
        if opening is None:
            raise TemplateFailed(self.trouble or "its template was given up for a while")
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            if not opening.cancelled():  # the caller was
                raise
        raise TemplateFailed("its template was ended while it was loaded")

    def lose(self, template: Template, why: str) -> None:
        """Count a template as lost that does not do its work, and make another one."""
        if template is self._template and not template.is_spent:
            self._let_go()
            self._count_loss(why)
            self.begin()

    def rest(self) -> None:
        """Begin to end the template and whatever goes on about it; a later use makes it again."""
        self._let_go()
        for task in self._tasks:
            if not task.get_name().startswith(_CLOSING):
                task.cancel()

    async def drop(self) -> None:
        """End the template and whatever goes on about it; it can be made again."""
        while self._template is not None or self._tasks:
            self.rest()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _open(self) -> Template:
        async with self._gate:
            template = await self._open_template()
        if self.template is not None:  # a build was faster
            self._own(template.close(), _CLOSING)
            return self.template
        self._let_go()
        self._take(template)
        return template

    def _opened(self) -> None:
        opening, self._opening = self._opening, None
        if opening is None or opening.cancelled():
            return
        error = opening.exception()
        if isinstance(error, RoostError) and not isinstance(error, TemplateFailed):
            self.trouble = error.message  # there is nothing to make it from, so nothing was lost
            self._on_change()
        elif error is not None:
            self._count_loss(str(error) or type(error).__name__)
            self.begin()

    def _take(self, template: Template) -> None:
        self._template = template
        self.trouble = None
        self._used_at = self._clock.monotonic()
        self._own(self._keep(template), "keep the template of")
        self._on_change()

    async def _keep(self, template: Template) -> None:
        """Wait until the template ends by itself or was not used for too long."""
        gone = asyncio.ensure_future(template.wait_gone())
        try:
            if template.is_lasting:
                await gone
            else:
                await self._idle_away(template, gone)
        finally:
            gone.cancel()
            with suppress(asyncio.CancelledError):
                await gone
        if template.is_spent:
            await self._follow(template)
        elif gone.done() and not gone.cancelled():
            self.lose(template, gone.result())
        elif template is self._template:
            self._let_go()

    async def _follow(self, template: Template) -> None:
        """Make another one in the place of one that is used up."""
        if template is self._template:
            self._let_go()
        await self._clock.sleep(SETTLE_S)
        self.begin()

    async def _idle_away(self, template: Template, gone: asyncio.Future[str]) -> None:
        """Wait until it has ended, is not the one in use, or was not used for too long."""
        while template is self._template and not gone.done() and (left := self._idle_left()) > 0:
            await self._ended_within(gone, left)

    async def _ended_within(self, gone: asyncio.Future[str], seconds: float) -> None:
        idle = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            either: set[asyncio.Future[Any]] = {gone, idle}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            idle.cancel()

    def _idle_left(self) -> float:
        return self._used_at + self._idle_s - self._clock.monotonic()

    def _let_go(self) -> None:
        """Stop using the template at once; it is closed in the background."""
        template, self._template = self._template, None
        if template is not None:
            self._own(template.close(), _CLOSING)
            self._on_change()

    def _count_loss(self, why: str) -> None:
        self.trouble = why
        self._lost_at.append(self._clock.monotonic())
        logger.warning("the template of %s was lost: %s", self._label, why)
        self._on_change()

    def _has_given_up(self) -> bool:
        since = self._clock.monotonic() - LOSS_WINDOW_S
        self._lost_at = [at for at in self._lost_at if at > since]
        return len(self._lost_at) >= LOSSES

    def _own(self, work: Coroutine[Any, Any, Any], what: str) -> asyncio.Task[Any]:
        task = asyncio.create_task(work, name=f"{what} {self._label}")
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, RoostError):
            logger.error("could not %s", task.get_name(), exc_info=error)
