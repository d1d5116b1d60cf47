"""The help text as columns: sections spread over as many columns as the width has room for."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

HelpSection = tuple[str, Sequence[tuple[str, str]]]
"""A heading and its keys: (key, what it does)."""

COLUMN_WIDTH = 36
"""Least width of a column in cells: a key and a short sentence."""

COLUMN_GAP = 3
"""Cells between two columns."""


def column_count(width: int, sections: int) -> int:
    """Return how many columns fit, at least one and never more than there are sections."""
    fitting = (width + COLUMN_GAP) // (COLUMN_WIDTH + COLUMN_GAP)
    return max(1, min(fitting, sections))


def spread(heights: Sequence[int], columns: int) -> list[list[int]]:
    """Share sections out over columns in their order, so that the tallest is as low as it can be.

    Args:
        heights: Rows of each section.
        columns: How many columns there are.

    Returns:
        The indexes of the sections of each column.
    """
    limit = max(heights, default=0)
    while len(filled := _fill(heights, limit)) > columns:
        limit += 1
    return filled


def _fill(heights: Sequence[int], limit: int) -> list[list[int]]:
    filled: list[list[int]] = []
    used = limit
    for index, height in enumerate(heights):
        if not filled or used + height > limit:
            filled.append([])
            used = 0
        filled[-1].append(index)
        used += height
    return filled


def key_width(sections: Sequence[HelpSection]) -> int:
    """Return the width of the widest key in cells, so that all columns align alike."""
    return max((cell_len(key) for _, rows in sections for key, _ in rows), default=0)
