"""Sparklines: a row of numbers as a row of heights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

Values = Sequence[float | None]
"""Oldest first; None where nothing is known of a moment."""


def sparkline(values: Values, width: int, heights: str, *, least: float = 0.0) -> str:
    """Return the values over at most `width` cells; a cell of several shows their peak.

    Args:
        values: numbers from zero up.
        width: cells there are.
        heights: the characters, lowest first.
        least: what the lowest height stands for.
    """
    cells = _peaks(values, width)
    top = max((cell for cell in cells if cell is not None), default=0.0)
    return "".join(
        " " if cell is None else _height(cell - least, top - least, heights) for cell in cells
    )


def _height(value: float, top: float, heights: str) -> str:
    if top <= 0:
        return heights[0]
    return heights[max(math.ceil(value / top * len(heights)), 1) - 1]


def _peaks(values: Values, width: int) -> Values:
    count = len(values)
    if width <= 0 or count <= width:
        return values if width > 0 else ()
    bounds = [index * count // width for index in range(width + 1)]
    return [_peak(values[start:end]) for start, end in pairwise(bounds)]


def _peak(values: Values) -> float | None:
    return max((value for value in values if value is not None), default=None)
