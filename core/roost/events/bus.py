"""`EventBus` numbers changes and hands them to bounded subscriptions.

Publishing is synchronous: a change is numbered and queued in one step, so the order viewers see is
the order in which the state changed. A subscription registers and takes its snapshot in one step
too, so it can neither miss nor repeat a change. A reader that falls behind loses its queue and gets
a fresh snapshot instead, which tells how many changes it missed; publishers never wait for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Self

from roost.models import Change, ChangeBody, Closing, EngineEvent, EngineState, Snapshot

QUEUE_LIMIT = 2000
"""Changes a reader may be behind before it is given a fresh snapshot."""

HISTORY_LIMIT = 2000
"""Changes kept for readers that come back with the id of the last event they saw."""

LONGEST_REVISION = 18
"""Digits of a revision; a longer one was never given out, and `int` refuses very long ones."""


class EventBus:
    """Numbers changes and hands them out.

    Args:
        start_id: unique per daemon start; the first half of every event id.
        take_state: returns the present state for a snapshot, synchronously.
    """

    def __init__(
        self,
        start_id: str,
        take_state: Callable[[], EngineState],
        *,
        queue_limit: int = QUEUE_LIMIT,
    ) -> None:
        self.start_id = start_id
        self._take_state = take_state
        self._queue_limit = queue_limit
        self._revision = 0
        self._history: deque[Change] = deque(maxlen=HISTORY_LIMIT)
        self._subscriptions: set[Subscription] = set()
        self._closing: Change | None = None
        self._closed = asyncio.Event()

    @property
    def revision(self) -> int:
        """Number of the newest change."""
        return self._revision

    @property
    def viewers(self) -> int:
        """How many subscriptions are open."""
        return len(self._subscriptions)

    def publish(self, body: ChangeBody) -> None:
        """Number a change and queue it for every subscription; dropped after `close`."""
        if self._closing is not None:
            return
        self._revision += 1
        change = Change(self._revision, body)
        self._history.append(change)
        for subscription in self._subscriptions:
            subscription._offer(change)

    def close(self, reason: str) -> None:
        """Send the closing notice to every viewer; later subscribers get it at once."""
        if self._closing is not None:
            return
        self.publish(Closing(reason))
        self._closing = self._history[-1]
        self._closed.set()

    @property
    def closing(self) -> Closing | None:
        """The closing notice, once it was sent."""
        body = self._closing.body if self._closing is not None else None
        return body if isinstance(body, Closing) else None

    async def wait_closed(self) -> None:
        """Wait for the closing notice without reading the changes before it."""
        await self._closed.wait()

    def subscribe(self, last_seen: str | None = None) -> Subscription:
        """Open a subscription.

        Args:
            last_seen: id of the last event a returning reader saw, ``START.REVISION``. When every
                later change is still at hand the snapshot is left out; when some are not, the
                snapshot tells how many. Anything malformed, or of another daemon start, counts as
                absent.
        """
        seen = self._revision_of(last_seen)
        subscription = Subscription(self, self._queue_limit, seen)
        backlog = None if seen is None else self._changes_after(seen)
        if backlog is None:
            subscription._reset()
        else:
            for change in backlog:
                subscription._offer(change)
        if self._closing is not None and (not backlog or backlog[-1] is not self._closing):
            subscription._offer(self._closing)
        self._subscriptions.add(subscription)
        return subscription

    def _snapshot(self, seen: int | None) -> Snapshot:
        """Take the present state for a reader that has seen this revision, or none yet."""
        # The notice is an event of its own behind every snapshot, so it is never part of one.
        revision = self._revision - (self._closing is not None)
        missed = 0 if seen is None else max(revision - seen, 0)
        return Snapshot(self.start_id, revision, self._take_state(), missed)

    def _revision_of(self, last_seen: str | None) -> int | None:
        """Return the revision in an id that this bus gave out."""
        start_id, _, number = (last_seen or "").rpartition(".")
        is_number = number.isascii() and number.isdigit() and len(number) <= LONGEST_REVISION
        if start_id != self.start_id or not is_number:
            return None
        seen = int(number)
        return seen if seen <= self._revision else None

    def _changes_after(self, seen: int) -> list[Change] | None:
        oldest_kept = self._history[0].revision if self._history else self._revision + 1
        if seen + 1 < oldest_kept:
            return None
        return [change for change in self._history if change.revision > seen]

    def _forget(self, subscription: Subscription) -> None:
        self._subscriptions.discard(subscription)


class Subscription:
    """One reader's bounded queue; iterate it inside ``async with``."""

    def __init__(self, bus: EventBus, limit: int, seen: int | None) -> None:
        self._bus = bus
        self._limit = limit
        self._seen = seen
        self._queue: deque[EngineEvent] = deque()
        self._wakeup = asyncio.Event()
        self._is_lagging = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the bus; safe to call twice."""
        self._bus._forget(self)

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        while True:
            event = await self.next()
            yield event
            if isinstance(event, Change) and isinstance(event.body, Closing):
                return

    async def next(self) -> EngineEvent:
        """Return the next event, waiting for it. Safe to cancel: no event is lost."""
        [event] = await self.next_some(1)
        return event

    async def next_some(self, limit: int) -> list[EngineEvent]:
        """Return the next events in order, `limit` at most, as soon as there is one.

        Safe to cancel: no event is lost.
        """
        while not self._queue and not self._is_lagging:
            self._wakeup.clear()
            await self._wakeup.wait()
        if self._is_lagging:
            self._reset()
            if self._bus._closing is not None:
                self._queue.append(self._bus._closing)
        events = [self._queue.popleft() for _ in range(min(limit, len(self._queue)))]
        self._seen = events[-1].revision
        return events

    def _reset(self) -> None:
        self._is_lagging = False
        self._queue.clear()
        self._queue.append(self._bus._snapshot(self._seen))

    def _offer(self, change: Change) -> None:
        if self._is_lagging:
            return
        if len(self._queue) >= self._limit:
            self._queue.clear()
            self._is_lagging = True
        else:
            self._queue.append(change)
        self._wakeup.set()
