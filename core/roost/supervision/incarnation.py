"""`Incarnation`: one live process of a bundle with its log, its session and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from roost.drivers.base import DriverProcess, ProcessExit, StopReport
from roost.models import (
    BundleKind,
    CrashRecord,
    GenerationView,
    LogStream,
    Reason,
    StartStep,
)
from roost.supervision.link import CallEnded, Link, SessionOwner
from roost.supervision.logfiles import LogWriter
from roost.vault import Scrubber

READ_CHUNK_BYTES = 65536

SESSION_GRACE_S = 2.0
"""A session ends with its process, which may need this long to go; later the process is ended,
because it can never be talked to again."""

SESSION_CLOSE_S = 2.0
"""Leaving a session is immediate; nothing in it may hold up the end of the process."""

OUTPUT_GRACE_S = 0.5
"""How long output is read on after the process ended; a grandchild may hold the pipe open."""


class Incarnation:
    """Owns what belongs to one process generation.

    Args:
        process: the driver's process, already connected.
        generation: what it runs; replaced as it becomes ready and ends.
        log: its log, closed with it.
        scrubber: removes the secrets it was given from everything it prints.
    """

    def __init__(
        self,
        process: DriverProcess,
        generation: GenerationView,
        *,
        kind: BundleKind,
        log: LogWriter,
        scrubber: Scrubber,
    ) -> None:
        self.process = process
        self.generation = generation
        self.scrubber = scrubber
        self.log = log
        self.link: Link | None = None
        self.is_stopping = False
        self.ready_monotonic: float | None = None
        self.stray_lines = 0
        self.has_lost_session = False
        """Whether it was ended because it could not be talked to any more."""
        self._session: SessionOwner | None = None
        self._pumps = [asyncio.create_task(self._pump(process.stderr, LogStream.STDERR))]
        if kind is not BundleKind.MCP_STDIO:
            self._pumps.append(asyncio.create_task(self._pump(process.stdout, LogStream.STDOUT)))
        self._watcher: asyncio.Task[None] | None = None
        self._disposal: asyncio.Task[StopReport] | None = None

    def attach(self, session: SessionOwner, link: Link) -> None:
        """Take over an open session."""
        self._session, self.link = session, link

    def watch(self, on_exit: Callable[[Incarnation, ProcessExit], None]) -> None:
        """Call `on_exit` once when the process ends without having been stopped."""

        async def wait_for_end() -> None:
            await self._until_useless()
            ended = await self.process.wait()
            await self.finish_output()
            if not self.is_stopping:
                on_exit(self, ended)

        self._watcher = asyncio.create_task(wait_for_end(), name="exit-watcher")

    async def _until_useless(self) -> None:
        """Wait for the end of the process; one whose session ended before it is ended too."""
        if self._session is None:
            return
        if await first_of(self.process.wait(), self._session.wait_ended()) == 0:
            return
        await first_of(self.process.wait(), asyncio.sleep(SESSION_GRACE_S))
        if self.process.exit is None and not self.is_stopping:
            self.has_lost_session = True
            self.log.note("its output closed while it ran, so it is ended")
            await self.process.stop(SESSION_GRACE_S, eof_first=True)

    async def drain(self, seconds: float) -> None:
        """Let calls in flight finish, for `seconds` at most, then end them as restarting."""
        if self.link is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.link.wait_idle()
        self.link.end_calls(CallEnded.restarting())

    async def dispose(self, *, grace_s: float) -> StopReport:
        """End the whole process tree and release everything; safe to call more than once.

        The work goes on in a task of its own, so a cancelled caller leaves nothing half done.
        """
        self.is_stopping = True
        if self._disposal is None:
            self._disposal = asyncio.create_task(self._dispose(grace_s), name="disposal")
        return await asyncio.shield(self._disposal)

    async def _dispose(self, grace_s: float) -> StopReport:
        if self.link is not None:
            self.link.end_calls(CallEnded.restarting())
        try:
            await self._close_session()
            report = await self.process.stop(grace_s, eof_first=self.process.stdin is not None)
            await self.finish_output()
            self.log.note(f"generation {self.generation.number} ended: {report.exit or 'unknown'}")
            return report
        finally:
            if self._watcher is not None:
                self._watcher.cancel()
            self.log.close()

    async def _close_session(self) -> None:
        if self._session is None:
            return
        closing = asyncio.create_task(self._session.close(), name="session-close")
        await asyncio.wait({closing}, timeout=SESSION_CLOSE_S)
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)

    async def finish_output(self) -> None:
        """Read what is left in the pipes, for a bounded time."""
        _, late = await asyncio.wait(self._pumps, timeout=OUTPUT_GRACE_S)
        for pump in late:
            pump.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def write_stray(self, line: bytes) -> None:
        """Log a line of standard output that is not of the protocol."""
        self.stray_lines += 1
        scrub = self.scrubber.stream()
        self.log.write(LogStream.STDOUT, scrub.feed(line + b"\n") + scrub.flush())

    def crash_record(self, at: int, ended: ProcessExit, step: StartStep | None) -> CrashRecord:
        """Return what is known of an end that nobody asked for."""
        return CrashRecord(
            at=at,
            generation=self.generation.number,
            exit=str(ended),
            step=step,
            stderr_tail=tuple(self.log.tail(LogStream.STDERR)),
        )

    async def _pump(self, reader: asyncio.StreamReader, stream: LogStream) -> None:
        scrub = self.scrubber.stream()
        try:
            while chunk := await reader.read(READ_CHUNK_BYTES):
                self.log.write(stream, scrub.feed(chunk))
        finally:
            self.log.write(stream, scrub.flush())


def crash_reason(label: str, record: CrashRecord, *, has_lost_session: bool = False) -> Reason:
    """Say that a process ended, how, and with which last words."""
    last_words = next((line for line in reversed(record.stderr_tail) if line.strip()), None)
    told = f"; its last words: {last_words.strip()[:160]}" if last_words else " without a word"
    if has_lost_session:
        return Reason("crashed", f"{label} closed its output while it ran and was ended{told}")
    return Reason("crashed", f"{label} ended with {record.exit}{told}")


async def first_of(work: Awaitable[object], *others: Awaitable[object]) -> int:
    """Wait until one of several awaitables is done and return its index; the rest is cancelled.

    Errors of the winner are raised. When several are done the first in order wins.
    """
    tasks = [asyncio.ensure_future(item) for item in (work, *others)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for index, task in enumerate(tasks):
            if task.done():
                await task
                return index
        raise AssertionError("one of them is done")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
