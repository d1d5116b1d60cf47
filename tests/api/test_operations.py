"""Requests in order are answered without the framework, all others exactly as it answers them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.datastructures import State
from tests.support.fake_engine import FakeEngine, bundle_view

from roost.api.app import _MODULES
from roost.api.frames import EngineFrames
from roost.api.operations import Operations


@pytest.fixture
def operations() -> Operations:
    fake = FakeEngine(workspaces=("w",))
    fake.add_bundle(bundle_view("app", workspace="w"))
    state = State({"source": fake, "frames": EngineFrames(fake.bus.start_id), "clock": fake.clock})
    return Operations((each for module in _MODULES for each in module.router.operations), state)


@pytest.fixture
async def http(operations: Operations) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(operations)
    async with httpx.AsyncClient(transport=transport, base_url="http://roost") as client:
        yield client


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/status", 200),
        ("/v1/runs?limit=5&status=running&status=failed&since=0", 200),
        ("/v1/workspaces/w/bundles/app", 200),
        ("/v1/workspaces/w/bundles/gone", 404),
    ],
)
async def test_a_request_in_order_needs_no_framework(
    operations: Operations, http: httpx.AsyncClient, path: str, status: int
) -> None:
    answer = await http.get(path)
    assert answer.status_code == status
    assert operations._framework is None
    from_framework = httpx.ASGITransport(operations.framework())
    async with httpx.AsyncClient(transport=from_framework, base_url="http://roost") as other:
        assert (await other.get(path)).json() == answer.json()


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=10001", "limit=five", "limit=", "status=no", "since=-1"]
)
async def test_a_value_out_of_order_is_refused_by_its_name(
    operations: Operations, http: httpx.AsyncClient, query: str
) -> None:
    answer = await http.get(f"/v1/runs?{query}")
    assert answer.status_code == 422
    assert f"query.{query.partition('=')[0]}" in answer.json()["error"]["message"]
    assert operations._framework is not None


async def test_a_body_out_of_order_reaches_the_framework_whole(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/workspaces", json={"label": "no id"})
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["fields"] == {"body.id": "field required"}
