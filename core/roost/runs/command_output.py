"""`CommandOutput`: reads both streams of a command and stores them, without ever holding it up
for long."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from roost.errors import RoostError
from roost.models import RunProgress
from roost.runs.output_backlog import OutputBacklog
from roost.runs.output_pieces import STDERR, OutputPiece, OutputSplitter

READ_SIZE = 256 * 1024
"""Bytes taken at once; one read of a flood becomes one write."""

QUIET_S = 0.2
"""Seconds after which an unfinished line, such as a question, is shown as it stands."""

ROOM_WAIT_S = 0.05
"""Seconds a flood is held back for the store before its lines are dropped."""

PAST_HEAD_PAUSE_S = 0.005
"""Seconds between two reads of what is hardly kept: a command that floods does not get the daemon's
whole processor."""

STORE_WAIT_S = 10.0
"""Seconds the end of a command waits for a store that takes no output."""

LAST_WORDS_LIMIT = 200
"""Characters of the last line that stand in the sentence of a failure."""

logger = logging.getLogger(__name__)


class StreamScrub(Protocol):
    """Takes secrets out of one stream."""

    def feed(self, data: bytes) -> bytes:
        """Take the next piece and return what may be shown by now."""
        ...

    def flush(self) -> bytes:
        """Return what is held back, at the end of the stream."""
        ...


class OutputLedger(Protocol):
    """Stores output."""

    async def outputs(
        self, run_id: str, pieces: Sequence[tuple[str, RunProgress | None]]
    ) -> bool: ...


class CommandOutput:
    """The output of one run: `read` each stream, then `finish`."""

    def __init__(self, ledger: OutputLedger, run_id: str, backlog: OutputBacklog) -> None:
        self._ledger = ledger
        self._run_id = run_id
        self._backlog = backlog
        self._came = asyncio.Event()
        self._room = asyncio.Event()
        self._is_ended = False
        self._last_words: dict[int, str] = {}
        self._writer = asyncio.create_task(self._store(), name=f"output {run_id}")

    @property
    def dropped_lines(self) -> int:
        """Lines that are not kept."""
        return self._backlog.dropped_lines

    @property
    def last_words(self) -> str:
        """The last line of stderr that says something, else of stdout."""
        return self._last_words.get(STDERR) or next(iter(self._last_words.values()), "")

    def note(self, text: str) -> None:
        """Say something about the command among its output."""
        self._backlog.note(text)
        self._came.set()

    async def read(self, reader: asyncio.StreamReader, stream: int, scrub: StreamScrub) -> None:
        """Take a stream until its end; the top of the stream's task."""
        try:
            await self._read(reader, stream, scrub)
        except Exception:
            logger.exception("the output of run %s could not be read on", self._run_id)
            self.note("the rest of this output could not be read; see the daemon's log")
            while await reader.read(READ_SIZE):  # or the command would wait for ever
                pass

    async def _read(self, reader: asyncio.StreamReader, stream: int, scrub: StreamScrub) -> None:
        splitter = OutputSplitter(stream)
        while (data := await self._next(reader, splitter)) != b"":
            await self._put(splitter.feed(scrub.feed(data)))
        await self._put(splitter.feed(scrub.flush()))
        await self._put(splitter.flush())

    async def finish(self) -> None:
        """Store what is left, as long as the store takes it."""
        self._backlog.end()
        self._is_ended = True
        self._came.set()
        await asyncio.wait({self._writer}, timeout=STORE_WAIT_S)
        if not self._writer.done():
            self._writer.cancel()
            logger.warning("the end of the output of run %s is not stored", self._run_id)
        await asyncio.gather(self._writer, return_exceptions=True)
        while self._backlog:
            self._backlog.lose(self._backlog.take())

    async def _next(self, reader: asyncio.StreamReader, splitter: OutputSplitter) -> bytes:
        """Return the next chunk; an unfinished line is shown as it stands meanwhile."""
        if not splitter.has_rest:
            return await reader.read(READ_SIZE)
        try:
            async with asyncio.timeout(QUIET_S):
                return await reader.read(READ_SIZE)
        except TimeoutError:
            pass
        await self._put(splitter.partial())
        return await reader.read(READ_SIZE)

    async def _put(self, pieces: list[OutputPiece]) -> None:
        if not pieces:
            return
        if self._backlog.is_past_head:
            await asyncio.sleep(PAST_HEAD_PAUSE_S)
        elif self._backlog.is_full:
            await self._wait_for_room()
        self._remember(pieces)
        self._backlog.put(pieces)
        self._came.set()

    async def _wait_for_room(self) -> None:
        self._room.clear()
        try:
            async with asyncio.timeout(ROOM_WAIT_S):
                await self._room.wait()
        except TimeoutError:
            return

    def _remember(self, pieces: list[OutputPiece]) -> None:
        for piece in reversed(pieces):
            last = piece.text.rstrip().rpartition("\n")[2].strip()
            if last:
                self._last_words[piece.stream] = last[-LAST_WORDS_LIMIT:]
                return

    async def _store(self) -> None:
        while True:
            while self._backlog:
                await self._store_some()
            if self._is_ended:
                return
            self._came.clear()
            await self._came.wait()

    async def _store_some(self) -> None:
        pieces = self._backlog.take()
        self._room.set()
        try:
            kept = await self._ledger.outputs(
                self._run_id, [(piece.text, piece.figures) for piece in pieces]
            )
        except RoostError:
            kept = False
        except asyncio.CancelledError:
            self._backlog.lose(pieces)
            raise
        if not kept:
            self._backlog.lose(pieces)


Scrubbing = Callable[[Sequence[str]], Callable[[], StreamScrub]]
"""Returns, for secrets, what makes the scrubber of one stream."""
