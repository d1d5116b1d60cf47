"""Small pure phrasing shared by the modals: ages, values, lists and joined lines."""

from __future__ import annotations

from collections.abc import Sequence

from roost.models import FieldValue

_SECOND_MS = 1000
_MINUTE_MS = 60 * _SECOND_MS
_HOUR_MS = 60 * _MINUTE_MS
_DAY_MS = 24 * _HOUR_MS


def ago(then_ms: int, now_ms: int) -> str:
    """Say how long ago something was, in its largest unit; the future counts as now."""
    elapsed = now_ms - then_ms
    if elapsed < 5 * _SECOND_MS:
        return "just now"
    if elapsed < _MINUTE_MS:
        return f"{elapsed // _SECOND_MS}s ago"
    if elapsed < _HOUR_MS:
        return f"{elapsed // _MINUTE_MS}m ago"
    if elapsed < _DAY_MS:
        return f"{elapsed // _HOUR_MS}h ago"
    return f"{elapsed // _DAY_MS}d ago"


def duration(milliseconds: int) -> str:
    """Say a duration: ``412 ms`` below a second, else seconds with one decimal."""
    if milliseconds < _SECOND_MS:
        return f"{milliseconds} ms"
    return f"{milliseconds / _SECOND_MS:.1f} s"


def number_text(value: float) -> str:
    """Write a number as an operator would type it: whole numbers without a decimal point."""
    if isinstance(value, int) or value.is_integer():
        return str(int(value))
    return repr(value)


def value_text(value: FieldValue) -> str:
    """Write a field's value as text: a list is one item per line, a boolean true or false."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "\n".join(value)
    if isinstance(value, str):
        return value
    return number_text(value)


def flow(lengths: Sequence[int], width: int, gap: int = 2) -> list[list[int]]:
    """Lay pieces out in lines of at most `width` cells without breaking a piece.

    Args:
        lengths: Width of each piece in cells.
        width: Width of a line in cells.
        gap: Cells between two pieces of a line.

    Returns:
        The indexes of the pieces on each line. A piece wider than a line gets one of its own.
    """
    lines: list[list[int]] = []
    used = 0
    for index, length in enumerate(lengths):
        if lines and used + gap + length <= width:
            lines[-1].append(index)
            used += gap + length
            continue
        lines.append([index])
        used = length
    return lines
