"""`Worker`: claims runs, lets their handlers do them, and leaves in order."""

from __future__ import annotations

import asyncio
import math
import signal
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from typing import Any

from roost.errors import RoostError, Unavailable
from roost.sdk.patience import FIRST_RETRY_S, LONGEST_RETRY_S, patiently
from roost.sdk.post import Line, Unheard
from roost.worker.attempt import Attempt
from roost.worker.claimed import Claimed
from roost.worker.declare import Offer
from roost.worker.loop_watch import LoopWatch, end_blocked, say_blocked
from roost.worker.post import TaskPost
from roost.worker.threads import in_thread

LEAVE_GRACE_S = 3.0
"""How long handlers may go on once the worker is to end: a stop is followed by a KILL after 5 s by
default, and handing the rest back needs some of them."""

HAND_BACK_S = 1.5
"""How long handing back may take; who is not done by then is recovered by the daemon."""

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Worker:
    """One process that does the runs of the tasks it offers.

    Args:
        post: speaks to the daemon, with the token of this process.
        offer: what its module declares.
        slots: runs it does at a time.
        grace_s: how long handlers may go on once it is to end.
        is_dev: whether a blocked event loop is only told: somebody may be stepping through it.
    """

    def __init__(
        self,
        post: TaskPost,
        offer: Offer,
        *,
        slots: int,
        grace_s: float = LEAVE_GRACE_S,
        is_dev: bool = False,
    ) -> None:
        self._post = post
        self._offer = offer
        self._slots = slots
        self._grace_s = grace_s
        self._is_dev = is_dev
        self._leaving = threading.Event()
        self._attempts: dict[asyncio.Task[None], Attempt] = {}
        self._line = Line()
        self._left_at = math.inf
        self.has_left_work = False
        """Whether runs were handed back: threads of them may still be at work."""

    async def work(self) -> None:
        """Do runs until a signal or `leave` asks for the end.

        Raises:
            RoostError: the daemon refuses this worker.
        """
        self._changed = asyncio.Event()
        self._own_signals()
        watch = LoopWatch(say_blocked if self._is_dev else end_blocked)
        try:
            await self._say_hello()
            await self._claim_all()
        finally:
            await self._let_go()
            watch.close()

    def leave(self) -> None:
        """Claim nothing more and end; call it in the event loop."""
        if not self._leaving.is_set():
            self._leaving.set()
            self._left_at = time.monotonic()
        self._changed.set()
        self._cut_if_idle()

    def _cut_if_idle(self) -> None:
        """End the claim under way, unless it might take what is about to be handed back."""
        if self._leaving.is_set() and not self._attempts:
            self._line.cut()

    def _own_signals(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in STOP_SIGNALS:
                asyncio.get_running_loop().add_signal_handler(number, self.leave)

    async def _say_hello(self) -> None:
        hello = self._offer.hello(self._slots)
        view = await in_thread(lambda: patiently(lambda: self._post.hello(hello), "the worker"))
        for warning in view["warnings"]:
            sys.stderr.write(f"roost: {warning}\n")

    # Claiming -----------------------------------------------------------------------------------

    async def _claim_all(self) -> None:
        retry_s = FIRST_RETRY_S
        while not self._leaving.is_set():
            self._changed.clear()
            free = self._slots - len(self._attempts)
            try:
                await (self._claim(free) if free > 0 else self._changed.wait())
                retry_s = FIRST_RETRY_S
            except (Unheard, Unavailable):
                await self._pause(retry_s)
                retry_s = min(retry_s * 2, LONGEST_RETRY_S)

    async def _claim(self, free: int) -> None:
        self._line = Line()
        if self._leaving.is_set():
            return
        for told in await in_thread(partial(self._post.claim, free, self._line), "roost-claim"):
            await self._take(told)

    async def _take(self, told: dict[str, Any]) -> None:
        claimed = Claimed.read(told)
        task = self._offer.tasks.get(claimed.task)
        if task is None or self._leaving.is_set():
            await self._decline(claimed)
            return
        attempt = Attempt(claimed, task, self._post, self._leaving)
        working = asyncio.create_task(attempt.work(), name=f"attempt at {claimed.lease.run_id}")
        self._attempts[working] = attempt
        working.add_done_callback(self._is_done)

    async def _decline(self, claimed: Claimed) -> None:
        body = {"epoch": claimed.lease.epoch, "sentence": "its worker was asked to end"}
        work = partial(self._post.release, claimed.lease.run_id, body)
        with suppress(RoostError, Unheard):  # the daemon recovers it once this process has ended
            await in_thread(work)

    def _is_done(self, working: asyncio.Task[None]) -> None:
        self._attempts.pop(working)
        self._changed.set()
        self._cut_if_idle()
        if not working.cancelled() and working.exception() is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "an attempt broke", "exception": working.exception()}
            )

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)

    # Leaving ------------------------------------------------------------------------------------

    async def _let_go(self) -> None:
        """Let handlers end that do so in time, and hand the runs of the others back."""
        self.leave()
        working = dict(self._attempts)
        if not working:
            return
        grace_s = max(0.0, self._left_at + self._grace_s - time.monotonic())
        _, left = await asyncio.wait(working, timeout=grace_s)
        if not left:
            return
        backs = [asyncio.create_task(working[each].hand_back(each)) for each in left]
        await asyncio.wait(backs, timeout=HAND_BACK_S)
        self.has_left_work = True
