"""The streams over a real socket: ids, resuming, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from tests.contract.waiting import reading
from tests.support.event_reader import EventReader, event_reader
from tests.support.fake_engine import FakeEngine, bundle_view, run_view
from tests.support.serving import RawViewer, Served, raw_viewer, serving_fake

from roost.client.http_engine import HttpEngine
from roost.client.sse import ServerEvent, SseDecoder
from roost.errors import StoreUnavailable
from roost.models import Change, LogPage, Snapshot, WorkspaceChanged, WorkspaceRemoved
from roost.models.codec import from_json

RUN = "/v1/workspaces/w/runs/r-1/events"
LOG = "/v1/workspaces/w/bundles/app/log/events"
COMMENT = b": keep-alive\n\n"

Ending = Callable[[Served, FakeEngine, EventReader], Awaitable[None]]


@pytest.fixture
def fake() -> FakeEngine:
    engine = FakeEngine(workspaces=("w",))
    engine.add_bundle(bundle_view("app", workspace="w"))
    engine.add_run(run_view("r-1", workspace="w", bundle="app"))
    for number in range(1, 11):
        engine.progress("r-1", number, 10)
    return engine


@pytest.fixture
async def served(fake: FakeEngine) -> AsyncIterator[Served]:
    async with serving_fake(fake) as made:
        yield made


async def _events(viewer: RawViewer, until: str) -> list[ServerEvent]:
    """Read events until one of this name has come."""
    reader = EventReader(viewer)
    await reader.begin()
    return await reader.until(until)


async def _read(served: Served, target: str, *headers: str, until: str) -> list[ServerEvent]:
    async with raw_viewer(served.path, target, *headers) as viewer:
        return await _events(viewer, until)


def _ids(events: list[ServerEvent]) -> list[str]:
    return [event.id for event in events]


async def test_the_stream_begins_with_a_snapshot_under_the_present_id(
    served: Served, fake: FakeEngine
) -> None:
    [event] = await _read(served, "/v1/events", until="snapshot")
    snapshot = from_json(event.data, Snapshot)
    assert event.id == f"fake.{snapshot.revision}" == f"fake.{fake.bus.revision}"
    assert [view.name for view in snapshot.state.bundles] == ["app"]


async def test_changes_come_under_their_name_with_the_change_itself_as_data(
    served: Served, fake: FakeEngine
) -> None:
    async with raw_viewer(served.path) as viewer:
        await _events(viewer, "snapshot")
        made = fake.add_workspace("new")
        decoder = SseDecoder()
        chunk = await viewer.read_until(b"\n\n\r\n")
    [event] = decoder.feed(chunk.partition(b"\r\n")[2])
    assert event.name == "workspace_changed"
    assert event.id == f"fake.{fake.bus.revision}"
    assert from_json(event.data, WorkspaceChanged) == WorkspaceChanged(made)


async def test_a_viewer_that_comes_back_gets_what_it_missed_and_no_snapshot(
    served: Served, fake: FakeEngine
) -> None:
    seen = f"fake.{fake.bus.revision}"
    fake.add_workspace("a")
    fake.change_bundle("w", "app", failures=1)
    events = await _read(served, "/v1/events", f"Last-Event-ID: {seen}", until="bundle_changed")
    assert [event.name for event in events] == ["workspace_changed", "bundle_changed"]


@pytest.mark.parametrize(
    "last_seen", ["", "junk", "fake.", "fake.x", "other.1", "fake.-1", "fake." + "9" * 5000]
)
async def test_an_id_that_is_malformed_or_of_another_start_gets_a_fresh_snapshot(
    served: Served, last_seen: str
) -> None:
    events = await _read(served, "/v1/events", f"Last-Event-ID: {last_seen}", until="snapshot")
    assert len(events) == 1


async def test_who_attaches_during_the_shutdown_gets_the_closing_notice_at_once(
    served: Served, fake: FakeEngine
) -> None:
    fake.close("the daemon is stopping")
    async with raw_viewer(served.path) as viewer:
        events = await _events(viewer, "closing")
        assert await viewer.read_until(b"0\r\n\r\n")
    assert [event.name for event in events] == ["snapshot", "closing"]
    assert events[-1].data == '{"reason":"the daemon is stopping"}'


@pytest.mark.parametrize(
    "target", [RUN, LOG, "/v1/workspaces/w/runs/gone/events"], ids=["run", "log", "missing"]
)
async def test_who_attaches_to_a_run_or_a_log_during_the_shutdown_gets_the_notice_at_once(
    served: Served, fake: FakeEngine, target: str
) -> None:
    fake.close("the daemon is stopping")
    # What would be read may be closed already.
    fake.refuse_next(StoreUnavailable("the store is closed; try again"))
    async with raw_viewer(served.path, target) as viewer:
        events = await _events(viewer, "closing")
        assert await viewer.read_until(b"0\r\n\r\n")
    assert [(event.name, event.data) for event in events] == [
        ("closing", '{"reason":"the daemon is stopping"}')
    ]


async def test_the_notice_does_not_wait_behind_a_log_that_never_ends(
    served: Served, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def flood(*_: object, **__: object) -> AsyncIterator[LogPage]:
        while True:
            yield LogPage(1, (), 0, 0, 0)
            await asyncio.sleep(0)

    monkeypatch.setattr(FakeEngine, "follow_log", flood)
    async with raw_viewer(served.path, LOG) as viewer:
        await _events(viewer, "page")
        fake.close("the daemon is stopping")
        rest = await viewer.read_until(b"0\r\n\r\n")
    assert b"event: closing" in rest


async def test_a_viewer_that_fell_behind_is_told_and_goes_on_from_a_fresh_snapshot() -> None:
    slow = FakeEngine(workspaces=("w",), queue_limit=3)
    async with serving_fake(slow) as served, raw_viewer(served.path) as viewer:
        [first] = await _events(viewer, "snapshot")
        for number in range(10):
            slow.push(WorkspaceRemoved(f"w{number}"))
        fresh = SseDecoder().feed((await viewer.read_until(b"\n\n\r\n")).partition(b"\r\n")[2])
        snapshots = [from_json(event.data, Snapshot) for event in (first, *fresh)]
    assert [snapshot.missed for snapshot in snapshots] == [0, 10]
    assert snapshots[1].revision == snapshots[0].revision + 10


async def test_a_burst_of_changes_costs_one_write(served: Served, fake: FakeEngine) -> None:
    async with raw_viewer(served.path) as viewer:
        await _events(viewer, "snapshot")
        for number in range(10):
            fake.push(WorkspaceRemoved(f"w{number}"))
        size = int((await viewer.read_until(b"\r\n")).strip(), 16)
        piece = await viewer.reader.readexactly(size)
    assert [event.data for event in SseDecoder().feed(piece)] == [
        f'{{"id":"w{number}"}}' for number in range(10)
    ]


async def test_a_viewer_that_drops_is_forgotten(served: Served, fake: FakeEngine) -> None:
    async with raw_viewer(served.path) as viewer:
        await _events(viewer, "snapshot")
        assert fake.bus.viewers == 1
    async with raw_viewer(served.path) as second:
        await _events(second, "snapshot")
        assert fake.bus.viewers == 1


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        (f"{RUN}?after=7", ()),
        (RUN, ("Last-Event-ID: 7",)),
        (f"{RUN}?after=2", ("Last-Event-ID: 7",)),
    ],
)
async def test_a_viewer_of_a_run_resumes_from_its_number(
    served: Served, fake: FakeEngine, target: str, headers: tuple[str, ...]
) -> None:
    fake.settle_run("r-1")
    events = await _read(served, target, *headers, until="status")
    assert _ids(events) == ["8", "9", "10", "11"]
    assert [event.name for event in events] == ["step", "step", "step", "status"]


@pytest.mark.parametrize("number", ["", "x", "-3", "1.5", "7a", "9" * 5000])
async def test_a_number_that_is_none_counts_as_absent(
    served: Served, fake: FakeEngine, number: str
) -> None:
    fake.settle_run("r-1")
    events = await _read(served, RUN, f"Last-Event-ID: {number}", until="status")
    assert _ids(events)[0] == "1"
    query = await _read(served, f"{RUN}?after={number}", until="status")
    assert _ids(query) == _ids(events)


async def test_the_stream_of_a_settled_run_completes(served: Served, fake: FakeEngine) -> None:
    fake.settle_run("r-1")
    async with raw_viewer(served.path, RUN, "Connection: close") as viewer:
        assert (await viewer.read_rest()).endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    "target",
    ["/v1/workspaces/w/runs/r-9/events", "/v1/workspaces/w/bundles/none/log/events"],
)
async def test_a_stream_of_nothing_is_refused_with_a_status(served: Served, target: str) -> None:
    async with raw_viewer(served.path, target, "Connection: close") as viewer:
        assert b" 404 " in await viewer.read_until(b"\r\n")


@pytest.mark.parametrize("target", [RUN, LOG])
async def test_streams_of_runs_and_logs_end_with_the_closing_notice_too(
    served: Served, fake: FakeEngine, target: str
) -> None:
    fake.append_log("w", "app", "hello")
    async with raw_viewer(served.path, target, "Connection: close") as viewer:
        await viewer.read_until(b"\n\n\r\n")
        fake.close("the daemon is stopping")
        rest = await viewer.read_rest()
    assert b'event: closing\ndata: {"reason":"the daemon is stopping"}' in rest
    assert rest.endswith(b"0\r\n\r\n")
    assert fake.bus.viewers == 0


async def test_log_pages_come_as_they_are_written(served: Served, fake: FakeEngine) -> None:
    fake.append_log("w", "app", "one")
    async with raw_viewer(served.path, LOG) as viewer:
        [first] = await _events(viewer, "page")
        fake.append_log("w", "app", "two")
        second = await viewer.read_until(b"\n\n\r\n")
    assert '"text":"one"' in first.data
    assert b'"text":"two"' in second
    assert b'"text":"one"' not in second


# Silence ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("target", "events"), [("/v1/events", 1), (RUN, 10), (LOG, 1)])
@pytest.mark.parametrize(("silences", "comments"), [([24], 0), ([24, 1], 1), ([24, 1, 24, 1], 2)])
async def test_a_silent_stream_carries_one_comment_after_25_seconds_and_two_after_50(
    served: Served,
    fake: FakeEngine,
    target: str,
    events: int,
    silences: list[int],
    comments: int,
) -> None:
    fake.append_log("w", "app", "one")
    async with event_reader(served.path, target) as reader:
        for _ in range(events):
            await reader.next()
        for seconds in silences:
            await _until_asleep(fake, 1)
            fake.clock.advance(seconds)
        await _until_asleep(fake, 1)
        fake.close("the daemon is stopping")
        assert [event.name for event in await reader.rest()][-1] == "closing"
        assert reader.chunks.count(COMMENT) == comments


async def test_a_consumer_of_events_sees_nothing_of_the_comments(
    served: Served, fake: FakeEngine
) -> None:
    async with HttpEngine(served.path) as engine, reading(engine.events()) as events:
        first = await anext(events)
        for _ in range(4):
            await _until_asleep(fake, 1)
            fake.clock.advance(25)
        await _until_asleep(fake, 1)
        fake.add_workspace("new")
        second = await anext(events)
    assert (first.revision + 1, type(second)) == (second.revision, Change)


async def _succeed(served: Served, fake: FakeEngine, reader: EventReader) -> None:
    fake.settle_run("r-1")
    await reader.rest()


async def _fail(served: Served, fake: FakeEngine, reader: EventReader) -> None:
    fake.disconnect()
    assert (await reader.rest())[-1].name == "error"


async def _cancel(served: Served, fake: FakeEngine, reader: EventReader) -> None:
    await served.server.stop()


async def _drop(served: Served, fake: FakeEngine, reader: EventReader) -> None:
    await reader.leave()


@pytest.mark.parametrize("end", [_succeed, _fail, _cancel, _drop])
async def test_a_stream_that_ended_in_any_way_leaves_no_timer_and_sends_nothing_more(
    served: Served, fake: FakeEngine, end: Ending
) -> None:
    before = asyncio.all_tasks()
    async with event_reader(served.path, RUN, "Connection: close") as reader:
        for _ in range(10):
            await reader.next()
        await _until_asleep(fake, 1)
        await end(served, fake, reader)
        await _until_asleep(fake, 0)
        fake.clock.advance(100)
        sent = await reader.everything_else()
    assert COMMENT not in sent
    assert fake.clock.sleepers == 0
    await _until(lambda: asyncio.all_tasks() <= before)


async def _until_asleep(fake: FakeEngine, sleepers: int) -> None:
    await _until(lambda: fake.clock.sleepers == sleepers)


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while True:
            if holds():
                return
            await asyncio.sleep(0)
