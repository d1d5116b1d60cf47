"""A daemon's shutdown as the screen sees it: folded, watched and put into words."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.support.fake_engine import FIXED_START, FakeClock, FakeEngine

from roost.errors import StoreUnavailable
from roost.models import DaemonView
from roost_tui import connection_text, shutdown_text
from roost_tui.glyphs import ASCII
from roost_tui.shutdown import (
    ANSWER_S,
    ASK_EVERY_S,
    Shutdown,
    ShutdownWatch,
    begun,
    ended,
    heard,
    unheard,
)
from roost_tui.spans import plain
from roost_tui.state import Link, LinkPhase

BOUND_S = 30.0
VIEW = DaemonView("d", "0.1.0", 1, "/data", FIXED_START, is_stopping=True)
WIDE = (120, 13)


def _told(*names: str, deadline_at: int | None = None) -> DaemonView:
    return replace(VIEW, waiting_for=names, stop_deadline_at=deadline_at)


def _after(*steps: tuple[int, tuple[str, ...]], deadline_at: int | None = None) -> Shutdown:
    shutdown = begun(0)
    for at, names in steps:
        shutdown = heard(shutdown, _told(*names, deadline_at=deadline_at), at)
    return shutdown


def test_what_is_no_longer_named_has_ended_and_keeps_its_place() -> None:
    shutdown = _after((0, ("runs", "stop w/a")), (250, ("stop w/a", "store")))
    assert [(entry.name, entry.since, entry.ended_at) for entry in shutdown.awaited] == [
        ("runs", 0, 250),
        ("stop w/a", 0, None),
        ("store", 250, None),
    ]
    assert [entry.name for entry in shutdown.pending] == ["stop w/a", "store"]


def test_what_is_named_again_is_awaited_again() -> None:
    shutdown = _after((0, ("stop w/a",)), (250, ()), (500, ("stop w/a",)))
    assert [(entry.since, entry.ended_at) for entry in shutdown.awaited] == [(0, None)]


def test_silence_lasts_until_the_next_answer() -> None:
    shutdown = unheard(unheard(_after((0, ("runs",))), 2000), 4000)
    assert shutdown.silent_since == 0
    assert heard(shutdown, _told("runs"), 4500).silent_since is None


@pytest.mark.parametrize(
    ("gone_at", "names", "was_forced"),
    [
        (29_000, ("stop w/a",), False),
        (30_000, ("stop w/a",), True),
        (30_000, (), False),
    ],
    ids=["before the deadline", "at the deadline", "nothing left"],
)
def test_only_an_end_at_the_deadline_with_something_left_was_forced(
    gone_at: int, names: tuple[str, ...], was_forced: bool
) -> None:
    last = _after((0, ("stop w/a",)), (28_900, names), deadline_at=30_000)
    assert ended(last, gone_at).was_forced is was_forced


def test_a_daemon_that_tells_no_deadline_is_not_said_to_have_been_forced() -> None:
    assert not ended(_after((0, ("stop w/a",))), 10**6).was_forced


# The watch ----------------------------------------------------------------------------------------


class Gauge:
    """A watch on a fake daemon and everything it told."""

    def __init__(self, fake: FakeEngine) -> None:
        self.fake = fake
        self.told: list[Shutdown] = []
        self.watch = ShutdownWatch(fake, "fake", fake.clock, self.told.append)

    async def asked(self, count: int) -> None:
        async with asyncio.timeout(BOUND_S):
            while True:
                if len(self.told) >= count and self.fake.clock.sleepers:
                    return
                await asyncio.sleep(0)


async def test_the_watch_tells_each_answer_and_ends_with_the_daemon() -> None:
    gauge = Gauge(FakeEngine())
    gauge.fake.begin_stop("runs", "stop w/a", deadline_s=30)
    watching = asyncio.create_task(gauge.watch.run())
    await gauge.asked(1)
    gauge.fake.wait_for("stop w/a")
    gauge.fake.clock.advance(ASK_EVERY_S)
    await gauge.asked(2)
    gauge.fake.disconnect()
    gauge.fake.clock.advance(ASK_EVERY_S)
    shutdown = await watching
    assert [len(entry.pending) for entry in gauge.told] == [2, 1]
    assert shutdown.deadline_at == FIXED_START + 30_000
    assert shutdown.gone_at == FIXED_START + 500


async def test_a_refusal_is_no_end() -> None:
    gauge = Gauge(FakeEngine())
    gauge.fake.begin_stop("store")
    gauge.fake.refuse_next(StoreUnavailable("the store is closed"))
    watching = asyncio.create_task(gauge.watch.run())
    await gauge.asked(1)
    assert gauge.told[0].silent_since is not None
    gauge.fake.clock.advance(ASK_EVERY_S)
    await gauge.asked(2)
    assert gauge.told[1].silent_since is None
    gauge.fake.disconnect()
    gauge.fake.clock.advance(ASK_EVERY_S)
    assert (await watching).gone_at is not None


async def test_a_daemon_that_holds_its_answer_back_is_silent_and_not_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("roost_tui.shutdown.ANSWER_S", 0.01)
    fake = FakeEngine()

    async def never() -> DaemonView:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    monkeypatch.setattr(fake, "status", never)
    assert await ShutdownWatch(fake, "fake", FakeClock(), print).ask() is None
    assert ANSWER_S > ASK_EVERY_S


async def test_only_a_later_start_of_the_daemon_is_there_again() -> None:
    fake = FakeEngine()
    watch = ShutdownWatch(fake, "fake", fake.clock, lambda _: None)
    assert not await watch.is_there_again()
    fake.disconnect()
    assert not await watch.is_there_again()
    fake.restart()
    assert await watch.is_there_again()


# In words -----------------------------------------------------------------------------------------


def _lines(link: Link, now: int, room: tuple[int, int] = WIDE, **options: bool) -> list[str]:
    spans = connection_text.lines(
        link,
        now,
        has_rows=True,
        keys=("r", "q"),
        is_read_only=options.get("is_read_only", False),
        room=room,
        glyphs=ASCII,
    )
    return [plain(line).rstrip() for line in spans]


def _closing(shutdown: Shutdown, reason: str = "") -> Link:
    return Link(LinkPhase.CLOSING, reason, shutdown=shutdown)


def _stopped(shutdown: Shutdown, reason: str = "") -> Link:
    return Link(LinkPhase.STOPPED, reason, shutdown=shutdown)


def test_a_stopping_daemon_is_said_to_wait_by_name_with_times() -> None:
    shutdown = _after((0, ("runs", "stop w/a")), (400, ("stop w/a",)), deadline_at=30_000)
    head, first, second, keys = _lines(_closing(shutdown, "stopped by ops"), 2_800)
    assert head.startswith(" The daemon is stopping   for 2s, forced to end in 28s ")
    assert head.endswith("stopped by ops")
    assert first.split() == ["+", "ended", "runs", "0.4s"]
    assert second.split() == [">", "waiting", "stop", "w/a", "2.8s"]
    assert keys.startswith(" q leaves ")


def test_before_the_first_answer_only_the_stop_itself_is_said() -> None:
    assert _lines(Link(LinkPhase.CLOSING, "bye"), 0)[0].startswith(" The daemon is stopping")


def test_a_silent_daemon_is_said_to_be_silent() -> None:
    shutdown = unheard(_after((0, ("runs",))), 4_000)
    assert "no answer for 4s" in _lines(_closing(shutdown), 4_000)[0]


def test_more_than_fits_is_counted_and_what_is_awaited_comes_first() -> None:
    names = tuple(f"stop w/{number}" for number in range(30))
    shutdown = _after((0, names), (250, names[20:]))
    lines = _lines(_closing(shutdown), 250, (80, 8))
    assert len(lines) == 8
    assert all("waiting" in line for line in lines[1:6])
    assert lines[6].strip() == "and 25 more, 20 of them ended"


def test_a_long_name_is_cut_and_the_line_still_fits() -> None:
    shutdown = _after((0, ("stop " + "x" * 100,)))
    row = _lines(_closing(shutdown), 0, (60, 8))[1]
    assert row.endswith("~     0ms")
    assert len(row) <= 60


def test_a_daemon_that_has_stopped_offers_to_start_it_again() -> None:
    shutdown = ended(_after((0, ("runs", "stop w/a")), (250, ("stop w/a",))), 500)
    head, first, second, keys = _lines(_stopped(shutdown), 9_000)
    assert head == " The daemon has stopped; last known below   after 0.5s"
    assert "ended" in first and "gone" in second
    assert keys == " r starts it again  q leaves"


def test_a_read_only_screen_offers_to_connect_only() -> None:
    lines = _lines(_stopped(ended(begun(0), 500)), 500, is_read_only=True)
    assert lines[-1] == " r connects again  q leaves"


def test_a_forced_end_names_what_was_waited_for_last() -> None:
    shutdown = ended(_after((0, ("stop w/a", "stop w/b")), deadline_at=30_000), 30_050)
    head, first, *_ = _lines(_stopped(shutdown), 40_000)
    waited = "it still waited for stop w/a and stop w/b"
    assert head == f" The daemon was forced to end after 30s: {waited}"
    assert first.split()[:3] == ["!", "cut", "off"]
    said = shutdown_text.ending(shutdown)
    assert said == f"the daemon was forced to end after 30s: {waited}; its log says more"


def test_many_names_are_counted_in_the_sentence() -> None:
    names = tuple(f"stop w/{number}" for number in range(5))
    shutdown = ended(_after((0, names), deadline_at=1), 30_000)
    assert "stop w/0, stop w/1 and 3 more; " in shutdown_text.ending(shutdown)


def test_a_lost_daemon_says_when_it_is_tried_again() -> None:
    link = Link(LinkPhase.LOST, "it went away", 4_000)
    assert _lines(link, 0)[0].endswith("next try in 4s, r tries now")
    assert _lines(link, 4_000)[0].endswith("trying now")


def test_a_connection_that_comes_up_again_is_said_over_the_last_known_rows() -> None:
    link = Link(LinkPhase.CONNECTING)
    assert _lines(link, 0) == [" Connecting to the daemon; last known below"]
    assert _lines(Link(LinkPhase.LIVE), 0) == []
