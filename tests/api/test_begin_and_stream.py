"""A run begun and followed in one request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from tests.contract.waiting import reading
from tests.support.fake_engine import WAIT, FakeEngine, bundle_view
from tests.support.serving import Served, serving_fake

from roost.api.routes.runs import accepts_events
from roost.client.http_engine import HttpEngine
from roost.client.sse import ServerEvent, SseDecoder
from roost.errors import AlreadyActive, ToolNotFound
from roost.models import CallRequest, ExecRequest, RunEvent, RunStatus, RunView, ToolView
from roost.models.codec import from_json, to_json

CALLS = "/v1/workspaces/w/bundles/app/calls"
JSON = {"content-type": "application/json"}
STREAM = JSON | {"accept": "text/event-stream"}


@pytest.fixture
def fake() -> FakeEngine:
    engine = FakeEngine(workspaces=("w",))
    engine.add_bundle(bundle_view("app", workspace="w"))
    engine.add_tool("w", "app", WAIT)
    engine.add_tool("w", "app", ToolView("say"), result="hello")
    return engine


@pytest.fixture
async def served(fake: FakeEngine) -> AsyncIterator[Served]:
    async with serving_fake(fake) as made:
        yield made


@pytest.fixture
async def http(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.AsyncHTTPTransport(verify=False, uds=served.path)
    async with httpx.AsyncClient(transport=transport, base_url="http://roost") as client:
        yield client


@pytest.fixture
async def client(served: Served) -> AsyncIterator[HttpEngine]:
    async with HttpEngine(served.path) as engine:
        yield engine


async def _posted(
    http: httpx.AsyncClient, path: str, request: object
) -> tuple[httpx.Response, list[ServerEvent]]:
    """Post a request and read the stream that answers it to its end."""
    decoder = SseDecoder()
    events: list[ServerEvent] = []
    async with asyncio.timeout(10):
        async with http.stream("POST", path, content=to_json(request), headers=STREAM) as answer:
            async for piece in answer.aiter_bytes():
                events += decoder.feed(piece)
    return answer, events


async def test_the_stream_begins_with_the_run_and_goes_on_with_all_its_events(
    http: httpx.AsyncClient, fake: FakeEngine
) -> None:
    answer, [first, *events] = await _posted(http, CALLS, CallRequest("say"))
    assert answer.status_code == 201
    assert answer.headers["content-type"].startswith("text/event-stream")
    run = from_json(first.data, RunView)
    assert (first.name, first.id, run.tool) == ("run", "", "say")
    stored = (await fake.run("w", run.id)).events
    assert [from_json(event.data, RunEvent) for event in events] == list(stored)
    assert [event.id for event in events] == [str(event.seq) for event in stored]


async def test_nothing_between_the_beginning_and_the_stream_is_lost(
    http: httpx.AsyncClient, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = FakeEngine.call_tool

    async def begin_and_finish(
        self: FakeEngine, workspace: str, name: str, request: CallRequest
    ) -> RunView:
        run = await begin(self, workspace, name, request)
        fake.progress(run.id, 1, 2)
        fake.settle_run(run.id)
        return run

    monkeypatch.setattr(FakeEngine, "call_tool", begin_and_finish)
    _, [_, *events] = await _posted(http, CALLS, CallRequest("wait"))
    numbers = [int(event.id) for event in events]
    assert numbers == list(range(1, len(numbers) + 1))
    assert [event.name for event in events][-2:] == ["step", "status"]


async def test_a_key_that_has_begun_a_run_gives_that_run_from_its_first_event(
    http: httpx.AsyncClient, fake: FakeEngine
) -> None:
    request = CallRequest("say", idempotency_key="k")
    _, first = await _posted(http, CALLS, request)
    _, again = await _posted(http, CALLS, request)
    assert [event.data for event in again[1:]] == [event.data for event in first[1:]]
    assert len(fake.world.runs) == 1


async def test_a_refusal_is_json_with_its_status_and_begins_nothing(
    http: httpx.AsyncClient, fake: FakeEngine
) -> None:
    answer = await http.post(CALLS, content=to_json(CallRequest("shout")), headers=STREAM)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "tool_not_found")
    assert answer.headers["content-type"] == "application/json"
    assert fake.world.runs == {}


async def test_who_does_not_ask_for_a_stream_gets_the_row_alone(http: httpx.AsyncClient) -> None:
    answer = await http.post(CALLS, content=to_json(CallRequest("wait")), headers=JSON)
    assert (answer.status_code, answer.headers["content-type"]) == (201, "application/json")
    assert from_json(answer.content, RunView).tool == "wait"


async def test_a_viewer_that_leaves_does_not_stop_the_run_it_began(
    client: HttpEngine, fake: FakeEngine
) -> None:
    async with reading(client.call_and_follow("w", "app", CallRequest("wait"))) as stream:
        run = await anext(stream)
    assert isinstance(run, RunView)
    fake.progress(run.id, 1, 2)
    assert (await fake.run("w", run.id)).run.status is RunStatus.RUNNING
    assert fake.called("stop_run") == []


async def test_the_client_yields_the_run_and_then_its_events_until_the_daemon_closes(
    client: HttpEngine, fake: FakeEngine
) -> None:
    async with reading(client.call_and_follow("w", "app", CallRequest("wait"))) as stream:
        run, event = await anext(stream), await anext(stream)
        fake.close()
        rest = [later async for later in stream]
    assert isinstance(run, RunView)
    assert isinstance(event, RunEvent)
    assert (event.run_id, event.seq, rest) == (run.id, 1, [])


async def test_the_client_raises_what_the_daemon_refused(client: HttpEngine) -> None:
    with pytest.raises(ToolNotFound):
        await anext(client.call_and_follow("w", "app", CallRequest("shout")))
    await client.call_tool("w", "app", CallRequest("wait", scope="chat"))
    with pytest.raises(AlreadyActive):
        await anext(client.call_and_follow("w", "app", CallRequest("wait", scope="chat")))


async def test_a_command_is_begun_and_followed_alike(client: HttpEngine) -> None:
    async with reading(client.exec_and_follow("w", ExecRequest(("true",)))) as stream:
        run, event = await anext(stream), await anext(stream)
    assert isinstance(run, RunView)
    assert isinstance(event, RunEvent)
    assert event.seq == 1


@pytest.mark.parametrize(
    ("accept", "is_stream"),
    [
        ("text/event-stream", True),
        ("application/json, text/event-stream", True),
        ("Text/Event-Stream; q=0.5", True),
        ("text/event-stream;q=0", False),
        ("*/*", False),
        ("", False),
        ("text/event-streams", False),
    ],
)
def test_only_who_names_event_streams_gets_one(accept: str, is_stream: bool) -> None:
    assert accepts_events(accept) is is_stream
