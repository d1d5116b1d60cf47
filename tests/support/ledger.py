"""A run ledger over a real store, with a store that fails on demand and tools that wait."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from tests.support.fake.clock import FakeClock

from roost.clock import Clock
from roost.errors import NotRunning, StoreUnavailable
from roost.models import (
    BundleSettings,
    ChangeBody,
    RunChanged,
    RunKind,
    RunProgress,
    RunView,
    ToolView,
)
from roost.runs import CallEnded, RunRecorder, RunRequest, ToolAnswer, ToolCalls, Withdrawal
from roost.store.base import RunRows

SECRET = "hunter2hunter2"

BOUND_S = 60.0
"""For anything that is waited for here, on a machine that is busy with other tests."""


class EagerClock(FakeClock):
    """Moves on by itself whenever someone sleeps, and keeps how long they slept."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)


class FlakyRows:
    """Passes every call on, except for methods that are to fail or to wait."""

    def __init__(self, rows: RunRows) -> None:
        self._rows = rows
        self.failures: Counter[str] = Counter()
        """How many more calls of a method fail."""
        self.gates: dict[str, asyncio.Event] = {}
        """What calls of a method wait for before they are passed on."""
        self.calls: Counter[str] = Counter()
        self._called: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._rows, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            self.calls[name] += 1
            self._called[name].set()
            if name in self.gates:
                await self.gates[name].wait()
            if self.failures[name] > 0:
                self.failures[name] -= 1
                raise StoreUnavailable("the disk is full; make room")
            return await method(*args, **kwargs)

        return call

    async def called(self, name: str) -> None:
        """Wait until a method has been called."""
        async with asyncio.timeout(BOUND_S):
            await self._called[name].wait()

    def break_down(self) -> None:
        """Let every write fail until `recover`."""
        for name in (
            "insert",
            "mark_started",
            "append_event",
            "append_steps",
            "append_outputs",
            "request_stop",
            "finalize",
            "amend",
            "report",
            "take_over",
        ):
            self.failures[name] = 1_000_000

    def recover(self) -> None:
        """Let everything pass again."""
        self.failures.clear()


def redact(workspace: str, bundle: str) -> Callable[[Any], Any]:
    """Return what takes `SECRET` out of strings, at any depth."""

    def scrub(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace(SECRET, "[secret]")
        if isinstance(value, dict):
            return {scrub(key): scrub(item) for key, item in value.items()}
        if isinstance(value, list):
            return [scrub(item) for item in value]
        return value

    return scrub


class Ledger:
    """A recorder of one daemon start, and everything it has published."""

    def __init__(
        self,
        rows: RunRows,
        directory: Path,
        *,
        owner: str = "daemon-1",
        settled_limit: int = 200,
        clock: FakeClock | None = None,
    ) -> None:
        self.rows = FlakyRows(rows)
        self.clock = clock or EagerClock()
        self.published: list[RunView] = []
        self.on_run: Callable[[RunView], None] = lambda run: None
        """Told of each run with its publication."""
        self.recorder = RunRecorder(
            cast("RunRows", self.rows),
            owner=owner,
            clock=self.clock,
            publish=self._take,
            redact=redact,
            endings_dir=directory / "endings",
            settled_limit=settled_limit,
        )

    def _take(self, body: ChangeBody) -> None:
        assert isinstance(body, RunChanged)
        self.published.append(body.run)
        self.on_run(body.run)

    async def begin(self, **changes: Any) -> RunView:
        """Begin a run of workspace `main` that is working."""
        run = (await self.recorder.begin(request(**changes))).run
        return await self.recorder.started(run.id, 1) or run


def request(**changes: Any) -> RunRequest:
    """Return a request for a tool call of workspace `main`."""
    values: dict[str, Any] = {
        "workspace": "main",
        "kind": RunKind.TOOL_CALL,
        "title": "files.search",
        "bundle": "files",
        "tool": "search",
        "created_by": "ann",
    }
    return RunRequest(**values | changes)


class FakeCall:
    """One call as the tool sees it."""

    def __init__(self, arguments: dict[str, Any], report: Callable[[RunProgress], None]) -> None:
        self.arguments = arguments
        self.report = report
        self.answer: asyncio.Future[ToolAnswer] = asyncio.get_running_loop().create_future()
        self.is_cancelled = False

    def succeed(self, content: Any = "done") -> None:
        self.answer.set_result(ToolAnswer(content, is_error=False, text=str(content)))


class FakeCaller:
    """Meets `ToolCaller` with one bundle `files` whose tools answer when they are told to."""

    def __init__(self) -> None:
        self.is_running = True
        self.is_restarting = False
        self.calls: list[FakeCall] = []
        self.ignores_cancel = False
        self.is_silent = False
        """Whether no end of a stopped call is seen until it answers."""
        self.offered: tuple[ToolView, ...] = (
            ToolView(
                "search",
                input_schema={
                    "type": "object",
                    "properties": {"query": {"type": "string"}},
                    "required": ["query"],
                },
            ),
            ToolView("anything"),
        )
        self._arrived = asyncio.Condition()

    def tools(self, workspace: str, bundle: str) -> tuple[ToolView, ...]:
        if not self.is_running:
            raise NotRunning(bundle, "stopped")
        return self.offered

    def generation(self, workspace: str, bundle: str) -> int:
        return 7

    def is_coming(self, workspace: str, bundle: str) -> bool:
        return self.is_restarting

    async def call(
        self,
        workspace: str,
        bundle: str,
        tool: str,
        arguments: dict[str, Any],
        on_progress: Callable[[RunProgress], None],
        withdrawal: Withdrawal,
    ) -> ToolAnswer:
        call = FakeCall(arguments, on_progress)
        async with self._arrived:
            self.calls.append(call)
            self._arrived.notify_all()
        while True:
            try:
                return await self._answer(call, withdrawal)
            except asyncio.CancelledError:
                if call.answer.cancelled():
                    raise
                call.is_cancelled = True
                if not self.ignores_cancel:
                    raise

    async def _answer(self, call: FakeCall, withdrawal: Withdrawal) -> ToolAnswer:
        waited: set[asyncio.Future[Any]] = {call.answer, withdrawal.asked}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        call.is_cancelled = call.is_cancelled or not call.answer.done()
        if not (call.answer.done() or self.is_silent or self.ignores_cancel):
            raise CallEnded("cancelled", "the server has ended it")
        return await asyncio.shield(call.answer)

    async def arrived(self, count: int = 1) -> FakeCall:
        """Wait until `count` calls have come, and return the last of them."""
        async with asyncio.timeout(BOUND_S), self._arrived:
            await self._arrived.wait_for(lambda: len(self.calls) >= count)
        return self.calls[count - 1]


class Desk:
    """Tool calls over a ledger, with their own clock."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.recorder = ledger.recorder
        self.caller = FakeCaller()
        self.clock = FakeClock()
        self.settings = BundleSettings(call_idle_s=60.0, call_cap_s=300.0)
        self.calls = ToolCalls(
            self.recorder,
            self.caller,
            clock=cast("Clock", self.clock),
            settings=lambda workspace, bundle: self.settings,
        )

    async def settled(self, run_id: str) -> RunView:
        """Wait until a run has settled."""
        async with asyncio.timeout(BOUND_S):
            return await self.recorder.wait_settled("main", run_id)
