"""The published description fits what the API does."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from tests.support.fake_engine import FakeEngine

from roost.api import create_app
from roost.contract import EngineAPI

STREAMS = {"events", "run_events", "follow_log"}

BEGIN_AND_STREAM = {"call_tool", "exec_command", "submit_task"}
"""They answer with the run alone or with all that follows, as the request accepts."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """Ask once: to describe all operations takes longer than all that is checked of it."""
    return asyncio.run(_published())


async def _published() -> dict[str, Any]:
    fake = FakeEngine()
    transport = httpx.ASGITransport(create_app(fake, clock=fake.clock))
    async with httpx.AsyncClient(transport=transport, base_url="http://roost") as http:
        answer = await http.get("/v1/openapi.json")
    found: dict[str, Any] = answer.json()
    return found


def _operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        operation["operationId"]: operation
        for methods in document["paths"].values()
        for operation in methods.values()
    }


def test_every_verb_of_the_contract_is_an_operation(document: dict[str, Any]) -> None:
    verbs = {name for name in vars(EngineAPI) if not name.startswith("_")}
    assert set(_operations(document)) == verbs | {"all_bundles"}


def test_every_operation_is_described_and_filed_under_a_known_tag(
    document: dict[str, Any],
) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    for operation in _operations(document).values():
        assert operation["description"]
        assert set(operation["tags"]) <= tags


def test_every_refusal_is_described_with_the_one_shape(document: dict[str, Any]) -> None:
    reference = {"$ref": "#/components/schemas/ErrorAnswer"}
    for operation in _operations(document).values():
        refusals = {code: told for code, told in operation["responses"].items() if code >= "400"}
        assert {"404", "413", "422", "500", "503"} <= set(refusals)
        for told in refusals.values():
            assert told["content"] == {"application/json": {"schema": reference}}
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_streams_are_described_as_streams_and_the_rest_as_json(document: dict[str, Any]) -> None:
    for name, operation in _operations(document).items():
        [answer] = [told for code, told in operation["responses"].items() if code < "400"]
        is_json, is_stream = name not in STREAMS, name in STREAMS | BEGIN_AND_STREAM
        expected = ["application/json"] * is_json + ["text/event-stream"] * is_stream
        assert sorted(answer["content"]) == expected, name


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(node: Any) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return own + [found for value in node.values() for found in references(value)]
        if isinstance(node, list):
            return [found for value in node for found in references(value)]
        return []

    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) <= known


def test_no_page_loads_scripts_from_elsewhere(document: dict[str, Any]) -> None:
    assert all(path.startswith("/v1/") for path in document["paths"])
