"""`LogFiles`: the captured output of every generation, in files.

Writers, followers and retention live on one event loop; `page` reads files only and may be called
from any thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import sys
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Callable, Collection, Iterator
from functools import partial
from pathlib import Path

from roost.clock import Clock, SystemClock
from roost.errors import InvalidName, LogNotFound
from roost.models import LogPage, LogStream
from roost.models.names import is_valid_name
from roost.supervision.loglines import LineSplitter, format_lines, parse_line
from roost.supervision.logsegments import (
    Segment,
    SegmentAppender,
    StoredLog,
    list_segments,
    remove_segments,
)

_log = logging.getLogger(__name__)

FILE_BYTES = 5 * 1024 * 1024
FILES_KEPT = 4
"""A generation keeps up to 20 MiB: more than anybody reads back on a screen."""

GENERATIONS_KEPT = 50
BUNDLE_BYTES = 64 * 1024 * 1024
"""Older generations go when a bundle has more than this many, or more than this many bytes. A
parked bundle is tried every five minutes, so its first failure can still be read after four hours.
"""

TAIL_LINES = 50
"""Lines of each stream kept in memory for crash records."""

READ_TRIES = 20
"""Retention may remove a file that a reader in another thread has just listed; it looks again."""

PAGE_LIMIT = 5000
"""Most lines of one page, whatever is asked for."""


class LogFiles:
    """Opens writers and reads back what they wrote.

    Args:
        root: directory of the logs, ``<root>/<workspace>/<bundle>/``.
        max_bytes: size at which a generation's file is rotated.
        keep: files kept of one generation.
        keep_generations: generations kept of one bundle.
        keep_bytes: bytes kept of one bundle. The two newest generations stay whatever their size,
            and so does one that is being written: it may serve on while its successors fail.
    """

    def __init__(
        self,
        root: Path,
        *,
        max_bytes: int = FILE_BYTES,
        keep: int = FILES_KEPT,
        keep_generations: int = GENERATIONS_KEPT,
        keep_bytes: int = BUNDLE_BYTES,
        clock: Clock | None = None,
    ) -> None:
        self._root = root
        self._max_bytes = max_bytes
        self._keep = keep
        self._keep_generations = keep_generations
        self._keep_bytes = keep_bytes
        self._clock = clock or SystemClock()
        self._followers: dict[Path, set[_Follower]] = {}
        self._written: dict[Path, set[int]] = {}
        """Generations that are being written, by directory."""

    def writer(self, workspace: str, bundle: str, generation: int) -> LogWriter:
        """Open the log of a generation; `close` it at the generation's end.

        Raises:
            InvalidName: a name breaks the naming rule.
        """
        directory = self._directory(workspace, bundle)
        self._written.setdefault(directory, set()).add(generation)
        appender = SegmentAppender(
            directory,
            generation,
            max_bytes=self._max_bytes,
            keep=self._keep,
            on_rotated=lambda: self._retire(directory),
        )
        writer = LogWriter(
            appender,
            clock=self._clock,
            on_written=lambda: self._wake(directory),
            on_closed=lambda: self._forget_written(directory, generation),
        )
        self._retire(directory)
        return writer

    def page(
        self,
        workspace: str,
        bundle: str,
        *,
        generation: int | None = None,
        before: int | None = None,
        after: int | None = None,
        limit: int = 500,
    ) -> LogPage:
        """Read up to `limit` lines: those behind `after`, else the last before `before` or the end.

        Args:
            generation: None for the newest, -1 for the one before it, and so on.

        Raises:
            LogNotFound: nothing is kept of that generation.
            InvalidName: a name breaks the naming rule.
        """
        directory = self._directory(workspace, bundle)
        for _ in range(READ_TRIES):
            number, segments = _choose(list_segments(directory), generation, workspace, bundle)
            with contextlib.suppress(FileNotFoundError):
                return _read_page(number, segments, before, after, limit)
        raise _not_found(workspace, bundle, generation)

    async def follow(
        self, workspace: str, bundle: str, tail: int = 200
    ) -> AsyncGenerator[LogPage, None]:
        """Yield the last `tail` lines, then new ones as they are written, across generations.

        When a newer generation starts, what is left of the present one comes first. One that is
        written on beside a newer one, as in a handover, is followed to its end. A bundle without a
        log is waited for. Ends when the logs are removed or closed.
        """
        directory = self._directory(workspace, bundle)
        follower = _Follower(directory, tail, lambda: self._written.get(directory, ()))
        self._followers.setdefault(directory, set()).add(follower)
        try:
            while not follower.is_closed:
                follower.wakeup.clear()
                while page := follower.next_page():
                    yield page
                await follower.wakeup.wait()
        finally:
            self._forget(follower)

    def remove(self, workspace: str, bundle: str) -> None:
        """Delete all logs of a bundle and end its followers."""
        directory = self._directory(workspace, bundle)
        shutil.rmtree(directory, ignore_errors=True)
        self._end_followers(directory)

    def close(self) -> None:
        """End every follower."""
        for directory in tuple(self._followers):
            self._end_followers(directory)

    def _directory(self, workspace: str, bundle: str) -> Path:
        for name in (workspace, bundle):
            if not is_valid_name(name):
                raise InvalidName(name)
        return self._root / workspace / bundle

    def _retire(self, directory: Path) -> None:
        """Remove the generations that are too old or too much; what fails stays for later."""
        with contextlib.suppress(OSError):
            for segments in self._too_much(directory):
                remove_segments(segments)

    def _too_much(self, directory: Path) -> Iterator[list[Segment]]:
        kept_bytes = 0
        written = self._written.get(directory, set())
        newest_first = sorted(list_segments(directory).items(), reverse=True)
        for age, (generation, segments) in enumerate(newest_first):
            kept_bytes += sum(segment.path.stat().st_size for segment in segments)
            is_over = age >= self._keep_generations or kept_bytes > self._keep_bytes
            if is_over and age >= 2 and generation not in written:
                yield segments

    def _forget_written(self, directory: Path, generation: int) -> None:
        written = self._written.get(directory, set())
        written.discard(generation)
        if not written:
            self._written.pop(directory, None)

    def _wake(self, directory: Path) -> None:
        for follower in self._followers.get(directory, ()):
            follower.wakeup.set()

    def _forget(self, follower: _Follower) -> None:
        followers = self._followers.get(follower.directory, set())
        followers.discard(follower)
        if not followers:
            self._followers.pop(follower.directory, None)

    def _end_followers(self, directory: Path) -> None:
        for follower in self._followers.get(directory, ()):
            follower.is_closed = True
            follower.wakeup.set()


class LogWriter:
    """Writes one generation's output; made by `LogFiles.writer`.

    What cannot be written, on a full disk for example, is counted and noted in the log once writing
    works again; it never raises.
    """

    def __init__(
        self,
        appender: SegmentAppender,
        *,
        clock: Clock,
        on_written: Callable[[], None],
        on_closed: Callable[[], None],
    ) -> None:
        self._appender = appender
        self._clock = clock
        self._on_written = on_written
        self._on_closed = on_closed
        # Made when something comes: most streams of most programs stay silent.
        self._splitters: dict[LogStream, LineSplitter] = defaultdict(LineSplitter)
        self._tails: dict[LogStream, deque[str]] = defaultdict(partial(deque, maxlen=TAIL_LINES))
        self._unreported = 0
        self._failure: OSError | None = None
        self._is_closed = False
        self.lost_lines = 0
        """Lines that could not be written."""
        self._append([])

    def write(self, stream: LogStream, data: bytes) -> None:
        """Take a raw chunk; its unfinished last line waits for the rest. Ignored after `close`."""
        if not self._is_closed:
            self._record(stream, self._splitters[stream].feed(data))

    def note(self, text: str) -> None:
        """Write a line of Roost's own."""
        self.write(LogStream.ROOST, text.encode() + b"\n")

    def tail(self, stream: LogStream, n: int = TAIL_LINES) -> tuple[str, ...]:
        """Return the last `n` lines of a stream, an unfinished one included.

        At most `TAIL_LINES` are kept.
        """
        if stream not in self._splitters:
            return ()
        lines = [*self._tails[stream]]
        if unfinished := self._splitters[stream].partial:
            lines.append(unfinished)
        return tuple(lines[-min(n, TAIL_LINES) :]) if n > 0 else ()

    def close(self) -> None:
        """Write unfinished lines and close the file; safe to call twice."""
        if self._is_closed:
            return
        for stream, splitter in self._splitters.items():
            self._record(stream, splitter.flush())
        self._is_closed = True
        self._appender.close()
        self._on_closed()
        self._on_written()

    def _record(self, stream: LogStream, lines: list[str]) -> None:
        if not lines:
            return
        self._tails[stream].extend(lines[-TAIL_LINES:])
        at = self._clock.now()
        self._append(format_lines(at, stream, lines))

    def _append(self, lines: list[bytes]) -> None:
        report = self._loss_report()
        done = self._appender.append([*report, *lines])
        if done.lines >= len(report):
            self._unreported = 0
        self._count_loss(len(lines) - max(done.lines - len(report), 0), done.failure)
        self._on_written()

    def _count_loss(self, lost: int, failure: OSError | None) -> None:
        if failure is not None and self._failure is None:
            _log.warning("a log cannot be written (%s); what is lost is counted", failure)
        self._failure = failure
        self._unreported += lost
        self.lost_lines += lost

    def _loss_report(self) -> list[bytes]:
        if not self._unreported or self._failure is None:
            return []
        reason = self._failure.strerror or type(self._failure).__name__
        text = f"{self._unreported} lines could not be written: {reason}"
        return format_lines(self._clock.now(), LogStream.ROOST, [text])


class _Follower:
    """One reader's place in the logs of a bundle."""

    def __init__(self, directory: Path, tail: int, written: Callable[[], Collection[int]]) -> None:
        self.directory = directory
        self.wakeup = asyncio.Event()
        self.is_closed = False
        self._tail = tail
        self._written = written
        self._newest = 0
        """The newest generation that was told of; 0 before the first page."""
        self._positions: dict[int, int] = {}
        """How far each generation is read that may have more to come."""

    def next_page(self) -> LogPage | None:
        """Return what has not been seen yet, or None when there is nothing new."""
        logs = list_segments(self.directory)
        if self.is_closed or not logs:
            return None
        if not self._newest:
            return self._first(logs)
        for number in sorted(self._positions):
            if page := self._read_on(number, logs):
                return page
        later = [number for number in logs if number > self._newest]
        return self._take_up(min(later), logs) if later else None

    def _first(self, logs: dict[int, list[Segment]]) -> LogPage:
        newest = max(logs)
        for number in self._written():
            if number in logs and number < newest:
                at_its_end = _read_page(number, logs[number], None, None, 0)
                self._positions[number] = at_its_end.end_offset
        page = _read_page(newest, logs[newest], None, None, self._tail)
        return self._told(page)

    def _read_on(self, number: int, logs: dict[int, list[Segment]]) -> LogPage | None:
        # Looked at before it is read: what was written before its end is read then.
        is_written = number in self._written()
        if number in logs:
            page = _read_page(number, logs[number], None, self._positions[number], PAGE_LIMIT)
            if page.lines:
                return self._told(page)
        if not is_written:
            del self._positions[number]
        return None

    def _take_up(self, number: int, logs: dict[int, list[Segment]]) -> LogPage:
        return self._told(_read_page(number, logs[number], None, 0, PAGE_LIMIT))

    def _told(self, page: LogPage) -> LogPage:
        self._newest = max(self._newest, page.generation)
        self._positions[page.generation] = page.end_offset
        return page


def _choose(
    logs: dict[int, list[Segment]], generation: int | None, workspace: str, bundle: str
) -> tuple[int, list[Segment]]:
    numbers = sorted(logs)
    if generation is None or generation < 0:
        back = 1 - (generation or 0)
        number = numbers[-back] if back <= len(numbers) else None
    else:
        number = generation if generation in logs else None
    if number is None:
        raise _not_found(workspace, bundle, generation)
    return number, logs[number]


def _not_found(workspace: str, bundle: str, generation: int | None = None) -> LogNotFound:
    which = "" if generation is None else f" of generation {generation}"
    return LogNotFound(
        f"no log{which} is kept of {bundle!r} in workspace {workspace!r}; a start writes one, and "
        "old ones are removed",
        workspace=workspace,
        bundle=bundle,
    )


def _read_page(
    generation: int,
    segments: list[Segment],
    before: int | None,
    after: int | None,
    limit: int,
) -> LogPage:
    log = StoredLog(segments)
    count = max(0, min(limit, PAGE_LIMIT))
    if after is not None:
        start, raw = log.forward(after, count)
    else:
        start, raw = log.backward(sys.maxsize if before is None else before, count)
    return LogPage(
        generation=generation,
        lines=tuple(parse_line(line.data, generation, line.offset) for line in raw),
        start_offset=start,
        end_offset=raw[-1].offset if raw else start,
        size_bytes=log.size,
        dropped=log.dropped,
    )
