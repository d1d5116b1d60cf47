"""`OutputBacklog`: the output of one command that waits for the store, bounded and counted.

The beginning of the output is kept as it comes and its last part at the end; what lies between is
left out, and so is what comes faster than the store takes it. Both are said, with exact counts,
where they are missing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from roost.runs.output_pieces import NOTE, OutputPiece

HEAD_LIMIT = 8 * 1024 * 1024
"""Characters kept from the beginning: hours of an ordinary build, little enough to page through."""

TAIL_LIMIT = 2 * 1024 * 1024
"""Characters kept from the end, where a program says why it failed."""

WAITING_LIMIT = 2 * 1024 * 1024
"""Characters that may wait for the store: what a fast program writes in some tenths of a second."""

WRITE_LIMIT = 256 * 1024
"""Characters stored in one write, so that no other run waits long for its turn."""


class OutputBacklog:
    """Takes pieces as they come and gives them out in order, a write's worth at a time."""

    def __init__(
        self,
        *,
        head_limit: int = HEAD_LIMIT,
        tail_limit: int = TAIL_LIMIT,
        waiting_limit: int = WAITING_LIMIT,
    ) -> None:
        self._waiting: deque[OutputPiece] = deque()
        self._waiting_size = 0
        self._waiting_limit = waiting_limit
        self._head_left = head_limit
        self._tail: deque[OutputPiece] = deque()
        self._tail_size = 0
        self._tail_limit = tail_limit
        self._skipped = 0
        """Lines that found no room and were not told of yet."""
        self._left_out = 0
        """Lines between the beginning and the end that are not kept."""
        self.dropped_lines = 0
        """Lines of the whole output that are not kept."""

    def __bool__(self) -> bool:
        """Whether something waits for the store."""
        return bool(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether more of the beginning would be dropped."""
        return self._waiting_size >= self._waiting_limit and not self.is_past_head

    @property
    def is_past_head(self) -> bool:
        """Whether only the last part of what comes now is kept."""
        return self._head_left <= 0

    def put(self, pieces: Sequence[OutputPiece]) -> None:
        """Take the next pieces."""
        for piece in pieces:
            if self.is_past_head:
                self._put_tail(piece)
            elif self._waiting_size >= self._waiting_limit:
                self._skipped += piece.lines
                self.dropped_lines += piece.lines
            else:
                self._tell_skipped()
                self._put_waiting(piece)
                self._head_left -= _size(piece)

    def take(self) -> list[OutputPiece]:
        """Return the next pieces to store."""
        taken: list[OutputPiece] = []
        room = WRITE_LIMIT
        while self._waiting and room > 0:
            piece = self._waiting.popleft()
            self._waiting_size -= _size(piece)
            room -= _size(piece)
            taken.append(piece)
        return taken

    def lose(self, pieces: Sequence[OutputPiece]) -> None:
        """Count pieces that the store did not take."""
        lines = sum(piece.lines for piece in pieces)
        self._skipped += lines
        self.dropped_lines += lines

    def end(self) -> None:
        """Let the last part of the output wait for the store too; nothing comes after this."""
        self._tell_skipped()
        if self._left_out:
            self._put_waiting(_note(f"{self._left_out} lines of output are left out here"))
        while self._tail:
            self._put_waiting(self._tail.popleft())

    def note(self, text: str) -> None:
        """Say something about the command among its output."""
        self._put_waiting(_note(text))

    def _put_waiting(self, piece: OutputPiece) -> None:
        self._waiting.append(piece)
        self._waiting_size += _size(piece)

    def _put_tail(self, piece: OutputPiece) -> None:
        if not self._tail:
            self._tell_skipped()
            self.note("much output: from here on only the last part is kept, and shown at the end")
        self._tail.append(piece)
        self._tail_size += _size(piece)
        while self._tail_size > self._tail_limit:
            oldest = self._tail.popleft()
            self._tail_size -= _size(oldest)
            self._left_out += oldest.lines
            self.dropped_lines += oldest.lines

    def _tell_skipped(self) -> None:
        if self._skipped:
            skipped, self._skipped = self._skipped, 0
            self.note(f"{skipped} lines of output were not stored")


def _note(text: str) -> OutputPiece:
    return OutputPiece(NOTE, text, lines=0)


def _size(piece: OutputPiece) -> int:
    return len(piece.text) + 1
