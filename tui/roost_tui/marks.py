"""Marks on rows: which rows an action is for, and the order that stands still meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from roost_tui.notes import RowKey

Row = TypeVar("Row")


def frozen_order(
    before: Sequence[RowKey], rows: Sequence[Row], key_of: Callable[[Row], RowKey]
) -> list[Row]:
    """Return rows as they are now in the order they had; what is new comes at the end."""
    by_key = {key_of(row): row for row in rows}
    kept = [by_key.pop(key) for key in before if key in by_key]
    return [*kept, *by_key.values()]


class Marks:
    """The marked rows of a table."""

    def __init__(self) -> None:
        self._keys: set[RowKey] = set()
        self._anchor: RowKey | None = None

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def toggle(self, key: RowKey) -> None:
        """Mark a row, or take its mark away."""
        self._keys ^= {key}
        self._anchor = key if key in self._keys else None

    def extend_to(self, order: Sequence[RowKey], key: RowKey) -> None:
        """Mark every row between the one that was marked last and this one."""
        start = order.index(self._anchor) if self._anchor in order else order.index(key)
        end = order.index(key)
        self._keys |= set(order[min(start, end) : max(start, end) + 1])
        self._anchor = key

    def clear(self) -> None:
        """Take every mark away."""
        self._keys.clear()
        self._anchor = None

    def keep(self, present: set[RowKey]) -> None:
        """Forget the marks of rows that are gone."""
        self._keys &= present
