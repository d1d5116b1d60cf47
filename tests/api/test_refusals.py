"""Every answer that is not 2xx has one shape, and none repeats a value that may be a secret."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.support.asgi_stream import AsgiViewer, settle
from tests.support.fake_engine import FakeEngine, bundle_view

from roost.api import create_app
from roost.api.app import App
from roost.api.gate import BODY_LIMIT
from roost.errors import (
    AlreadyExists,
    BadFields,
    BundleProtected,
    NotRunning,
    QueueFull,
    RoostError,
    RunNotFound,
    ShuttingDown,
    StoreUnavailable,
)

SECRET = "hunter2-hunter2"


@pytest.fixture
def fake() -> FakeEngine:
    engine = FakeEngine(workspaces=("w",))
    engine.add_bundle(bundle_view("app", workspace="w"))
    return engine


@pytest.fixture
def app(fake: FakeEngine) -> App:
    return create_app(fake, clock=fake.clock)


@pytest.fixture
async def http(app: App) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, client=("uid:0", 0))
    async with httpx.AsyncClient(transport=transport, base_url="http://roost") as client:
        yield client


def _error(answer: httpx.Response) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert list(body) == ["error"]
    assert sorted(body["error"]) == ["code", "details", "message"]
    error: dict[str, Any] = body["error"]
    assert error["message"]
    return error


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (BadFields("app", {"x": "is not a field"}), 422),
        (RunNotFound("r-1"), 404),
        (AlreadyExists("bundle", "app"), 409),
        (NotRunning("app", "stopped"), 409),
        (BundleProtected("app", "a stop"), 403),
        (StoreUnavailable("the store does not answer; try again"), 503),
        (ShuttingDown(), 503),
        (RoostError("something is off; look into the log"), 500),
    ],
)
async def test_the_kind_of_error_decides_the_status(
    fake: FakeEngine, http: httpx.AsyncClient, raised: RoostError, status: int
) -> None:
    fake.refuse_next(raised)
    answer = await http.get("/v1/status")
    assert answer.status_code == status
    assert _error(answer) == {
        "code": raised.code,
        "message": raised.message,
        "details": raised.details,
    }


async def test_a_full_queue_tells_when_to_try_again(
    fake: FakeEngine, http: httpx.AsyncClient
) -> None:
    fake.refuse_next(QueueFull("send", 3, 17))
    answer = await http.get("/v1/status")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "17")
    assert _error(answer)["details"]["retry_after_s"] == 17


async def test_a_fault_is_a_sentence_for_the_caller_and_a_traceback_for_the_log(
    fake: FakeEngine,
    http: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(self: FakeEngine) -> None:
        raise ZeroDivisionError(SECRET)

    monkeypatch.setattr(FakeEngine, "status", fail)
    answer = await http.get("/v1/status")
    assert answer.status_code == 500
    assert _error(answer)["code"] == "internal"
    assert SECRET not in answer.text
    assert "Traceback" not in answer.text
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/status", "/v1/status/", "/docs", "/v1/a/b/c"])
async def test_an_unknown_path_is_an_error_of_the_same_shape(
    http: httpx.AsyncClient, path: str
) -> None:
    answer = await http.get(path)
    assert answer.status_code == 404
    assert _error(answer)["code"] == "not_found"


@pytest.mark.parametrize(
    ("method", "path", "offered"),
    [
        ("POST", "/v1/status", "GET"),
        ("FOO", "/v1/events", "GET"),
        ("DELETE", "/v1/workspaces", "GET, POST"),
        ("POST", "/v1/workspaces/w/bundles/app", "DELETE, GET"),
    ],
)
async def test_an_unknown_method_is_an_error_that_names_all_that_are_offered(
    http: httpx.AsyncClient, method: str, path: str, offered: str
) -> None:
    answer = await http.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == offered
    assert _error(answer)["code"] == "invalid_request"


async def test_a_value_of_the_wrong_kind_is_named_by_its_field_and_never_repeated(
    http: httpx.AsyncClient,
) -> None:
    path = "/v1/workspaces/w/bundles/app/credentials"
    answer = await http.patch(path, json={"set": {"token": {"deep": SECRET}}, "clear": SECRET})
    assert answer.status_code == 422
    error = _error(answer)
    assert error["code"] == "invalid_request"
    assert "body.clear" in error["message"]
    assert any(place.startswith("body.set.token") for place in error["details"]["fields"])
    assert SECRET not in answer.text


async def test_a_missing_field_is_named(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/workspaces/w/bundles/app/calls", json={})
    assert answer.status_code == 422
    assert _error(answer)["details"]["fields"] == {"body.tool": "field required"}


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=99999999",
        f"limit={SECRET}",
        "status=done",
        f"status={SECRET}",
    ],
)
async def test_a_bad_query_names_the_parameter(http: httpx.AsyncClient, query: str) -> None:
    answer = await http.get(f"/v1/runs?{query}")
    assert answer.status_code == 422
    [place] = _error(answer)["details"]["fields"]
    assert place == f"query.{query.partition('=')[0]}"
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"\xff",
        f'{{"set": {{"token": "{SECRET}" }}'.encode(),
        b'{"set": {"number": NaN}}',
        b'{"set": {}, "set": {"token": "' + SECRET.encode() + b'"}}',
        b'{"set": {"token": "a", "token": "' + SECRET.encode() + b'"}}',
        b'{"set": {}, "\\u0073et": {}}',
        pytest.param(b'{"set": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", id="nested-deeply"),
        pytest.param(b'{"set": {"number": ' + b"1" * 5_000 + b"}}", id="long-number"),
        b'{"set": {"token": "\\ud800"}}',
        b"[]",
        b"null",
        b'"text"',
    ],
)
async def test_what_is_not_a_json_object_is_refused_unseen(
    fake: FakeEngine, http: httpx.AsyncClient, body: bytes
) -> None:
    path = "/v1/workspaces/w/bundles/app/credentials"
    answer = await http.patch(path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert _error(answer)["code"] == "invalid_request"
    assert SECRET not in answer.text
    assert fake.calls == []


async def test_a_body_that_is_not_announced_as_json_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.post(
        "/v1/workspaces", content=b'{"id": "a"}', headers={"content-type": "text/plain"}
    )
    assert answer.status_code == 422
    assert _error(answer)["code"] == "invalid_request"


async def test_a_body_that_announces_too_much_is_refused_before_it_is_read(
    fake: FakeEngine, http: httpx.AsyncClient
) -> None:
    answer = await http.post("/v1/workspaces", content=b" " * (BODY_LIMIT + 1))
    assert answer.status_code == 413
    assert str(BODY_LIMIT) in _error(answer)["message"]
    assert fake.calls == []


async def test_a_body_that_grows_too_large_is_cut_off(http: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b" " * (BODY_LIMIT // 4)

    answer = await http.post("/v1/workspaces", content=pieces())
    assert answer.status_code == 413
    assert _error(answer)["code"] == "invalid_request"


async def test_a_body_at_the_limit_is_read(http: httpx.AsyncClient) -> None:
    body = b'{"id": "a"}'.ljust(BODY_LIMIT)
    answer = await http.post(
        "/v1/workspaces", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 201


async def test_a_caller_that_leaves_halfway_has_asked_for_nothing(
    fake: FakeEngine, app: App
) -> None:
    viewer = AsgiViewer()
    path = "/v1/workspaces/w/bundles/app/stop"
    scope = {"type": "http", "method": "POST", "path": path, "headers": [], "query_string": b""}
    await viewer.open(app, scope)
    viewer.leave()
    assert await viewer.ended() is None
    await settle()
    assert fake.calls == []
    assert viewer.status is None


async def test_the_caller_is_the_user_at_the_other_end(
    fake: FakeEngine, http: httpx.AsyncClient
) -> None:
    await http.get("/v1/status")
    assert fake.calls[0].actor == "root"


@pytest.mark.parametrize(
    ("address", "actor"), [("uid:4294967000", "uid:4294967000"), ("127.0.0.1", "127.0.0.1")]
)
async def test_a_user_without_a_name_is_known_by_number(
    fake: FakeEngine, app: App, address: str, actor: str
) -> None:
    transport = httpx.ASGITransport(app, client=(address, 0))
    async with httpx.AsyncClient(transport=transport, base_url="http://roost") as client:
        await client.get("/v1/status")
    assert fake.calls[0].actor == actor


async def test_no_answer_may_be_kept_by_a_cache(http: httpx.AsyncClient) -> None:
    for path in ("/v1/status", "/v1/nothing"):
        assert (await http.get(path)).headers["cache-control"] == "no-store"


async def test_a_body_that_is_not_json_is_called_that(http: httpx.AsyncClient) -> None:
    answer = await http.post(
        "/v1/workspaces", content=b"{", headers={"content-type": "application/json"}
    )
    assert _error(answer)["details"] == {"fields": {"body": "is not valid JSON"}}


async def test_a_body_that_names_a_key_twice_is_told_so(http: httpx.AsyncClient) -> None:
    answer = await http.post(
        "/v1/workspaces",
        content=b'{"id": "a", "label": "x", "label": "y"}',
        headers={"content-type": "application/json"},
    )
    assert _error(answer)["code"] == "invalid_request"
    assert _error(answer)["details"]["fields"] == {"body": "names the same key twice in one object"}


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"source": "command", "start": "yes"}, "body.start", "must be true or false"),
        ({"source": "command", "start": 0}, "body.start", "must be true or false"),
        (
            {"source": "command", "settings": {"settle_s": False}},
            "body.settings.settle_s",
            "must be a number",
        ),
        (
            {"source": "command", "settings": {"call_cap_s": "60"}},
            "body.settings.call_cap_s",
            "must be a number",
        ),
        ({"source": "command", "port": True}, "body.port", "must be a whole number or null"),
    ],
)
async def test_a_value_is_never_taken_for_one_of_another_kind(
    fake: FakeEngine, http: httpx.AsyncClient, body: dict[str, Any], field: str, words: str
) -> None:
    answer = await http.post("/v1/workspaces/w/bundles", json=body)
    assert answer.status_code == 422
    assert _error(answer)["code"] == "invalid_request"
    assert _error(answer)["details"]["fields"] == {field: words}
    assert fake.calls == []


async def test_a_whole_number_is_a_number_too(fake: FakeEngine, http: httpx.AsyncClient) -> None:
    settings = {"settle_s": 1, "drain_s": 2.0}
    body = {"source": "command", "name": "new", "command": ["x"], "settings": settings}
    assert (await http.post("/v1/workspaces/w/bundles", json=body)).status_code == 201
    kept = fake.called("install")[0]["request"].settings
    assert (kept.settle_s, kept.drain_s) == (1, 2)


async def test_the_same_key_in_two_objects_is_fine(
    fake: FakeEngine, http: httpx.AsyncClient
) -> None:
    body = {"tool": "echo", "arguments": {"a": {"id": 1}, "b": [{"id": 2}, {"id": 3}], "id": 1.5}}
    answer = await http.post("/v1/workspaces/w/bundles/app/calls", json=body)
    assert fake.called("call_tool")[0]["request"].arguments == body["arguments"]
    assert _error(answer)["code"] != "invalid_request"


async def test_a_body_that_is_not_announced_as_json_is_told_how(http: httpx.AsyncClient) -> None:
    for headers in ({}, {"content-type": "text/plain"}):
        answer = await http.post("/v1/workspaces", content=b'{"id": "x"}', headers=headers)
        assert "content-type application/json" in _error(answer)["message"]


async def test_a_field_value_of_no_kind_is_one_problem(http: httpx.AsyncClient) -> None:
    path = "/v1/workspaces/w/bundles/app/credentials"
    for value in (None, {SECRET: SECRET}, [1]):
        answer = await http.patch(path, json={"set": {"token": value}})
        problems = _error(answer)["details"]["fields"]
        assert list(problems) == ["body.set.token"] and SECRET not in answer.text
