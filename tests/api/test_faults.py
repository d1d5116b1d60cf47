"""Faults: of an endpoint, of the engine, and of the framework when it is loaded."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi import FastAPI
from starlette.types import Message
from tests.support.asgi_stream import AsgiViewer
from tests.support.fake_engine import FakeEngine
from tests.support.processes import until
from tests.support.two_ways import JSON, OPERATIONS, Ask, TwoWays, ask_for, shared_two_ways

from roost.api import framework as framework_module
from roost.errors import BundleNotFound, QueueFull, RoostError, RunNotFound


@pytest.fixture
def ways() -> Iterator[TwoWays]:
    two = shared_two_ways()
    closed = two.engine.bus
    yield two
    two.engine.raises = two.engine.breaks = None
    two.engine.bus = closed


@pytest.mark.parametrize(
    "error",
    [
        RunNotFound("r-1"),
        BundleNotFound("w", "app"),
        QueueFull("task", 3, 7),
        RoostError("off; look"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_refusal_of_the_engine_is_answered_and_logged_alike(
    ways: TwoWays, error: RoostError, caplog: pytest.LogCaptureFixture
) -> None:
    ways.engine.raises = error
    for operation in OPERATIONS:
        if operation.path == "/v1/events":
            continue  # asks nothing of the engine
        logged = []
        answers = []
        for app in (ways.app, ways.operations.framework()):
            caplog.clear()
            answers.append(await ways.answer(app, ask_for(operation)))
            logged.append([(each.name, each.getMessage()) for each in caplog.records])
        assert answers[0] == answers[1]
        assert logged[0] == logged[1]
        assert len(logged[0]) <= 1


async def test_a_fault_is_a_500_in_our_shape_without_its_words_and_is_logged_once(
    ways: TwoWays, caplog: pytest.LogCaptureFixture
) -> None:
    ways.engine.raises = ValueError("hunter2")
    for app in (ways.app, ways.operations.framework()):
        caplog.clear()
        answer = await ways.answer(app, Ask("GET", "/v1/status"))
        assert answer.status == 500
        assert json.loads(answer.body)["error"]["code"] == "internal"
        assert b"hunter2" not in answer.body
        assert b"Traceback" not in answer.body
        errors = [each for each in caplog.records if each.levelno >= logging.ERROR]
        assert [each.getMessage() for each in errors] == ["GET /v1/status failed"]


async def test_a_body_that_is_too_large_is_answered_alike(ways: TwoWays) -> None:
    body = b'"' + b"x" * 5_000_000 + b'"'
    asks = [Ask("POST", "/v1/workspaces", b"", JSON, body, pieces=each) for each in (1, 50)]
    announced = [*JSON, (b"content-length", b"5000002")]
    asks.append(Ask("POST", "/v1/workspaces", b"", announced, b"{}"))
    for ask in asks:
        by_app, by_framework = await ways.both(ask)
        assert by_app == by_framework
        assert by_app.status == 413


STREAMS = (
    Ask("GET", "/v1/workspaces/w/runs/r-1/events"),
    Ask("GET", "/v1/workspaces/w/bundles/app/log/events"),
    *(
        replace(ask, headers=[*ask.headers, (b"accept", b"text/event-stream")])
        for ask in map(ask_for, OPERATIONS)
        if ask.path.endswith(("/calls", "/exec", "/tasks/w/runs"))
    ),
)


@pytest.mark.parametrize("error", [None, RunNotFound("r-1"), ValueError("hunter2")], ids=repr)
async def test_a_stream_that_ends_or_breaks_is_sent_alike(
    ways: TwoWays, error: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    ways.engine.bus = FakeEngine().bus
    ways.engine.breaks = error
    for ask in STREAMS:
        caplog.clear()
        by_app, by_framework = await ways.both(ask)
        assert by_app == by_framework
        assert by_app.status in (200, 201)
        assert by_app.is_complete
        assert (b'"seq":2' in by_app.body) == (error is None)
        assert (b"event: error\n" in by_app.body) == (error is not None)
        assert b"hunter2" not in by_app.body
        assert len(caplog.records) == (2 if isinstance(error, ValueError) else 0)  # one each
    assert len(STREAMS) == 5


@pytest.mark.parametrize("way", ["app", "framework"])
@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_a_stream_leaves_nothing_behind_however_it_is_left(
    ways: TwoWays, way: str, is_cancelled: bool
) -> None:
    bus = FakeEngine().bus
    ways.engine.bus = bus
    viewer = AsgiViewer()
    receive, has_asked = viewer.receive, False

    async def receive_body_first() -> Message:
        nonlocal has_asked
        if has_asked:
            return await receive()
        has_asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    viewer.receive = receive_body_first  # type: ignore[method-assign]
    app = ways.app if way == "app" else ways.operations.framework()
    await viewer.open(app, Ask("GET", "/v1/events").scope)
    await until(lambda: bool(viewer.pieces))
    assert bus.viewers == 1
    viewer.cancel() if is_cancelled else viewer.leave()
    ended = await viewer.ended()
    assert isinstance(ended, asyncio.CancelledError) if is_cancelled else ended is None
    assert bus.viewers == 0


class Loading:
    """Stands for the making of the framework, which takes as long as the test wants."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made = 0
        self.fails = False
        self.may_end = threading.Event()
        self._framework = shared_two_ways().operations.framework()
        monkeypatch.setattr(framework_module, "make_framework", self._make)

    def _make(self, *_: object) -> FastAPI:
        self.made += 1
        assert self.may_end.wait(30)
        if self.fails:
            raise ImportError("hunter2")
        return self._framework


@pytest.fixture
def unloaded() -> TwoWays:
    """Return an application that has not loaded the framework."""
    fake = FakeEngine()
    return TwoWays(fake.bus, fake.clock)


UNKNOWN = Ask("GET", "/v1/nothing")


async def test_requests_that_come_while_the_framework_loads_wait_for_the_one_load(
    unloaded: TwoWays, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading = Loading(monkeypatch)
    asked = [
        asyncio.create_task(unloaded.answer(unloaded.app, each))
        for each in (UNKNOWN, UNKNOWN, Ask("PUT", "/v1/status"))
    ]
    await until(lambda: unloaded.operations.left == 3)
    served = await unloaded.answer(unloaded.app, Ask("GET", "/v1/status"))
    assert served.status == 200, "what is in order does not wait"
    loading.may_end.set()
    assert [(await each).status for each in asked] == [404, 404, 405]
    assert loading.made == 1


async def test_who_leaves_while_the_framework_loads_does_not_stop_it(
    unloaded: TwoWays, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading = Loading(monkeypatch)
    gone, stays = (asyncio.create_task(unloaded.answer(unloaded.app, UNKNOWN)) for _ in range(2))
    await until(lambda: loading.made == 1 and unloaded.operations.left == 2)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    late = asyncio.create_task(unloaded.answer(unloaded.app, UNKNOWN))
    await until(lambda: unloaded.operations.left == 3)
    loading.may_end.set()
    assert [(await each).status for each in (stays, late)] == [404, 404]
    assert gone.cancelled()
    assert loading.made == 1


async def test_a_framework_that_cannot_be_loaded_is_a_fault_and_is_tried_again(
    unloaded: TwoWays, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    loading = Loading(monkeypatch)
    loading.may_end.set()
    loading.fails = True
    failed = await unloaded.answer(unloaded.app, UNKNOWN)
    assert failed.status == 500
    assert b"hunter2" not in failed.body
    assert [each.getMessage() for each in caplog.records] == ["GET /v1/nothing failed"]
    assert (await unloaded.answer(unloaded.app, Ask("GET", "/v1/status"))).status == 200
    loading.fails = False
    assert (await unloaded.answer(unloaded.app, UNKNOWN)).status == 404
    assert loading.made == 2


async def test_what_the_outer_layers_refuse_loads_no_framework(unloaded: TwoWays) -> None:
    with_token = Ask("GET", "/v1/nothing", headers=[(b"authorization", b"Bearer x")])
    assert (await unloaded.answer(unloaded.app, with_token)).status == 404
    too_large = Ask("POST", "/v1/nothing", headers=[(b"content-length", b"9" * 9)])
    assert (await unloaded.answer(unloaded.app, too_large)).status == 413
    assert unloaded.operations.left == 0
    assert unloaded.engine.calls == []
