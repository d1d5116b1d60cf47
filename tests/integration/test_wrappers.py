"""Real servers behind npx, npm exec, uvx, uv run and sh -c, and the pinned copies of them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.contract.world import real_engine
from tests.support.processes import until
from tests.support.real_daemon import is_alive, processes_with
from tests.support.real_packages import use_package_managers

from roost.bundles import InstalledBundle
from roost.engine import Engine
from roost.engine.installs import Installs
from roost.engine.package_finder import PackageFinder
from roost.models import (
    BundleKind,
    BundleSettings,
    CallRequest,
    Definition,
    InstallRequest,
    RunStatus,
    Runtime,
    SlotState,
    Source,
    SourceKind,
)
from roost.supervision import BundleSlot

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

BOUND_S = 90.0

MEMORY = "@modelcontextprotocol/server-memory"

SETTINGS = BundleSettings(start_budget_s=BOUND_S, stop_grace_s=2.0)

READ_GRAPH = CallRequest("read_graph")
TELL_TIME = CallRequest("get_current_time", {"timezone": "UTC"})
LIST_TABLES = CallRequest("list_tables")

LINES = {
    "npx": (("npx", "-y", MEMORY), READ_GRAPH),
    "npm exec": (("npm", "exec", "-y", "--", MEMORY), READ_GRAPH),
    "uvx": (("uvx", "mcp-server-time", "--local-timezone", "UTC"), TELL_TIME),
    "uv run": (
        ("uv", "run", "--no-project", "--with", "mcp-server-time", "mcp-server-time"),
        TELL_TIME,
    ),
    "sh -c": (("sh", "-c", f"npx -y {MEMORY}; true"), READ_GRAPH),
}


MANAGERS = ("npx", "uvx")
"""One line of each package manager; the others come to the same in every run but the soak's."""


class World:
    """An engine in this process with one operator."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.api = engine.facade("ops")

    async def add(self, definition: Definition) -> BundleSlot:
        """Add a definition as it is, unstarted."""
        request = InstallRequest(definition.source.kind, start=False)
        installs = Installs(self.engine, actor="ops", audit=_no_audit)
        await installs.add("w", InstalledBundle("app", definition), request)
        return self.engine.supervisor.slot("w", "app")

    async def call(self, request: CallRequest) -> RunStatus:
        run = await self.api.call_tool("w", "app", request)
        async with asyncio.timeout(BOUND_S):
            return (await self.engine.recorder.wait_settled("w", run.id)).status

    def tree(self) -> set[int]:
        mark = f"ROOST_MARK={self.engine.store.data_id}"
        return set(processes_with(mark)) & set(processes_with("ROOST_BUNDLE=app\0"))


async def _no_audit(*_: Any) -> None:
    pass


def wrapped(*line: str) -> Definition:
    return Definition(
        kind=BundleKind.MCP_STDIO,
        runtime=Runtime.NODE if line[0].startswith("np") else Runtime.UV,
        title="app",
        version="",
        command=line[0],
        source=Source(SourceKind.COMMAND, line[0]),
        args=line[1:],
        settings=SETTINGS,
    )


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    use_package_managers(monkeypatch, npm=True, uv=True)
    async with real_engine() as engine:
        yield World(engine)


@pytest.mark.parametrize(
    "name",
    [
        *MANAGERS,
        "sh -c",
        *(pytest.param(n, marks=pytest.mark.soak) for n in ("npm exec", "uv run")),
    ],
)
async def test_no_process_of_a_wrapped_server_outlives_its_end(world: World, name: str) -> None:
    line, request = LINES[name]
    slot = await world.add(wrapped(*line))
    assert (await world.api.start("w", "app")).ok, slot.view().reason
    assert await world.call(request) is RunStatus.SUCCEEDED
    first = world.tree()
    assert len(first) >= 2
    assert (await world.api.respawn("w", "app")).ok
    second = world.tree()
    assert len(second) >= 2 and not first & second
    assert not any(map(is_alive, first))
    await _kill_the_leader(slot)
    await until(lambda: not any(map(is_alive, second)), within_s=BOUND_S)
    await until(lambda: slot.state is SlotState.RUNNING, within_s=BOUND_S)
    assert await world.call(request) is RunStatus.SUCCEEDED
    third = world.tree()
    assert (await world.api.stop("w", "app")).ok
    assert not world.tree() and not any(map(is_alive, third))


async def _kill_the_leader(slot: BundleSlot) -> None:
    generation = slot.view().generation
    assert generation is not None and generation.pid is not None
    number = generation.number

    def is_replaced() -> bool:
        now = slot.view().generation
        return now is not None and now.number > number

    os.kill(generation.pid, signal.SIGKILL)
    await until(is_replaced, within_s=BOUND_S)


@pytest.mark.parametrize("name", MANAGERS)
async def test_a_pinned_copy_is_one_process_that_needs_no_network_once_it_is_prepared(
    world: World, name: str
) -> None:
    line, request = LINES[name]
    pinned = await PackageFinder(world.engine).pinned(wrapped(*line))
    assert pinned.version and pinned.requirements[0].endswith(pinned.version)
    slot = await world.add(pinned)
    assert (await world.api.start("w", "app")).ok, slot.view().reason
    assert (await world.api.stop("w", "app")).ok
    dead = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    world.engine.recipes.base_env |= dead
    assert (await world.api.start("w", "app")).ok, slot.view().reason
    assert await world.call(request) is RunStatus.SUCCEEDED
    assert len(world.tree()) == 1
    plan = world.engine.recipes.plan_prepare("w", "app", pinned)
    assert plan is not None
    assert [path.name for path in Path(plan.prepared_dir).parent.iterdir()] == [
        Path(plan.prepared_dir).name
    ]
    assert (await world.api.stop("w", "app")).ok
    assert not world.tree()


async def _outcome(world: World, definition: Definition, request: CallRequest) -> str:
    """Run a definition and return what its failed start says, or an empty text."""
    await world.add(definition)
    started = await world.api.start("w", "app")
    said = "" if started.ok else (await world.api.why("w", "app")).sentence
    if started.ok:
        assert await world.call(request) is RunStatus.SUCCEEDED
    await world.api.remove("w", "app", delete_data=True)
    return said


@pytest.mark.parametrize("is_pinned", [False, pytest.param(True, marks=pytest.mark.soak)])
async def test_an_old_server_that_dies_with_a_new_library_is_told_a_remedy_that_works(
    world: World, tmp_path: Path, is_pinned: bool
) -> None:
    database = ("--db-path", str(tmp_path / "test.db"))
    broken = wrapped("uvx", "mcp-server-sqlite", *database)
    mended = wrapped("uvx", "--with", "mcp<2", "mcp-server-sqlite", *database)
    if is_pinned:
        finder = PackageFinder(world.engine)
        broken, mended = await finder.pinned(broken), await finder.pinned(mended)
    assert "mcp<2" in await _outcome(world, broken, LIST_TABLES)
    assert await _outcome(world, mended, LIST_TABLES) == ""


@pytest.mark.parametrize("name", MANAGERS)
async def test_a_version_that_is_gone_leaves_nothing_behind_and_is_told(
    world: World, name: str
) -> None:
    pinned = await PackageFinder(world.engine).pinned(wrapped(*LINES[name][0]))
    gone = pinned.requirements[0].replace(pinned.version, "99.99.99")
    await world.add(replace(pinned, requirements=(gone,)))
    assert not (await world.api.start("w", "app")).ok
    told = (await world.api.why("w", "app")).sentence
    assert gone in told and "does not exist in the registry" in told
    assert list((world.engine.data_dir / "prepared").iterdir()) == []
