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


@dataclass(frozen=True, slots=True)
class Item:
    """One thing told: exactly one of the three is set."""

    step: dict[str, Any] | None = None
    text: str | None = None
    link: str | None = None

    @property
    def chars(self) -> int:
        """How much room it takes."""
        return len(self.text or self.link or (self.step or {}).get("message") or "")


@dataclass(frozen=True, slots=True)
class Batch:
    """The oldest items, as one report that keeps their order: steps first, then texts."""

    items: int
    steps: tuple[dict[str, Any], ...]
    output: str | None
    link: str | None
    is_last: bool
    """Whether nothing more was waiting."""

    @property
    def has_events(self) -> bool:
        """Whether it must not be told twice; a link may."""
        return bool(self.steps) or self.output is not None

    def body(self) -> dict[str, Any]:
        """Return the fields of the report that are not empty."""
        found: dict[str, Any] = {"steps": list(self.steps)} if self.steps else {}
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

    def put(self, item: Item) -> None:
        """Append an item."""
        with self._changed:
            self._items.append(item)
            self._chars += item.chars

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
            self._changed.notify_all()

    def clear(self) -> None:
        """Take out everything: nobody will hear it."""
        with self._changed:
            self._items.clear()
            self._chars = 0
            self._changed.notify_all()


def _batch(items: list[Item]) -> Batch:
    steps: list[dict[str, Any]] = []
    texts: list[str] = []
    link: str | None = None
    taken = chars = 0
    for item in items:
        chars += item.chars
        is_too_much = taken and chars > CHARS_AT_ONCE
        if is_too_much or (item.step and (texts or len(steps) == STEPS_AT_ONCE)):
            break
        taken += 1
        if item.step is not None:
            steps.append(item.step)
        elif item.text is not None:
            texts.append(item.text)
        else:
            link = item.link
    output = "\n".join(texts) if texts else None
    return Batch(taken, tuple(steps), output, link, taken == len(items))
