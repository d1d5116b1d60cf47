"""Columns: what a table shows of a row, how wide, and how rows are ordered by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from roost_tui.glyphs import UNICODE, Glyphs
from roost_tui.notes import RowKey, RowNote
from roost_tui.spans import Align, Spans

Row = TypeVar("Row")

GAP = 2
"""Cells between two columns."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """What cells need besides the row itself."""

    now: int
    glyphs: Glyphs = UNICODE
    notes: Mapping[RowKey, RowNote] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column.

    Widths are in cells. A column with a `weight` takes its share of what is left over, up to
    `most`. `from_width` is the narrowest table that shows it.
    """

    title: str
    width: int
    cells: Callable[[Row, Drawing, int], Spans]
    """Given the cells there are, to choose among wordings; what is too long is cut."""
    order: Callable[[Row], Any]
    align: Align = "left"
    weight: int = 0
    most: int = 1000
    from_width: int = 0


def lay_out(columns: Sequence[Column[Row]], width: int) -> tuple[tuple[Column[Row], int], ...]:
    """Choose the columns for a table of `width` cells and give each its width."""
    shown = [column for column in columns if column.from_width <= max(width, 0)]
    while _least(shown) > width and any(column.from_width for column in shown):
        shown.remove(max(shown, key=lambda column: column.from_width))
    widths = [column.width for column in shown]
    surplus = _least(shown) - width
    if surplus > 0:
        _squeeze(widths, surplus)
    else:
        _stretch(shown, widths, -surplus)
    return tuple(zip(shown, widths, strict=True))


def _stretch(columns: Sequence[Column[Row]], widths: list[int], spare: int) -> None:
    """Share out spare cells by weight, in one pass: what a full column leaves stays empty."""
    total = sum(column.weight for column in columns)
    left = spare
    for index, column in enumerate(columns):
        share = -(-spare * column.weight // total) if total else 0
        extra = max(min(share, column.most - widths[index], left), 0)
        widths[index] += extra
        left -= extra


def _squeeze(widths: list[int], surplus: int) -> None:
    """Take cells from the widest columns; what is left of a terminal may be too narrow for all."""
    for _ in range(min(surplus, sum(widths) - len(widths))):
        widths[widths.index(max(widths))] -= 1


def _least(columns: Sequence[Column[Row]]) -> int:
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)
