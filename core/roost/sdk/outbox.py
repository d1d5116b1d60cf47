"""`Outbox`: what a run has to tell, in order, until the daemon has it."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

ITEMS_KEPT = 1000
"""More waiting than this means that the daemon is away; then whoever tells more waits."""

CHARS_KEPT = 1_000_000
"""The same for texts."""

STEPS_AT_ONCE = 100
"""One report stays well below what the daemon takes."""

CHARS_AT_ONCE = 4000
"""Texts that are told together become one event, which holds this much."""

_STEP, _EMISSION, _TEXT = range(3)
"""The order in which the daemon stores the events of one report."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing told: exactly one of the five is set."""

    step: dict[str, Any] | None = None
    text: str | None = None
    link: str | None = None
    emission: dict[str, Any] | None = None
    """An event of a task's own making."""
    journal: dict[str, Any] | None = None
    """A named step of a task; no event, so that it keeps no order with those."""
    size: int = 0
    """Characters of the two above as JSON."""

    @property
    def chars(self) -> int:
        """How much room it takes."""
        return self.size + len(self.text or self.link or (self.step or {}).get("message") or "")

    @property
    def rank(self) -> int | None:
        """Place of its event among those of one report; None where it is no event."""
        if self.step is not None:
            return _STEP
        if self.emission is not None:
            return _EMISSION
        return _TEXT if self.text is not None else None


@dataclass(frozen=True, slots=True)
class Batch:
    """The oldest items, as one report that keeps their order: steps, emissions, then texts."""

    items: int
    steps: tuple[dict[str, Any], ...]
    emissions: tuple[dict[str, Any], ...]
    journal: tuple[dict[str, Any], ...]
    output: str | None
    link: str | None
    is_last: bool
    """Whether nothing more was waiting."""

    @property
    def has_events(self) -> bool:
        """Whether it must not be told twice; a link and the journal may."""
        return bool(self.steps or self.emissions) or self.output is not None

    def body(self) -> dict[str, Any]:
        """Return the fields of the report that are not empty."""
        lists = {"journal": self.journal, "steps": self.steps, "emissions": self.emissions}
        found: dict[str, Any] = {name: list(held) for name, held in lists.items() if held}
        if self.output is not None:
            found["output"] = self.output
        if self.link is not None:
            found["link"] = self.link
        return found


class Outbox:
    """A bounded queue; `put` and `wait_for_room` belong to the work, the rest to its reporter."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._chars = 0
        self._put = self._arrived = 0
        self._changed = threading.Condition()
        """Guards the items."""

    @property
    def is_empty(self) -> bool:
        """Whether everything told has arrived."""
        return not self._items

    @property
    def is_full(self) -> bool:
        """Whether whoever tells more has to wait."""
        return len(self._items) >= ITEMS_KEPT or self._chars >= CHARS_KEPT

    @property
    def waiting(self) -> int:
        """How many items have not arrived yet."""
        return len(self._items)

    def put(self, item: Item) -> int:
        """Append an item and return its number."""
        with self._changed:
            self._items.append(item)
            self._chars += item.chars
            self._put += 1
            return self._put

    def has_arrived(self, number: int) -> bool:
        """Say whether the daemon has the item of this number."""
        return self._arrived >= number

    def wait_for_arrival(self, number: int, timeout_s: float) -> bool:
        """Wait until the daemon has an item; False when it has not after `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: self.has_arrived(number), timeout_s)

    def wait_for_room(self, timeout_s: float) -> bool:
        """Wait until something was taken out; False when it is still full after `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self.is_full, timeout_s)

    def first(self) -> Batch:
        """Return the oldest items without taking them out."""
        with self._changed:
            items = list(self._items)
        return _batch(items)

    def drop(self, batch: Batch) -> None:
        """Take out what has arrived."""
        with self._changed:
            for _ in range(batch.items):
                self._chars -= self._items.popleft().chars
            self._arrived += batch.items
            self._changed.notify_all()

    def clear(self) -> None:
        """Take out everything: nobody will hear it."""
        with self._changed:
            self._items.clear()
            self._chars = 0
            self._changed.notify_all()


def _batch(items: list[Item]) -> Batch:
    taken = _taken(items)
    texts = [item.text for item in taken if item.text is not None]
    links = [item.link for item in taken if item.link is not None]
    return Batch(
        items=len(taken),
        steps=tuple(item.step for item in taken if item.step is not None),
        emissions=tuple(item.emission for item in taken if item.emission is not None),
        journal=tuple(item.journal for item in taken if item.journal is not None),
        output="\n".join(texts) if texts else None,
        link=links[-1] if links else None,
        is_last=len(taken) == len(items),
    )


def _taken(items: list[Item]) -> list[Item]:
    """Return as many of the oldest items as one report takes without changing their order."""
    taken: list[Item] = []
    chars = numbered = newest = 0
    for item in items:
        rank = item.rank
        chars += item.chars
        numbered += item.text is None and item.link is None
        is_too_much = chars > CHARS_AT_ONCE or numbered > STEPS_AT_ONCE
        if (taken and is_too_much) or (rank is not None and rank < newest):
            break
        newest = newest if rank is None else rank
        taken.append(item)
    return taken
