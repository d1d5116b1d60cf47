"""`TaskContext`: what an ``async def`` handler is given."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar, overload

from roost.errors import BadInput
from roost.sdk.courier import Courier
from roost.sdk.outbox import ITEMS_KEPT, Item
from roost.sdk.reporter import Reporter
from roost.worker import journal
from roost.worker.claimed import Claimed
from roost.worker.earlier import EarlierEvent, earlier_events
from roost.worker.failures import StepFailed
from roost.worker.post import TaskPost
from roost.worker.submitting import Outcome, Submitted, Wish, look_at, pauses, submit_by
from roost.worker.telling import Telling
from roost.worker.threads import in_thread

UNHEARD_MOST = 10 * ITEMS_KEPT
"""So much may be told without waiting; a handler that tells more has to `drain`."""

P = ParamSpec("P")
T = TypeVar("T")


class TaskContext(Telling):
    """The run of an ``async def`` handler; its methods belong into the worker's event loop."""

    def __init__(
        self,
        claimed: Claimed,
        courier: Courier,
        reporter: Reporter,
        post: TaskPost,
        leaving: threading.Event,
        *,
        news: asyncio.Event,
        on_exchange: Callable[[], object],
    ) -> None:
        """Begin an attempt.

        Args:
            news: set by the worker whenever the daemon has answered.
            on_exchange: called in the loop when a report was made there.
        """
        super().__init__(claimed, courier, reporter, post, leaving)
        self._news = news
        self._on_exchange = on_exchange
        self._exchanges: set[asyncio.Task[None]] = set()
        """Under way; they go on when the handler is cancelled."""

    @overload
    async def step(
        self, name: str, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T: ...

    @overload
    async def step(
        self, name: str, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T: ...

    async def step(
        self, name: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Any:
        """Do a named step once: a later attempt is given what it returned.

        Its start is stored before the function runs and its result before `step` returns, so that
        a step which an earlier attempt had begun and not ended runs again; `was_interrupted` tells.
        The function is called in the event loop; one that blocks goes with
        ``ctx.step(name, asyncio.to_thread, function, ...)``.

        Args:
            name: unique within the run.
            function: an async function or an ordinary one.
            args: given to it.
            kwargs: given to it.

        Returns:
            What it returned, as JSON has it: a tuple comes back as a list.

        Raises:
            BadInput: the step has no name, or the name was used before.
            StepFailed: what the function returned is no JSON, or must not be stored.
            StopRequested, LeaseLost: the handler is to end.
        """
        self._check()
        memo = self._journal.open(name)
        if memo is not None:
            return memo.value
        self._note_interruption(name)
        await self._keep(journal.started(name))
        try:
            value = function(*args, **kwargs)
            if inspect.isawaitable(value):
                value = await value
            kept, item = journal.done(name, value)
        except Exception as error:
            self._tell(journal.failed(name, error))
            raise
        await self._store(name, item)
        return kept

    def emit(self, name: str, data: Any = None) -> None:
        """Tell an event of the task's own making: it is stored, then shown.

        Args:
            name: any but those of Roost itself, which are dropped with a warning.
            data: anything that is JSON.

        Raises:
            BadInput: it is none, or far more was told than the daemon could take; see `drain`.
            StopRequested, LeaseLost: the handler is to end.
        """
        self._put(self._emission(name, data))

    def progress(
        self, current: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Tell how far the work is; raises as `emit` does."""
        self._put(self._progress(current, total, message))

    def output(self, text: str) -> None:
        """Tell a line of output; raises as `emit` does."""
        self._check_room()
        self._say(text)

    def link(self, url: str) -> None:
        """Tell where the output lies; raises as `emit` does."""
        self._put(self._link(url))

    async def drain(self) -> None:
        """Wait until everything told is stored."""
        self._check()
        await self._until(lambda: self._courier.outbox.is_empty)

    async def earlier_events(self) -> tuple[EarlierEvent, ...]:
        """Return what earlier attempts told, oldest first, as far as it is kept."""
        self._check()
        detail = await in_thread(partial(self._post.run, self.run_id))
        return earlier_events(detail, self._claimed.lease.last_seq)

    async def submit(
        self,
        task: str,
        input: Any = None,
        *,
        scope: str | None = None,
        key: str | None = None,
        on_behalf: bool = False,
        anew: bool = False,
    ) -> Submitted:
        """Begin a run of a task as a child of this run, which a stop of this one stops too.

        Without `key` and `anew` the same task with the same input is the same run, whichever
        attempt asks for it; see `roost.submit`.
        """
        self._check()
        wish = Wish(task, input, scope, key, self.run_id, on_behalf, anew)
        return await in_thread(partial(submit_by, self._post, wish))

    async def wait(self, run: Submitted | str, *, timeout_s: float | None = None) -> Outcome:
        """Wait for the end of a run, such as a child.

        Raises:
            TimeoutError: it has not ended after `timeout_s` seconds.
            StopRequested, LeaseLost: the handler is to end.
        """
        run_id = run if isinstance(run, str) else run.run_id
        for pause_s in pauses(timeout_s, time.monotonic):
            self._check()
            outcome = await in_thread(partial(look_at, self._post, run_id))
            if outcome is not None:
                return outcome
            await asyncio.sleep(pause_s)
        raise TimeoutError(f"run {run_id} has not ended after {timeout_s} s")

    def _put(self, item: Item | None) -> None:
        self._check_room()
        if item is not None:
            self._tell(item)

    def _check_room(self) -> None:
        self._check()
        if self._courier.outbox.waiting >= UNHEARD_MOST:
            raise BadInput(
                f"run {self.run_id} tells more than the daemon takes: {UNHEARD_MOST} items wait; "
                "await ctx.drain() now and then"
            )

    async def _store(self, name: str, item: Item) -> None:
        try:
            await self._keep(item)
        except BadInput as error:
            raise StepFailed(name, error.message) from error

    async def _keep(self, item: Item) -> None:
        """Tell something and wait until it is stored."""
        self._courier.check()
        number = self._courier.tell(item, is_urgent=True)
        exchange = asyncio.create_task(self._exchange(), name=f"report of {self.run_id}")
        self._exchanges.add(exchange)
        exchange.add_done_callback(self._exchanges.discard)
        await asyncio.shield(exchange)
        await self._until(lambda: self._courier.outbox.has_arrived(number))

    async def _exchange(self) -> None:
        """Report at once from the loop, or let the thread of the reporter do it."""
        if await self._courier.exchange_in_loop(self._post.report_in_loop):
            self._on_exchange()
        if not self._courier.outbox.is_empty:
            self._reporter.wake()

    async def _until(self, holds: Callable[[], bool]) -> None:
        while True:
            self._news.clear()
            self._courier.check()
            if holds():
                return
            await self._news.wait()
