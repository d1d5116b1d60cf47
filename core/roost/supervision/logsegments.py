"""The files of one generation's log.

A log is a run of segments named ``<generation>-<offset>-<lines>.log``: where the segment begins in
the log and how many lines stand before it. So offsets stay true when older segments are removed,
and what retention dropped is known exactly from the names alone.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

_log = logging.getLogger(__name__)

BLOCK_BYTES = 65536
"""Read at once; a page of 500 ordinary lines is one or two of these."""

_NAME = re.compile(r"(\d+)-(\d+)-(\d+)\.log")


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of a log."""

    path: Path
    generation: int
    offset: int
    """Byte position of its first line in the generation's log."""
    lines_before: int


def list_segments(directory: Path) -> dict[int, list[Segment]]:
    """Return the segments of every generation, both in order; nothing for a missing directory."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return {}
    matches = [match for match in map(_NAME.fullmatch, names) if match]
    segments = [Segment(directory / m[0], int(m[1]), int(m[2]), int(m[3])) for m in matches]
    logs: dict[int, list[Segment]] = {}
    for segment in sorted(segments, key=lambda s: (s.generation, s.offset)):
        logs.setdefault(segment.generation, []).append(segment)
    return logs


def remove_segments(segments: list[Segment]) -> None:
    """Delete these files; one that cannot be deleted stays for the next time."""
    for segment in segments:
        try:
            segment.path.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("an old log cannot be removed (%s)", error)


@dataclass(frozen=True, slots=True)
class RawLine:
    """One line on disk without its line feed; `offset` is the position behind it."""

    data: bytes
    offset: int


class StoredLog:
    """Reads one generation's log in blocks, forwards and backwards.

    Every read raises `FileNotFoundError` when retention has removed a segment meanwhile.

    Args:
        segments: all its segments, in order, at least one.
    """

    def __init__(self, segments: list[Segment]) -> None:
        self._segments = segments
        self.start = segments[0].offset
        """Position of the oldest byte that is kept."""
        self.dropped = segments[0].lines_before
        self.size = segments[-1].offset + segments[-1].path.stat().st_size
        """Bytes written since byte 0."""

    def forward(self, after: int, limit: int) -> tuple[int, list[RawLine]]:
        """Return where the first line behind `after` begins, and up to `limit` lines from there."""
        begin = read_at = position = self._next_line(after)
        lines: list[RawLine] = []
        rest = b""
        while len(lines) < limit and (block := self._read(read_at, BLOCK_BYTES)):
            read_at += len(block)
            *ended, rest = (rest + block).split(b"\n")
            for data in ended:
                position += len(data) + 1
                lines.append(RawLine(data, position))
        return begin, lines[:limit]

    def backward(self, before: int, limit: int) -> tuple[int, list[RawLine]]:
        """Return where the first of the last `limit` lines before `before` begins, and these."""
        end = begin = max(self.start, min(before, self.size))
        held = b""
        while begin > self.start and held.count(b"\n") <= limit:
            step = min(BLOCK_BYTES, begin - self.start)
            begin -= step
            held = self._read_whole(begin, step) + held
        *ended, torn = held.split(b"\n")
        position = end - len(torn)
        if begin > self.start:
            ended = ended[1:]
        lines: list[RawLine] = []
        for data in reversed(ended[-limit:] if limit else []):
            lines.append(RawLine(data, position))
            position -= len(data) + 1
        lines.reverse()
        return position, lines

    def _next_line(self, after: int) -> int:
        if after <= self.start:
            return self.start
        if after >= self.size:
            return self.size
        position = after - 1
        while block := self._read(position, BLOCK_BYTES):
            if (found := block.find(b"\n")) >= 0:
                return position + found + 1
            position += len(block)
        return self.size

    def _read_whole(self, position: int, size: int) -> bytes:
        data = b""
        while len(data) < size and (block := self._read(position + len(data), size - len(data))):
            data += block
        return data

    def _read(self, position: int, size: int) -> bytes:
        """Read from the segment that holds `position`, at most to its end."""
        segment = next((s for s in reversed(self._segments) if s.offset <= position), None)
        if segment is None:
            return b""
        with segment.path.open("rb", buffering=0) as file:
            file.seek(position - segment.offset)
            return file.read(size)


@dataclass(frozen=True, slots=True)
class Appended:
    """How many of the offered lines are on disk, and why not all of them."""

    lines: int
    failure: OSError | None = None


class SegmentAppender:
    """Appends whole lines to one generation's log, rotates by size and removes old segments.

    Args:
        max_bytes: size of a segment; it holds one line at least.
        keep: segments that are kept.
        on_rotated: called after each rotation.
    """

    def __init__(
        self,
        directory: Path,
        generation: int,
        *,
        max_bytes: int,
        keep: int,
        on_rotated: Callable[[], None],
    ) -> None:
        self._directory = directory
        self._generation = generation
        self._max_bytes = max_bytes
        self._keep = keep
        self._on_rotated = on_rotated
        self._file: int | None = None
        self._offset = 0
        self._size = 0
        self._line_count = 0

    def append(self, lines: list[bytes]) -> Appended:
        """Write lines with their line feeds; a failure leaves a log of whole lines."""
        done = 0
        try:
            for count in self._append(lines):
                done += count
        except OSError as error:
            return Appended(done, error)
        return Appended(done)

    def _append(self, lines: list[bytes]) -> Iterator[int]:
        """Write in batches that fit the segments and yield the number of lines of each."""
        file = self._file if self._file is not None else self._open_last()
        if self._size + sum(map(len, lines)) <= self._max_bytes:
            self._write(file, lines)
            yield len(lines)
            return
        batch: list[bytes] = []
        size = self._size
        for line in lines:
            if size and size + len(line) > self._max_bytes:
                self._write(file, batch)
                yield len(batch)
                file = self._rotate()
                batch, size = [], 0
            batch.append(line)
            size += len(line)
        self._write(file, batch)
        yield len(batch)

    def close(self) -> None:
        """Free the descriptor; safe to call twice."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write(self, file: int, batch: list[bytes]) -> None:
        data = memoryview(b"".join(batch))
        written = 0
        try:
            while written < len(data):
                written += os.write(file, data[written:])
        except OSError:
            self._undo(file)
            raise
        self._size += len(data)
        self._line_count += len(batch)

    def _undo(self, file: int) -> None:
        """Take off what a failed write left, so that offsets stay those of whole lines."""
        try:
            os.ftruncate(file, self._size)
        except OSError:
            # The next write opens the file again and repairs it.
            self.close()

    def _rotate(self) -> int:
        self.close()
        self._offset += self._size
        file = self._create()
        older = list_segments(self._directory).get(self._generation, [])[: -self._keep]
        remove_segments(older)
        self._on_rotated()
        return file

    def _create(self) -> int:
        name = f"{self._generation}-{self._offset}-{self._line_count}.log"
        self._file = _open_private(self._directory / name)
        self._size = 0
        return self._file

    def _open_last(self) -> int:
        _make_private_directory(self._directory)
        segments = list_segments(self._directory).get(self._generation)
        if not segments:
            return self._create()
        last = segments[-1]
        self._file = _open_private(last.path)
        self._offset = last.offset
        self._size, lines = _measure(last.path)
        self._line_count = last.lines_before + lines
        os.ftruncate(self._file, self._size)
        return self._file


def _open_private(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _make_private_directory(directory: Path) -> None:
    if directory.is_dir():
        return
    _make_private_directory(directory.parent)
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700)


def _measure(path: Path) -> tuple[int, int]:
    """Return bytes and number of the whole lines of a file; a torn last line does not count."""
    lines = size = position = 0
    with path.open("rb", buffering=0) as file:
        while block := file.read(BLOCK_BYTES):
            lines += block.count(b"\n")
            if (last := block.rfind(b"\n")) >= 0:
                size = position + last + 1
            position += len(block)
    return size, lines
