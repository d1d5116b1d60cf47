"""`Courier`: keeps the lease of one run and carries what it tells, in order, over any gap.

It blocks and starts nothing: a thread or a task calls `exchange` whenever one is due. The work
itself only appends to the outbox and reads what the courier has learnt.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from roost.errors import BadInput, DaemonUnreachable, RoostError, Unavailable
from roost.sdk.outbox import Batch, Item, Outbox
from roost.sdk.patience import FIRST_RETRY_S, LONGEST_RETRY_S
from roost.sdk.post import NotInLoop, Unheard

FLUSH_S = 0.05
"""What is told within this time goes in one report; people see it as immediate."""

STOP_NOTICE_S = 3.0
"""The longest silence: a stop waits 10 s, and the answer to a report is what tells of it."""

END_PATIENCE_S = 5.0
"""How long work that needs no report waits at its end for a daemon that is away."""


ReportInLoop = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Reports for a run, by its id, as `Reports.report` does; raises `NotInLoop` where it cannot."""


class Reports(Protocol):
    """Carries what is told of a run; `Post` does it for outside work."""

    def report(self, run_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Report and return the renewed lease."""
        ...

    def finish(self, run_id: str, body: dict[str, Any]) -> object:
        """Settle a run."""
        ...


@dataclass(frozen=True, slots=True)
class Lease:
    """What the daemon said last about the run."""

    run_id: str
    epoch: int
    stop_requested: bool
    last_seq: int
    step_count: int
    status: str

    @classmethod
    def read(cls, answer: dict[str, Any]) -> Lease:
        """Read an answer of the API.

        Raises:
            Unavailable: it is none.
        """
        try:
            run, epoch, stop = answer["run"], answer["epoch"], answer["stop_requested"]
            return cls(run["id"], epoch, stop, run["last_seq"], run["step_count"], run["status"])
        except (KeyError, TypeError):
            raise Unavailable(
                "what answers does not speak as a Roost daemon; is it another version?"
            ) from None


class Courier:
    """Reports for one run.

    Args:
        post: speaks to the daemon.
        lease: as it was taken.
        lease_s: how long it holds, in seconds.
        is_required: whether the work has to end when nobody can be told of it.
        keeps_lease: whether the lease is kept although a report was refused, so that the work can
            end for that reason and its run be settled.
    """

    def __init__(
        self,
        post: Reports,
        lease: Lease,
        *,
        lease_s: float,
        is_required: bool,
        keeps_lease: bool = False,
    ) -> None:
        self.lease = lease
        self.outbox = Outbox()
        self.failure: RoostError | None = None
        """Why nothing can be reported any more; the work hears of it at its next call."""
        self._post = post
        self._lease_s = lease_s
        self._is_required = is_required
        self._keeps_lease = keeps_lease
        self._refusal: BadInput | None = None
        self._urgent = 0
        """Number of the newest item that somebody waits for."""
        self._heartbeat_s = min(lease_s / 3, STOP_NOTICE_S)
        self._heard_at = time.monotonic()
        self._told_at: float | None = None
        """When the oldest item was told that waits; None for long ago."""
        self._retry_at: float | None = None
        self._retry_s = FIRST_RETRY_S
        self._doubtful: Batch | None = None
        """What may have arrived, although no answer came."""
        self._is_silent = False
        self._give_up_at = math.inf
        self._turn = threading.Lock()
        """Held by whoever exchanges: reports arrive in the order in which things were told."""

    @property
    def is_over(self) -> bool:
        """Whether nothing can be reported any more."""
        return self.failure is not None or self._is_silent

    def tell(self, item: Item, *, is_urgent: bool = False) -> int:
        """Take what the work tells, and return its number; `check` first.

        Args:
            item: what is told.
            is_urgent: whether the work waits until it has arrived.
        """
        if self._is_silent:
            return 0
        if self.outbox.is_empty:
            self._told_at = time.monotonic()
        number = self.outbox.put(item)
        if is_urgent:
            self._urgent = number
        return number

    def check(self) -> None:
        """Raise why nothing can be reported any more.

        Raises:
            LeaseLost, RoostUnreachable, or what the daemon refused a report with.
        """
        error = self.failure or self._refusal
        if error is not None:
            raise error

    def due_in(self) -> float | None:
        """Return in how many seconds an exchange is due; None for never."""
        if self.is_over:
            return None
        at = self._heard_at + self._heartbeat_s
        if self._retry_at is not None:
            at = self._retry_at
        elif not self.outbox.is_empty:
            is_awaited = not self.outbox.has_arrived(self._urgent)
            is_due = is_awaited or self._told_at is None
            at = 0.0 if is_due else min(at, (self._told_at or 0.0) + FLUSH_S)
        return max(0.0, at - time.monotonic())

    def exchange(self) -> None:
        """Report the oldest batch, or nothing to keep the lease; never raises."""
        if not self._turn.acquire(timeout=self._heartbeat_s):
            self._keep_lease_beside()
            return
        try:
            if self._doubtful is not None:
                self._clear_doubt(self._doubtful)
            else:
                self._report()
        except RoostError as error:
            self._failed(error)
        except Unheard as error:
            self._failed(error)
        finally:
            self._turn.release()

    async def exchange_in_loop(self, report: ReportInLoop) -> bool:
        """Do what `exchange` does from an event loop, if nobody else does so and nothing is amiss.

        Once it is begun it has to come to its end: shield it from what cancels the work.

        Args:
            report: makes the request.

        Returns:
            False when it is to be left to `exchange`; nothing has happened then.
        """
        if self.is_over or self._doubtful is not None or self._retry_at is not None:
            return False
        if not self._turn.acquire(blocking=False):
            return False
        batch = self.outbox.first()
        try:
            sent_at = time.monotonic()
            told = {"epoch": self.lease.epoch, **batch.body()}
            self._heard(await report(self.lease.run_id, told), sent_at)
            self._arrived(batch)
        except NotInLoop:
            return False
        except RoostError as error:
            self._failed(error)
        except Unheard as error:
            self._doubt(batch, error.may_have_arrived)
            self._failed(error)
        except BaseException:  # the loop ends, and a thread tells the rest
            self._doubt(batch, may_have_arrived=True)
            raise
        finally:
            self._turn.release()
        return True

    def finish(self, body: dict[str, Any], pause: Callable[[float], object] = time.sleep) -> None:
        """Report what is left and settle the run; see `end`.

        Args:
            body: status, error and result of the finishing request.
            pause: waits for some seconds.
        """
        self.end(lambda head: self._post.finish(self.lease.run_id, {**head, **body}), pause)

    def end(
        self,
        send: Callable[[dict[str, Any]], object],
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        """Report what is left and make the last request.

        Args:
            send: makes it; given the fields that show who holds the lease.
            pause: waits for some seconds.

        Raises:
            LeaseLost, RoostUnreachable, or what the daemon refused with.
        """
        if not self._is_required:
            self._give_up_at = time.monotonic() + END_PATIENCE_S
        while not self.is_over and not self.outbox.is_empty:
            self._exchange_when_allowed(pause)
        while not self.is_over:
            if self._is_sent(send):
                return
            self._wait_for_retry(pause)
        self.check()

    def _exchange_when_allowed(self, pause: Callable[[float], object]) -> None:
        self._wait_for_retry(pause)
        self.exchange()

    def _wait_for_retry(self, pause: Callable[[float], object]) -> None:
        if self._retry_at is not None:
            pause(max(0.0, self._retry_at - time.monotonic()))

    def _is_sent(self, send: Callable[[dict[str, Any]], object]) -> bool:
        try:
            send({"epoch": self.lease.epoch})
            return True
        except Unheard as error:
            self._failed(error)
        except RoostError as error:
            if self._keeps_lease and isinstance(error, BadInput):
                raise
            self._failed(error)
        return False

    def _report(self) -> None:
        batch = self.outbox.first()
        try:
            self._renew(batch.body())
        except Unheard as error:
            self._doubt(batch, error.may_have_arrived)
            raise
        self._arrived(batch)

    def _arrived(self, batch: Batch) -> None:
        self.outbox.drop(batch)
        if not batch.is_last:
            self._told_at = None  # there is enough for another report at once

    def _doubt(self, batch: Batch, may_have_arrived: bool) -> None:
        if may_have_arrived and batch.has_events:
            self._doubtful = batch

    def _keep_lease_beside(self) -> None:
        """Renew the lease while an event loop that is blocked has a report under way."""
        with suppress(RoostError, Unheard):  # whoever has the turn finds out
            self._post.report(self.lease.run_id, {"epoch": self.lease.epoch})

    def _clear_doubt(self, batch: Batch) -> None:
        """Ask without telling anything whether a batch has arrived."""
        before = self.lease
        self._renew({})
        self._doubtful = None
        has_stepped = self.lease.step_count > before.step_count
        has_more = self.lease.last_seq > before.last_seq
        if has_stepped if batch.steps else has_more:
            self.outbox.drop(batch)

    def _renew(self, told: dict[str, Any]) -> None:
        sent_at = time.monotonic()
        answer = self._post.report(self.lease.run_id, {"epoch": self.lease.epoch, **told})
        self._heard(answer, sent_at)

    def _heard(self, answer: dict[str, Any], sent_at: float) -> None:
        self.lease = Lease.read(answer)
        self._heard_at = self._told_at = sent_at
        self._retry_at, self._retry_s = None, FIRST_RETRY_S

    def _failed(self, error: RoostError | Unheard) -> None:
        if isinstance(error, Unheard | Unavailable):
            self._try_again(str(error))
        else:
            self._end(error)

    def _try_again(self, why: str) -> None:
        now = time.monotonic()
        if now >= min(self._heard_at + self._lease_s, self._give_up_at):
            self._end(_unreachable(self.lease.run_id, now - self._heard_at, why))
        self._retry_at = now + self._retry_s
        self._retry_s = min(self._retry_s * 2, LONGEST_RETRY_S)

    def _end(self, error: RoostError) -> None:
        if self._keeps_lease and isinstance(error, BadInput):
            self._refusal = error
        elif isinstance(error, DaemonUnreachable) and not self._is_required:
            self._is_silent = True
            say_unreported(error.message)
        else:
            self.failure = error
        self.outbox.clear()


_said_lock = threading.Lock()
_said: list[str] = []


def say_unreported(why: str) -> None:
    """Say on stderr, once in this process, that work goes on unreported."""
    with _said_lock:
        if not _said:
            _said.append(why)
            sys.stderr.write(f"roost: this work goes on unreported: {why}\n")


def _unreachable(run_id: str, silent_s: float, why: str) -> DaemonUnreachable:
    return DaemonUnreachable(
        f"the Roost daemon has not answered for run {run_id} for {silent_s:.1f} s ({why}); "
        "`roost status` tells whether it is alive"
    )
