"""`LoadedProcess`: a living process that has loaded a bundle's code, as the daemon sees it.

It is a process of the driver like any other, in a session of its own and marked as its bundle's.
What `launcher.wire` tells of loading, measuring and ending is here; what is started from it, and
how, is its subclasses'.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from roost.drivers.base import DriverProcess, Mark
from roost.errors import RestoreFailed, TemplateFailed
from roost.snapshots.backend import Hazard, TemplateReport
from roost.snapshots.control import Control
from roost.snapshots.launcher import wire
from roost.snapshots.output_tail import OutputTail
from roost.snapshots.template_start import Adopter, new_generation

READY_BOUND_S = 120.0
"""To load everything: a cold start may take as long on a busy machine."""

HOOK_BOUND_S = 10.0
"""For the hooks before a snapshot, and for those after a restore; AWS gives as much."""

START_BOUND_S = 5.0
"""From the order until the new process comes to its entry: the largest take 20 ms, and longer than
a second where every core is taken. A template that needs longer than this is stopped or stuck."""

END_GRACE_S = 0.5
"""A loaded process has nothing to tidy up: it ends with its control socket."""


Plan = TypeVar("Plan")
"""Says what a process loads."""

P = TypeVar("P", bound="LoadedProcess")


class LoadedProcess:
    """A process that has loaded what its plan says.

    Args:
        driver: owns it and what is started from it.
        mark: whose it is.
        start_bound_s: seconds a start may take, without hooks.
        spawned: the process, and our end of its control socket.
    """

    def __init__(
        self,
        driver: Adopter,
        mark: Mark,
        start_bound_s: float,
        spawned: tuple[DriverProcess, socket.socket],
    ) -> None:
        self._driver = driver
        self._start_bound_s = start_bound_s
        self._loop = asyncio.get_running_loop()
        self._why_gone: str | None = None
        self._measurements: list[asyncio.Future[int | None]] = []
        self._ready: asyncio.Future[wire.Message] = self._loop.create_future()
        self._freezing, self._frozen = asyncio.Event(), asyncio.Event()
        self._has_hooks = False
        self._report: TemplateReport | None = None
        self._process, channel = spawned
        self._control = Control(channel, self._loop, self._hear, self._fail_all)
        self._tails = [OutputTail(self._process.stdout), OutputTail(self._process.stderr)]
        self._end = self._loop.create_task(self._see_end(), name=f"template of {mark.bundle}")

    @property
    def report(self) -> TemplateReport:
        """What it told once it was loaded."""
        assert self._report is not None, "only a loaded template is handed out"
        return self._report

    @property
    def display_pid(self) -> int | None:
        """Its pid, to show."""
        return self._process.display_pid

    async def load(self, bound_s: float) -> None:
        """Wait until it is loaded.

        Raises:
            TemplateFailed: it did not come up.
        """
        await self._driver.connect(self._process)
        for tail in self._tails:
            tail.begin()
        hooks = self._loop.create_task(self._bound_hooks())
        try:
            async with asyncio.timeout(bound_s):
                message = await asyncio.shield(self._ready)
        except TimeoutError:
            raise TemplateFailed(
                f"the template was not loaded within {bound_s:g} seconds"
            ) from None
        finally:
            hooks.cancel()
        self._has_hooks = message["has_hooks"]
        self._report = _report(message)

    async def measure(self) -> int | None:
        """Return its memory in bytes with its share of common pages."""
        answer: asyncio.Future[int | None] = self._loop.create_future()
        if not self._control.send({"op": "measure"}):
            return None
        self._measurements.append(answer)
        try:
            async with asyncio.timeout(START_BOUND_S):
                return await answer
        except TimeoutError:
            return None

    async def close(self) -> None:
        """End it; what was started from it lives on. Safe to call again."""
        self._note_end("it was closed")
        self._control.close()
        await self._process.stop(END_GRACE_S, eof_first=False)
        await asyncio.shield(self._end)

    async def wait_gone(self) -> str:
        """Wait until it has ended, for whatever reason, and return why."""
        await asyncio.shield(self._end)
        return self._why_gone or "it ended"

    def give_up(self, reason: str) -> None:
        """Kill it."""
        self._note_end(reason)
        self._control.close()
        self._killing = self._loop.create_task(self._process.stop(0.0, eof_first=False))

    # A start --------------------------------------------------------------------------------------

    async def _pass(self, gate: socket.socket) -> None:
        """Let a process that we own go on, and wait until it has come to its entry.

        Raises:
            RestoreFailed: it did not.
        """
        gate.setblocking(False)
        bound_s = self._start_bound_s + (HOOK_BOUND_S if self._has_hooks else 0.0)
        try:
            async with asyncio.timeout(bound_s):
                await self._loop.sock_sendall(gate, b'{"op": "go"}')
                answer = await self._loop.sock_recv(gate, wire.LARGE)
        except TimeoutError:
            raise RestoreFailed(f"it did not come to its entry in {bound_s:g} seconds") from None
        except OSError:
            answer = b""
        _check(answer)
        gate.close()

    # What it says ---------------------------------------------------------------------------------

    def _hear(self, message: wire.Message, descriptors: list[int]) -> None:
        match message["ev"]:
            case "ready" if not self._ready.done():
                self._ready.set_result(message)
            case "broken":
                self._note_end(message["reason"])
            case "freezing":
                self._freezing.set()
            case "frozen":
                self._frozen.set()
            case "measured" if self._measurements:
                _settle(self._measurements.pop(0), message["pss_kb"])
            case _:
                self._hear_of_start(message, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)

    def _hear_of_start(self, message: wire.Message, descriptors: list[int]) -> None:
        """Take what is said about a start; what is left in the list is closed."""

    # Its end --------------------------------------------------------------------------------------

    async def _bound_hooks(self) -> None:
        await self._freezing.wait()
        try:
            async with asyncio.timeout(HOOK_BOUND_S):
                await self._frozen.wait()
        except TimeoutError:
            self.give_up(f"its before_snapshot hooks took more than {HOOK_BOUND_S:g} seconds")

    async def _see_end(self) -> None:
        """Wait for its end, free what it used, and say why it ended."""
        exit = await self._process.wait()
        await self._process.stop(0.0, eof_first=False)
        for tail in self._tails:
            await tail.finish()
        said = self._tails[1].last_line()
        self._note_end(f"it ended with {exit}" + (f", after it said: {said}" if said else ""))
        self._control.close()
        if not self._ready.done():
            self._ready.set_exception(TemplateFailed(f"the template broke off: {self._why_gone}"))
            self._ready.exception()  # a cancelled load asks no more

    def _note_end(self, why: str) -> None:
        """The first reason counts: others follow from it."""
        if self._why_gone is None:
            self._why_gone = why

    def _fail_all(self) -> None:
        """Nothing is answered any more."""
        for answer in self._measurements:
            _settle(answer, None)
        self._measurements.clear()


class LoadedProcesses(ABC, Generic[Plan, P]):
    """Starts loaded processes of one bundle.

    Args:
        driver: owns them and what is started from them.
        data_id: identity of the data directory.
        workspace: of the bundle.
        bundle: its name.
        ready_bound_s: seconds one may take to load.
        start_bound_s: seconds a start may take, without hooks.
    """

    def __init__(
        self,
        driver: Adopter,
        data_id: str,
        workspace: str,
        bundle: str,
        *,
        ready_bound_s: float = READY_BOUND_S,
        start_bound_s: float = START_BOUND_S,
    ) -> None:
        self._driver = driver
        self._owner = (data_id, workspace, bundle)
        self._ready_bound_s = ready_bound_s
        self._start_bound_s = start_bound_s

    async def open(self, plan: Plan) -> P:
        """Start a process and wait until it is loaded; nothing of it is left on failure.

        Raises:
            TemplateFailed: it did not come up; the sentence says why.
        """
        process = self._spawn(plan)
        try:
            await process.load(self._ready_bound_s)
        except BaseException:
            await asyncio.shield(process.close())
            raise
        return process

    def _mark(self, kind: str) -> Mark:
        data_id, workspace, bundle = self._owner
        return Mark(data_id, new_generation(kind), workspace, bundle)

    @abstractmethod
    def _spawn(self, plan: Plan) -> P: ...


def _check(answer: bytes) -> None:
    if not answer:
        raise RestoreFailed("it ended before it came to its entry")
    message: wire.Message = json.loads(answer)
    if message["ev"] != "restored":
        raise RestoreFailed(message["reason"])


def _settle(answer: asyncio.Future[int | None], pss_kb: int | None) -> None:
    if not answer.done():
        answer.set_result(None if pss_kb is None else pss_kb * 1024)


def _report(message: wire.Message) -> TemplateReport:
    return TemplateReport(
        loaded=message["loaded"],
        failed=tuple((module, error) for module, error in message["failed"]),
        poisoned=tuple(message["poisoned"]),
        problems=tuple(Hazard(p["guard"], p["module"], p["what"]) for p in message["problems"]),
        import_ms=message["import_ms"],
        reprs=message["reprs"],
        reads=tuple(message.get("reads", ())),
    )
