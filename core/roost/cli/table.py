"""Aligned plain text: cells, columns and what may be written to a terminal."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STYLES = {"good": "32", "busy": "33", "bad": "1;31", "ask": "35", "dim": "2", "head": "1"}
"""SGR parameters by the meaning of a cell."""

GAP = "  "


class Cell:
    """Text with a meaning that colour may repeat but never carries alone."""

    __slots__ = ("style", "text")

    def __init__(self, text: object, style: str = "") -> None:
        self.text = clean(str(text))
        self.style = style


def clean(text: str) -> str:
    """Take out escape sequences and control characters: the text may come from any app."""
    if text.isprintable():
        return text
    import re

    text = re.sub(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])", "", text)
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text).strip(" ")


def width_of(text: str) -> int:
    """Return how many terminal columns a text takes."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def cut(text: str, width: int) -> str:
    """Shorten a text to a number of columns, ending in two dots where something was left out."""
    if width_of(text) <= width:
        return text
    while text and width_of(text) > max(width - 2, 0):
        text = text[:-1]
    return (text + "..")[:width]


def table_lines(
    header: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    right: Sequence[str] = (),
    width: int | None = None,
    has_colour: bool = False,
) -> Iterator[str]:
    """Yield a table's lines.

    Args:
        header: column names.
        rows: cells, one per column.
        right: names of the columns that are aligned to the right.
        width: terminal columns that a line may take; None never cuts.
        has_colour: whether to write SGR sequences.
    """
    lines = [[Cell(name, "head") for name in header], *rows]
    widths = [max(width_of(line[index].text) for line in lines) for index in range(len(header))]
    for line in lines:
        yield _line(line, widths, [name in right for name in header], width, has_colour)


def _line(
    cells: Sequence[Cell],
    widths: Sequence[int],
    is_right: Sequence[bool],
    width: int | None,
    has_colour: bool,
) -> str:
    parts: list[str] = []
    room = width
    last = len(cells) - 1
    for index, cell in enumerate(cells):
        fill = " " * (widths[index] - width_of(cell.text))
        text = fill + cell.text if is_right[index] else cell.text + (fill if index < last else "")
        text = text if index == last else text + GAP
        if room is not None:
            text = _fitted(text, room)
            room -= width_of(text)
        parts.append(styled(text, cell.style) if has_colour else text)
        if room == 0:
            break
    return "".join(parts).rstrip(" ")


def _fitted(text: str, room: int) -> str:
    """Cut a padded cell; padding that is left out is nothing to point at."""
    words = text.rstrip(" ")
    padding = len(text) - len(words)
    return cut(words, room) + " " * min(padding, max(room - width_of(words), 0))


def styled(text: str, style: str) -> str:
    """Wrap a text in the SGR sequence of its meaning."""
    if style not in STYLES or not text.strip():
        return text
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m"
