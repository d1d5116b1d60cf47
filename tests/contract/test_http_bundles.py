"""A server over HTTP that runs elsewhere, seen through the real engine and its client."""

import asyncio
from dataclasses import replace

import pytest
from tests.contract.waiting import bundle_in, in_status, settled
from tests.contract.world import real_world
from tests.support.bare_http import answer, bare_server, handshake

from roost.models import (
    BundleKind,
    BundleSettings,
    CallRequest,
    CredentialWrite,
    InstallRequest,
    RunStatus,
    SlotState,
    SourceKind,
)

pytestmark = pytest.mark.real

TOKEN = "tok-31c5aa90"


def request_for(url: str) -> InstallRequest:
    return InstallRequest(
        SourceKind.URL,
        name="app",
        url=url,
        headers={"Authorization": f"Bearer {TOKEN}"},
        settings=BundleSettings(probe_interval_s=0.2),
    )


async def test_a_server_elsewhere_shows_its_state_its_tools_and_its_calls() -> None:
    async with asyncio.timeout(30), bare_server(handshake) as server, real_world() as world:
        engine = world.engine
        view = await engine.install("w", request_for(server.url))
        assert (view.kind, view.field_count) == (BundleKind.MCP_HTTP, 1)
        view = await bundle_in(engine, "app", SlotState.RUNNING)
        assert view.generation is not None and view.generation.pid is None
        assert (view.address, view.tool_count) == (server.url, 1)
        assert [tool.name for tool in await engine.tools("w", "app")] == ["echo"]
        run = await engine.call_tool("w", "app", CallRequest("echo"))
        assert (await settled(engine, run.id)).result["content"][0]["text"] == "bare"
        await world.measure("app")
        assert await engine.figures_history("w", "app") == ()
        report = await engine.why("w", "app")
        assert report.is_up and TOKEN not in repr(report)


async def test_a_new_credential_is_sent_by_a_new_session() -> None:
    async with asyncio.timeout(30), bare_server(handshake) as server, real_world() as world:
        engine = world.engine
        await engine.install("w", request_for(server.url))
        await bundle_in(engine, "app", SlotState.RUNNING)
        form = await engine.credential_form("w", "app")
        assert [(f.key, f.sensitive) for f in (s.field for s in form.fields)] == [
            ("Authorization", True)
        ]
        outcome = await engine.write_credentials(
            "w", "app", CredentialWrite({"Authorization": "Bearer new"})
        )
        assert outcome.respawn is not None and outcome.respawn.generation == 2
        assert server.requests[-1].headers["authorization"] == "Bearer new"
        assert TOKEN not in repr(await engine.bundle("w", "app"))


async def test_a_stop_ends_calls_as_restarting_and_leaves_the_server_alone() -> None:
    async with asyncio.timeout(30), bare_server(handshake) as server, real_world() as world:
        engine = world.engine
        await engine.install("w", request_for(server.url))
        await bundle_in(engine, "app", SlotState.RUNNING)
        server.answers = lambda r: None if r.asks == "tools/call" else handshake(r)
        run = await engine.call_tool("w", "app", CallRequest("echo"))
        await in_status(engine, run.id, RunStatus.RUNNING)
        assert (await engine.stop("w", "app")).ok
        ended = (await settled(engine, run.id)).run
        assert ended.error is not None and ended.error.code == "restarting"
        assert server.requests[-1].method == "DELETE"
        view = await bundle_in(engine, "app", SlotState.STOPPED)
        assert view.crash is None and view.address is None


async def test_a_server_that_never_answers_is_given_up_after_the_start_budget() -> None:
    async with asyncio.timeout(30), bare_server(lambda r: None) as server, real_world() as world:
        engine = world.engine
        settings = BundleSettings(start_budget_s=0.5)
        await engine.install("w", replace(request_for(server.url), settings=settings))
        view = await bundle_in(engine, "app", SlotState.DEAD)
        assert view.reason is not None and view.reason.code == "start_timeout"
        assert f"{server.url} never answered the MCP handshake" in view.reason.sentence
        report = await engine.why("w", "app")
        assert "--start-budget 1" in report.sentence and TOKEN not in repr(report)


async def test_an_address_that_holds_a_key_is_never_shown() -> None:
    async with asyncio.timeout(30), bare_server(handshake) as server, real_world() as world:
        engine = world.engine
        request = replace(request_for(f"{server.url}?api_key={TOKEN}"), headers={})
        await engine.install("w", request)
        view = await bundle_in(engine, "app", SlotState.RUNNING)
        assert server.requests[0].path.endswith(f"api_key={TOKEN}")
        server.answers = lambda request: answer(404, b"{}", Content_Type="application/json")
        gone = await bundle_in(engine, "app", SlotState.BACKING_OFF)
        shown = [view, gone, await engine.bundle("w", "app"), await engine.why("w", "app")]
        shown.append(await engine.log_page("w", "app"))
        assert TOKEN not in repr(shown)
