"""Pieces of a command's output: what one event holds, and how raw bytes are cut into them.

A program that writes a line now and then gives one event for each line. Of a flood one event holds
as many whole lines as fit into it, so that the store keeps up.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from roost.models import RunProgress
from roost.runs.payload import MESSAGE_LIMIT

STDOUT, STDERR, NOTE = 1, 2, 0
"""Where a piece comes from: a stream of the command, or Roost itself."""

FEW_LINES = 32
"""Up to so many lines of one read are an event each: more than that nobody reads as it comes."""

REST_LIMIT = 4 * MESSAGE_LIMIT
"""Bytes of an unfinished line that are held back: the most that the text of one event takes."""

_BEFORE_RETURN = re.compile(rb"[^\n]*\r")
_LINE_END = re.compile(rb"\r+\n")


@dataclass(frozen=True, slots=True)
class OutputPiece:
    """The text of one event, without the line feed that ended it."""

    stream: int
    text: str
    is_ended: bool = True
    """False where the line goes on in a later piece, or the output ended without a line feed."""
    lines: int = 1
    """How many lines end in it."""

    @property
    def figures(self) -> RunProgress | None:
        """Where it belongs, as its event keeps it: see `RunEvent.current`."""
        if not self.is_ended:
            return RunProgress(self.stream, 0)
        return None if self.stream == STDOUT else RunProgress(self.stream)


class OutputSplitter:
    """Cuts the bytes of one stream into pieces, in bounded memory.

    A carriage return at the end of a line belongs to the line end; inside a line it starts the
    line over, as on a terminal. What is no UTF-8 is replaced.
    """

    def __init__(self, stream: int) -> None:
        self._stream = stream
        self._rest = b""
        self._is_begun = False
        """Whether a part of the unfinished line was given out."""

    @property
    def has_rest(self) -> bool:
        """Whether an unfinished line is held back."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[OutputPiece]:
        """Take a chunk and return what it finished."""
        block, feed, rest = (self._rest + data).rpartition(b"\n")
        pieces = self._whole(block + feed) if feed else []
        self._rest = self._restarted(rest)
        if len(self._rest) > REST_LIMIT:
            pieces += self.partial()
        return pieces

    def partial(self) -> list[OutputPiece]:
        """Return what is there of an unfinished line: a prompt, or the beginning of a long one."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        returns = self._rest[len(self._rest.rstrip(b"\r")) :]
        text = decoder.decode(self._rest[: len(self._rest) - len(returns)])
        if not text:
            return []
        self._rest = decoder.getstate()[0] + returns
        self._is_begun = True
        return self._cut(text)

    def flush(self) -> list[OutputPiece]:
        """Return the last line, which no line feed ended."""
        text = self._rest.rstrip(b"\r").decode("utf-8", "replace")
        self._rest = b""
        if not text:
            return []
        *pieces, last = self._cut(text)
        return [*pieces, OutputPiece(self._stream, last.text, is_ended=False)]

    def _whole(self, block: bytes) -> list[OutputPiece]:
        if b"\r" in block:
            block = _LINE_END.sub(b"\n", block)
            first, feed, others = block.partition(b"\n")
            block = self._restarted(first) + feed + _BEFORE_RETURN.sub(b"", others)
        self._is_begun = False
        text = block[:-1].decode("utf-8", "replace")
        if text.count("\n") < FEW_LINES:
            return [piece for line in text.split("\n") for piece in self._line(line)]
        return self._grouped(text)

    def _restarted(self, line: bytes) -> bytes:
        """Take off what a carriage return inside an unfinished line overwrites."""
        start = line.rstrip(b"\r").rfind(b"\r") + 1
        if not start:
            return line
        return (b"\r" if self._is_begun else b"") + line[start:].lstrip(b"\r")

    def _line(self, text: str) -> list[OutputPiece]:
        *begun, last = self._cut(text) or [OutputPiece(self._stream, "")]
        return [*begun, OutputPiece(self._stream, last.text)]

    def _grouped(self, text: str) -> list[OutputPiece]:
        pieces = []
        start = 0
        while start <= len(text):
            end = text.rfind("\n", start, start + MESSAGE_LIMIT + 1)
            if end < 0 and len(text) - start <= MESSAGE_LIMIT:
                end = len(text)
            if end < 0:
                end = text.find("\n", start)
                end = len(text) if end < 0 else end
                pieces += self._line(text[start:end])
            else:
                lines = text.count("\n", start, end) + 1
                pieces.append(OutputPiece(self._stream, text[start:end], lines=lines))
            start = end + 1
        return pieces

    def _cut(self, text: str) -> list[OutputPiece]:
        return [
            OutputPiece(self._stream, text[at : at + MESSAGE_LIMIT], is_ended=False, lines=0)
            for at in range(0, len(text), MESSAGE_LIMIT)
        ]
