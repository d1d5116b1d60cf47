"""`Incarnation`: one live process of a bundle with its log, its session and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from roost.drivers.base import DriverProcess, ProcessExit, StopReport
from roost.drivers.remote import DISCONNECTED, RemoteProcess
from roost.models import (
    BundleKind,
    CrashRecord,
    GenerationView,
    LogStream,
    Reason,
    StartStep,
)
from roost.supervision.link import CallEnded, Link, SessionOwner
from roost.supervision.liveness import Liveness
from roost.supervision.logfiles import LogWriter
from roost.supervision.readiness import ListenerProbe, WebProbe
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
        argv: its argument vector.
        env_names: names that its definition adds to its environment.
        secrets: what `scrubber` looks for.
        address: where a server over HTTP answers, as it may be shown.
    """

    def __init__(
        self,
        process: DriverProcess,
        generation: GenerationView,
        *,
        kind: BundleKind,
        log: LogWriter,
        scrubber: Scrubber,
        argv: tuple[str, ...] = (),
        env_names: tuple[str, ...] = (),
        secrets: tuple[str, ...] = (),
        address: str | None = None,
    ) -> None:
        self.process = process
        self.generation = generation
        self.scrubber = scrubber
        self.argv, self.env_names, self.secrets = argv, env_names, secrets
        self.log = log
        self.link: Link | None = None
        self.listener: ListenerProbe | None = None
        """Looks whether a server over HTTP listens yet."""
        self.probe: WebProbe | None = None
        """Asks a web bundle whether it is ready, and knows its address from then on."""
        self.tasks: tuple[str, ...] = ()
        """Names of the tasks that a worker offers, from its hello on."""
        self.is_stopping = False
        self.ready_monotonic: float | None = None
        self.stray_lines = 0
        self.loss = ""
        """Why it could not be talked to any more, when it was ended for that; a clause."""
        self.liveness: Liveness | None = None
        """Probes it from `watch` on; None for what is live as long as it is alive."""
        self.not_live = ""
        """Which probes it missed, when it was ended for that."""
        self._session: SessionOwner | None = None
        self._pumps = [asyncio.create_task(self._pump(process.stderr, LogStream.STDERR))]
        self.is_elsewhere = isinstance(process, RemoteProcess)
        """Whether it is a session with a server that runs somewhere else."""
        self.address = address
        """Where it answers, once it was found to."""
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

    @property
    def was_useless(self) -> bool:
        """Whether it was ended because nobody could talk to it, however it took that."""
        return self.has_lost_session or bool(self.not_live)

    @property
    def has_lost_session(self) -> bool:
        """Whether it was ended because it could not be talked to any more."""
        return bool(self.loss)

    async def _until_useless(self) -> None:
        """Wait for the end of the process; one that cannot be talked to before is ended too."""
        lost, dead = self._session_ends(), self._misses_probes()
        reasons = [reason for reason in (lost, dead) if reason is not None]
        if reasons:
            await first_of(self.process.wait(), *reasons)

    def _session_ends(self) -> Coroutine[Any, Any, None] | None:
        return self._lose_session(self._session) if self._session is not None else None

    def _misses_probes(self) -> Coroutine[Any, Any, None] | None:
        return self._give_up(self.liveness) if self.liveness is not None else None

    async def _lose_session(self, session: SessionOwner) -> None:
        await session.wait_ended()
        grace_s = 0.0 if self.is_elsewhere else SESSION_GRACE_S
        await first_of(self.process.wait(), asyncio.sleep(grace_s))
        if self.process.exit is None and not self.is_stopping:
            self.loss = session.loss
            self.log.note(f"it {self.loss}")
            await self.process.stop(SESSION_GRACE_S, eof_first=True)

    async def _give_up(self, liveness: Liveness) -> None:
        await liveness.wait_not_live()
        if self.process.exit is None and not self.is_stopping:
            self.not_live = f"{liveness.misses} probes in a row, the last: {liveness.evidence}"
            self.log.note(f"it missed {self.not_live}; so it is ended")
            if self.link is not None:
                self.link.end_calls(CallEnded.lost())
            await self.process.stop(liveness.stop_grace_s, eof_first=True)

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
            self.log.close()
            if self._watcher is not None:
                self._watcher.cancel()
                await asyncio.gather(self._watcher, return_exceptions=True)

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
            not_live=self.not_live,
        )

    async def _pump(self, reader: asyncio.StreamReader, stream: LogStream) -> None:
        scrub = self.scrubber.stream()
        try:
            while chunk := await reader.read(READ_CHUNK_BYTES):
                self.log.write(stream, scrub.feed(chunk))
        finally:
            self.log.write(stream, scrub.flush())


def crash_reason(label: str, record: CrashRecord, *, loss: str = "") -> Reason:
    """Say that a process ended, how, and with which last words."""
    last_words = next((line for line in reversed(record.stderr_tail) if line.strip()), None)
    told = f"; its last words: {last_words.strip()[:160]}" if last_words else " without a word"
    is_elsewhere = record.exit == str(DISCONNECTED)
    if record.not_live and is_elsewhere:
        return Reason("not_live", f"{label} missed {record.not_live}; so its session was ended")
    if record.not_live:
        return Reason("not_live", f"{label} missed {record.not_live}; so it was ended{told}")
    if loss and is_elsewhere:
        return Reason("session_lost", f"{label} {loss}")
    if loss:
        return Reason("session_lost", f"{label} {loss} and was ended{told}")
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
