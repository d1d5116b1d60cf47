"""Base64 and hex that are wrapped over lines, read as one line."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

FULL_LINE = 60
"""Characters; tools wrap at 60 (`xxd -p`), 64 (PEM) and 76 (MIME, `base64`)."""

_PACKED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
_RETURN = 13

# The line feed comes first: the search for one byte is quick, and looking back is rare.
_FULL_LINE_END = re.compile(
    rb"\n(?:(?<=[A-Za-z0-9+/_-]{%d}\n)|(?<=[A-Za-z0-9+/_-]{%d}\r\n))" % (FULL_LINE, FULL_LINE)
)


class WrappedLines:
    """A text without the line ends behind full lines of base64.

    Args:
        joined: the text without them.
        ends: where they stood, as positions in `joined`, rising.
        widths: how many bytes were left out there.
    """

    __slots__ = ("_ends", "_shifts", "joined")

    def __init__(self, joined: bytes, ends: list[int], widths: list[int]) -> None:
        self.joined = joined
        self._ends = ends
        self._shifts = [0]
        for width in widths:
            self._shifts.append(self._shifts[-1] + width)

    def crosses(self, start: int, end: int) -> bool:
        """Say whether a line ended between two positions of `joined`."""
        return bisect_right(self._ends, start) != bisect_right(self._ends, end - 1)

    def origin(self, at: int) -> int:
        """Return where the byte at a position of `joined` stands in the text."""
        return at + self._shifts[bisect_right(self._ends, at)]


def unwrapped(data: bytes, run: int) -> WrappedLines | None:
    """Join full lines of base64 or hex, or return None when there is none.

    A carriage return at the end may be the first half of a line's end.

    Args:
        data: a part of a stream.
        run: how many characters of base64 stood right before it, up to `FULL_LINE`.
    """
    pieces: list[bytes] = []
    ends: list[int] = []
    widths: list[int] = []
    done = length = 0
    for start, end in _full_line_ends(data, run):
        pieces.append(data[done:start])
        length += start - done
        ends.append(length)
        widths.append(end - start)
        done = end
    if not ends:
        return None
    pieces.append(data[done:])
    return WrappedLines(b"".join(pieces), ends, widths)


def packed_run(data: bytes, run: int) -> int:
    """Return how many characters of base64 end a stream, up to `FULL_LINE`.

    Args:
        data: its newest part.
        run: the same number for what stood before.
    """
    if not data:
        return run
    tail = data[-FULL_LINE:]
    count = len(tail) - len(tail.rstrip(_PACKED))
    return min(count + run, FULL_LINE) if count == len(data) else count


def _full_line_ends(data: bytes, run: int) -> Iterator[tuple[int, int]]:
    if run and (first := _first_line_end(data, run)):
        yield first
    for match in _FULL_LINE_END.finditer(data):
        at = match.start()
        yield at - (data[at - 1] == _RETURN), at + 1
    last = len(data) - 1
    if data[-1:] == b"\r" and packed_run(data[:last][-FULL_LINE:], run) >= FULL_LINE:
        yield last, last + 1


def _first_line_end(data: bytes, run: int) -> tuple[int, int] | None:
    """Return the first line's end, where the line is full only with what stood before `data`."""
    at = data.find(b"\n", 0, FULL_LINE + 1)
    if at < 0:
        return None
    start = at - (at > 0 and data[at - 1] == _RETURN)
    is_full = start < FULL_LINE and packed_run(data[:start], run) >= FULL_LINE
    return (start, at + 1) if is_full else None
