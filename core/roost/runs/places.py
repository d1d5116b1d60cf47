"""`CallPlaces`: how many tool calls of a bundle are under way at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from roost.errors import BundleNotFound

Bundle = tuple[str, str]
"""Workspace and name."""


class Place:
    """A place that was asked for; whoever asked leaves it, given or not."""

    def __init__(self, places: CallPlaces, bundle: Bundle) -> None:
        self._places = places
        self._bundle = bundle
        self._given = asyncio.Event()

    @property
    def is_given(self) -> bool:
        """Whether the call may go on."""
        return self._given.is_set()

    async def wait(self) -> None:
        """Wait until the call may go on."""
        await self._given.wait()

    @property
    def awaited(self) -> str:
        """What is waited for, in words."""
        return self._places.awaited(self._bundle)

    def give(self) -> None:
        """Let the call go on."""
        self._given.set()

    def leave(self) -> None:
        """Make room for the next call."""
        self._places.leave(self, self._bundle)


@dataclass(slots=True)
class _Queue:
    taken: set[Place] = field(default_factory=set)
    waiting: deque[Place] = field(default_factory=deque)


class CallPlaces:
    """Gives places in the order in which they are asked for.

    Args:
        limit: returns how many calls of a bundle, given by workspace and name, may be under way at
            a time; 0 means any number. Asked each time, because settings change.
        is_coming: whether a bundle takes no calls now but will by itself: nobody goes until then.
    """

    def __init__(
        self, limit: Callable[[str, str], int], *, is_coming: Callable[[str, str], bool]
    ) -> None:
        self._limit = limit
        self._is_coming = is_coming
        self._queues: dict[Bundle, _Queue] = {}

    def ask(self, bundle: Bundle) -> Place:
        """Ask for a place; it may be given at once."""
        place = Place(self, bundle)
        self._queues.setdefault(bundle, _Queue()).waiting.append(place)
        self.look(bundle)
        return place

    def look(self, bundle: Bundle) -> None:
        """Give the places that are free; call it when a bundle or its limit has changed."""
        queue = self._queues.get(bundle)
        if queue is None or not queue.waiting or self._is_coming(*bundle):
            return
        most = self.limit(bundle)
        while queue.waiting and (most == 0 or len(queue.taken) < most):
            place = queue.waiting.popleft()
            queue.taken.add(place)
            place.give()

    def leave(self, place: Place, bundle: Bundle) -> None:
        """Take a place back, given or not; a second time it changes nothing."""
        queue = self._queues.get(bundle)
        if queue is None:
            return
        queue.taken.discard(place)
        if not place.is_given and place in queue.waiting:
            queue.waiting.remove(place)
        self.look(bundle)
        if not queue.taken and not queue.waiting:
            del self._queues[bundle]

    def awaited(self, bundle: Bundle) -> str:
        """Return what the calls of a bundle wait for, in words."""
        if self._is_coming(*bundle):
            return f"waits for {bundle[1]!r}, which is on its way to run again"
        most = self.limit(bundle)
        calls = "1 call" if most == 1 else f"{most} calls"
        return f"waits for a place: {bundle[1]!r} takes {calls} at a time"

    def limit(self, bundle: Bundle) -> int:
        """Return the limit of a bundle; one that was removed has none, and its calls end so."""
        try:
            return self._limit(*bundle)
        except BundleNotFound:
            return 0
