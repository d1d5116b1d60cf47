"""Event streams: framing, keep-alives by the clock, and nothing left behind at any end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable

import pytest
from tests.support.asgi_stream import AsgiViewer, settle
from tests.support.fake_engine import FakeClock

from roost.api.frames import frame
from roost.api.stream import EventStream
from roost.client.sse import SseDecoder
from roost.errors import StoreUnavailable

COMMENT = b": keep-alive\n\n"


class Source:
    """Frames that a test hands out one by one; an exception ends them with it, None just ends."""

    def __init__(self) -> None:
        self._items: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self.is_closed = False

    def put(self, item: bytes | Exception | None) -> None:
        self._items.put_nowait(item)

    async def frames(self) -> AsyncGenerator[bytes, None]:
        try:
            while (item := await self._items.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.is_closed = True


class Setup:
    """A stream on a clock that the test moves."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.source = Source()
        self.viewer = AsgiViewer()

    async def open(self) -> None:
        await self.viewer.open(EventStream(self.source.frames(), self.clock))

    async def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await settle()

    async def put(self, item: bytes | Exception | None) -> None:
        self.source.put(item)
        await settle()


@pytest.fixture
async def stream() -> AsyncGenerator[Setup, None]:
    setup = Setup()
    await setup.open()
    yield setup
    setup.viewer.leave()
    await setup.viewer.ended()


async def test_a_stream_says_what_it_is_and_is_never_cached(stream: Setup) -> None:
    assert stream.viewer.status == 200
    assert stream.viewer.headers["content-type"].startswith("text/event-stream")
    assert stream.viewer.headers["cache-control"] == "no-store"
    assert "content-length" not in stream.viewer.headers


async def test_a_quiet_stream_gets_a_comment_every_25_seconds_and_none_at_once(
    stream: Setup,
) -> None:
    assert stream.viewer.pieces == []
    await stream.advance(24)
    assert stream.viewer.pieces == []
    await stream.advance(1)
    assert stream.viewer.pieces == [COMMENT]
    await stream.advance(24.9)
    assert stream.viewer.pieces == [COMMENT]
    await stream.advance(0.1)
    assert stream.viewer.pieces == [COMMENT, COMMENT]


async def test_event_consumers_do_not_see_the_comments(stream: Setup) -> None:
    await stream.advance(50)
    await stream.put(frame("x", 1))
    decoder = SseDecoder()
    events = [event for piece in stream.viewer.pieces for event in decoder.feed(piece)]
    assert [event.name for event in events] == ["x"]


async def test_any_frame_puts_the_next_comment_off(stream: Setup) -> None:
    await stream.advance(20)
    await stream.put(b"data: 1\n\n")
    await stream.advance(24)
    assert stream.viewer.pieces == [b"data: 1\n\n"]
    await stream.advance(1)
    assert stream.viewer.pieces == [b"data: 1\n\n", COMMENT]


async def test_silence_is_measured_per_stream(stream: Setup) -> None:
    await stream.advance(20)
    later = Setup()
    later.clock = stream.clock
    await later.open()
    await stream.advance(5)
    assert (stream.viewer.pieces, later.viewer.pieces) == ([COMMENT], [])
    await stream.advance(20)
    assert later.viewer.pieces == [COMMENT]
    later.viewer.leave()
    await later.viewer.ended()


async def test_a_frame_that_a_slow_viewer_takes_late_is_no_silence(stream: Setup) -> None:
    stream.viewer.stall()
    await stream.put(b"data: 1\n\n")
    await stream.advance(60)
    stream.viewer.go_on()
    await settle()
    assert stream.viewer.pieces == [b"data: 1\n\n"]
    await stream.advance(24)
    assert stream.viewer.pieces == [b"data: 1\n\n"]
    await stream.advance(1)
    assert stream.viewer.pieces == [b"data: 1\n\n", COMMENT]


async def test_a_comment_that_a_slow_viewer_takes_late_is_not_repeated(stream: Setup) -> None:
    stream.viewer.stall()
    await stream.advance(25)
    await stream.advance(60)
    stream.viewer.go_on()
    await settle()
    assert stream.viewer.pieces == [COMMENT]


async def test_nothing_comes_behind_the_end_even_when_a_comment_is_due(stream: Setup) -> None:
    stream.clock.advance(25)
    await stream.put(None)
    assert stream.viewer.is_complete
    sent = list(stream.viewer.pieces)
    await stream.advance(100)
    assert stream.viewer.pieces == sent
    assert stream.viewer.is_complete


def _finish(setup: Setup) -> None:
    setup.source.put(None)


def _fail(setup: Setup) -> None:
    setup.source.put(StoreUnavailable("the store does not answer; try again"))


def _cancel(setup: Setup) -> None:
    setup.viewer.cancel()


def _drop(setup: Setup) -> None:
    setup.viewer.leave()


def _break_pipe(setup: Setup) -> None:
    setup.viewer.is_broken = True
    setup.source.put(b"data: 1\n\n")


def _break_pipe_in_silence(setup: Setup) -> None:
    setup.viewer.is_broken = True
    setup.clock.advance(25)


def _cancel_while_it_waits_for_the_viewer(setup: Setup) -> None:
    setup.viewer.stall()
    setup.clock.advance(25)
    setup.viewer.cancel()


def _drop_while_it_waits_for_the_viewer(setup: Setup) -> None:
    setup.viewer.stall()
    setup.source.put(b"data: 1\n\n")
    setup.viewer.leave()


@pytest.mark.parametrize(
    "end",
    [
        _finish,
        _fail,
        _cancel,
        _drop,
        _break_pipe,
        _break_pipe_in_silence,
        _cancel_while_it_waits_for_the_viewer,
        _drop_while_it_waits_for_the_viewer,
    ],
)
async def test_a_stream_leaves_nothing_behind_however_it_ends(end: Callable[[Setup], None]) -> None:
    before = asyncio.all_tasks()
    setup = Setup()
    await setup.open()
    assert setup.clock.sleepers == 1
    end(setup)
    raised = await setup.viewer.ended()
    assert raised is None or isinstance(raised, asyncio.CancelledError)
    sent = list(setup.viewer.pieces)
    await setup.advance(100)
    assert setup.viewer.pieces == sent
    assert setup.clock.sleepers == 0
    assert setup.source.is_closed
    assert asyncio.all_tasks() == before


async def test_frames_that_end_complete_the_response(stream: Setup) -> None:
    await stream.put(b"data: 1\n\n")
    await stream.put(None)
    assert stream.viewer.is_complete
    assert await stream.viewer.ended() is None


async def test_a_refusal_in_the_middle_is_the_last_event(stream: Setup) -> None:
    await stream.put(b"data: 1\n\n")
    await stream.put(StoreUnavailable("the store does not answer; try again"))
    last = next(SseDecoder().feed(stream.viewer.pieces[-1]))
    assert last.name == "error"
    assert '"code":"store_unavailable"' in last.data
    assert stream.viewer.is_complete


async def test_a_fault_in_the_middle_is_logged_and_told_without_its_text(
    stream: Setup, caplog: pytest.LogCaptureFixture
) -> None:
    await stream.put(ValueError("hunter2"))
    last = next(SseDecoder().feed(stream.viewer.pieces[-1]))
    assert (last.name, "hunter2" in last.data) == ("error", False)
    assert '"code":"internal"' in last.data
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert stream.viewer.is_complete
