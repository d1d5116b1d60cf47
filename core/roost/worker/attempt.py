"""`Attempt`: one attempt at a run, from its claim to its end."""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from contextlib import suppress
from functools import partial
from typing import Any

from roost.errors import BadInput, RoostError
from roost.sdk.courier import Courier
from roost.sdk.endings import ending_of
from roost.sdk.reporter import Reporter
from roost.sdk.request import check_json
from roost.worker.claimed import Claimed
from roost.worker.context import TaskContext
from roost.worker.declare import Task
from roost.worker.post import TaskPost
from roost.worker.sync_context import SyncTaskContext
from roost.worker.threads import Ended, awaited, ended_in_thread, in_thread

STOP_PATIENCE_S = 3.0
"""How long an async handler may not look for a stop before it is cancelled: with the heartbeat
before it, half of what a stop waits."""

CANCEL_S = 0.5
"""How long a cancelled handler may clean up when its worker ends."""


class Attempt:
    """One claimed run and its handler.

    The lease is kept by a thread of its own, from the claim until the handler has ended, whatever
    the handler does: work in a thread may be silent for hours. What an event loop that is blocked
    means for it, `LoopWatch` says. Once the lease is lost the handler hears of it at its next call;
    an async one is cancelled. Nothing is told for the run any more.

    Args:
        claimed: the run.
        task: what it is a run of.
        post: speaks to the daemon.
        leaving: set once the worker is to end.
    """

    def __init__(
        self, claimed: Claimed, task: Task, post: TaskPost, leaving: threading.Event
    ) -> None:
        self._task = task
        self._post = post
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._courier = Courier(
            post, claimed.lease, lease_s=claimed.lease_s, is_required=True, keeps_lease=True
        )
        self._reporter = Reporter(self._courier, self._tell_loop)
        self._context = self._made(claimed, leaving)
        self._handler = asyncio.create_task(self._handled(claimed), name=f"run {self.run_id}")
        self._is_stop_timed = self._is_handed_back = self._is_released = False

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._courier.lease.run_id

    async def work(self) -> None:
        """Wait for the handler's end and tell it; never raises for what the handler does."""
        await asyncio.wait({self._handler})
        ended: Ended[Any] = Ended(error=asyncio.CancelledError())
        if not self._handler.cancelled():
            ended = self._handler.result()
        if self._is_released:
            return
        if self._courier.failure is not None:
            await in_thread(self._reporter.close)
            self._say(f"is lost to this worker: {self._courier.failure}")
        elif self._is_handed_back and isinstance(ended.error, asyncio.CancelledError):
            await self._release()
        else:
            await self._end(ended)

    async def hand_back(self, working: asyncio.Task[None]) -> None:
        """Give the run back, unless its handler ends by being told so.

        Args:
            working: does `work`.
        """
        self._is_handed_back = True
        if self._task.is_async:
            self._handler.cancel()
            await asyncio.wait({self._handler}, timeout=CANCEL_S)
        if self._handler.done():
            await asyncio.wait({working})
        else:
            await self._release()

    def _made(self, claimed: Claimed, leaving: threading.Event) -> TaskContext | SyncTaskContext:
        parts = claimed, self._courier, self._reporter, self._post, leaving
        if not self._task.is_async:
            return SyncTaskContext(*parts)
        return TaskContext(*parts, news=self._news, on_exchange=self._look)

    async def _handled(self, claimed: Claimed) -> Ended[Any]:
        work = partial(self._task.handler, self._context, claimed.input)
        if self._task.is_async:
            return await awaited(work)
        return await ended_in_thread(work, f"roost-{self.run_id}")

    def _tell_loop(self) -> None:
        with suppress(RuntimeError):  # the loop has closed
            self._loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        """See what the daemon has answered."""
        self._news.set()
        if self._courier.failure is not None:
            self._cut()
        elif self._courier.lease.stop_requested and not self._is_stop_timed:
            self._is_stop_timed = True
            self._loop.call_later(STOP_PATIENCE_S, self._stop_unless_seen)

    def _stop_unless_seen(self) -> None:
        if not self._context.has_seen_stop:
            self._context.has_seen_stop = True
            self._cut()

    def _cut(self) -> None:
        if self._task.is_async:
            self._handler.cancel()

    async def _end(self, ended: Ended[Any]) -> None:
        if isinstance(ended.error, Exception):
            _show(self.run_id, self._task.name, ended.error)
        try:
            await in_thread(partial(self._finish, ended))
        except RoostError as error:
            self._say(f"was not settled: {error.message}")

    def _finish(self, ended: Ended[Any]) -> None:
        self._reporter.close()
        try:
            self._courier.finish(self._ending(ended))
        except BadInput as refused:
            self._courier.finish(self._ending(Ended(error=refused)))

    def _ending(self, ended: Ended[Any]) -> dict[str, Any]:
        error = ended.error or self._objection(ended.value)
        ending = ending_of(error, has_seen_stop=self._context.has_seen_stop)
        return {
            **ending.body(),
            "result": ended.value if error is None else None,
            "is_transient": ending.status == "failed" and is_transient(error, self._task.transient),
        }

    def _objection(self, result: object) -> BadInput | None:
        """Return why an ordinary end is none: the result, or something that was told before."""
        try:
            self._courier.check()
            check_json("result", result)
        except BadInput as refused:
            return refused
        return None

    async def _release(self) -> None:
        self._is_released = True
        try:
            await in_thread(self._give_back)
        except RoostError as error:
            self._say(f"was not given back: {error.message}")

    def _give_back(self) -> None:
        self._reporter.close()
        body = {"sentence": "its worker was asked to end"}
        self._courier.end(lambda head: self._post.release(self.run_id, {**head, **body}))

    def _say(self, what: str) -> None:
        sys.stderr.write(f"roost: run {self.run_id} of {self._task.name} {what}\n")


def is_transient(error: BaseException | None, kinds: tuple[type[Exception], ...]) -> bool:
    """Say whether an error, or every one of a group, is of a kind declared transient."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_transient(each, kinds) for each in error.exceptions)
    return isinstance(error, kinds)


def _show(run_id: str, task: str, error: Exception) -> None:
    """Write an error of the handler to the worker's log, without the way that led to it."""
    found = error.__traceback__
    while found is not None and _is_ours(found.tb_frame.f_globals.get("__name__")):
        found = found.tb_next
    lines = traceback.format_exception(type(error), error, found)
    sys.stderr.write(f"roost: run {run_id} of {task} failed\n{''.join(lines)}")


def _is_ours(module: object) -> bool:
    return str(module).startswith("roost.worker.")
