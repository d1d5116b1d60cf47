"""Packages are looked up by their own managers, and every failure is told for what it is."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
from tests.support.processes import Bench, marked_pids, open_bench
from tests.support.real_packages import use_package_managers

from roost.engine import Engine, package_finder
from roost.engine.package_finder import PackageFinder
from roost.engine.recipes import BundleRecipes
from roost.errors import CommandNotFound, PackageNotFound, Refused, Unavailable
from roost.models import (
    BundleKind,
    BundleSettings,
    ConfigField,
    Definition,
    FieldType,
    Runtime,
    Source,
    SourceKind,
)

pytestmark = pytest.mark.real

DEAD_PROXY = "http://127.0.0.1:9"
"""Nothing listens on this port."""

NOWHERE = "roost-tests-no-such-package"

FIELD = ConfigField("TOKEN", FieldType.STRING, "TOKEN", sensitive=True)


@dataclass
class Store:
    data_id: str


@dataclass
class World:
    """As much of an engine as looking up takes, with package managers given by the test."""

    driver: Any
    store: Store
    recipes: BundleRecipes

    def finder(self, **tools: Any) -> PackageFinder:
        self.recipes.installers = replace(self.recipes.installers, **tools)
        return PackageFinder(cast(Engine, self))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_bench() as opened:
        yield make(opened, tmp_path, dict(os.environ))


def make(opened: Bench, data_dir: Path, environ: dict[str, str]) -> World:
    return World(opened.driver, Store(opened.data_id), BundleRecipes(data_dir, environ))


def line(*words: str, **changes: Any) -> Definition:
    made = Definition(
        kind=BundleKind.MCP_STDIO,
        runtime=Runtime.NODE,
        title="app",
        version="",
        command=words[0],
        source=Source(SourceKind.COMMAND, words[0]),
        args=words[1:],
    )
    return replace(made, **changes)


def program(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


VIEW = '{"name": "@a/server", "version": "1.2.3", "bin": {"serve": "dist/index.js"}}'


async def test_the_copy_keeps_all_but_how_it_is_started(world: World, tmp_path: Path) -> None:
    npm = program(tmp_path, "npm", f"echo '{VIEW}'")
    given = line(
        *("env", "MODE=a", "npx", "-y", "@a/server", "--x", "${user_config.TOKEN}"),
        env={"TOKEN": "${user_config.TOKEN}"},
        fields=(FIELD,),
        headers={"X": "y"},
        settings=BundleSettings(start_budget_s=99.0),
        secret_arguments=True,
    )
    found = await world.finder(npm=npm, node="/opt/node").pinned(given)
    assert found == replace(
        given,
        command="/opt/node",
        args=(
            "${prepared}/node_modules/@a/server/dist/index.js",
            "--x",
            "${user_config.TOKEN}",
        ),
        env={"TOKEN": "${user_config.TOKEN}", "MODE": "a"},
        version="1.2.3",
        requirements=("@a/server@1.2.3",),
        runtime=Runtime.NODE,
        source=Source(SourceKind.NPM, "@a/server@1.2.3"),
    )


async def test_a_program_that_the_package_does_not_bring_is_refused(
    world: World, tmp_path: Path
) -> None:
    view = VIEW.replace('"serve":', '"a": "a.js", "b":')
    finder = world.finder(npm=program(tmp_path, "npm", f"echo '{view}'"), node="/opt/node")
    with pytest.raises(Refused, match="brings a, b"):
        await finder.pinned(line("npx", "-y", "@a/server"))


async def test_what_fetches_nothing_cannot_be_pinned(world: World) -> None:
    for given in (line("node", "server.js"), line("npx", "-y", "x", env={"npm_config_x": "y"})):
        with pytest.raises(Refused, match="nothing to pin"):
            await world.finder().pinned(given)


async def test_a_variable_that_no_bundle_may_set_is_not_taken_from_a_line(world: World) -> None:
    with pytest.raises(Refused, match="LD_PRELOAD"):
        await world.finder(npm="/x").pinned(line("env", "LD_PRELOAD=/x.so", "npx", "server"))


@pytest.mark.parametrize("missing", ["npm", "node"])
async def test_without_its_package_manager_nothing_is_looked_up(world: World, missing: str) -> None:
    tools: dict[str, str | None] = {"npm": "/bin/true", "node": "/bin/true", missing: None}
    with pytest.raises(CommandNotFound, match=missing):
        await world.finder(**tools).pinned(line("npx", "server"))


async def test_a_registry_that_does_not_answer_is_given_up(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_finder, "LOOKUP_BOUND_S", 0.2)
    finder = world.finder(npm=program(tmp_path, "npm", "sleep 1000"), node="/x")
    with pytest.raises(Unavailable, match="did not answer"):
        await finder.pinned(line("npx", "server"))
    assert marked_pids(world.store.data_id) == ()


async def test_an_answer_that_says_nothing_is_no_package(world: World) -> None:
    with pytest.raises(PackageNotFound, match="'server@99'"):
        await world.finder(npm="/bin/true", node="/x").pinned(line("npx", "server@99"))


@pytest.fixture(params=["npm", "uv", "pip"])
def manager(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    chosen = str(request.param)
    use_package_managers(monkeypatch, npm=chosen == "npm", uv=True)
    return chosen


def asked(manager: str, package: str) -> Definition:
    return line("npx" if manager == "npm" else "uvx", package)


def tools_of(manager: str) -> dict[str, str | None]:
    return {"uv": shutil.which("uv") if manager == "uv" else None}


async def test_a_real_registry_names_the_newest_version(manager: str, world: World) -> None:
    name = "semver" if manager == "npm" else "mcp-server-time"
    found = await world.finder(**tools_of(manager)).pinned(asked(manager, name))
    assert found.version[0].isdigit()
    assert found.requirements[0] in (f"{name}@{found.version}", f"{name}=={found.version}")


async def test_a_real_registry_says_when_it_has_no_such_package(manager: str, world: World) -> None:
    with pytest.raises(PackageNotFound, match=NOWHERE):
        await world.finder(**tools_of(manager)).pinned(asked(manager, NOWHERE))


async def test_a_real_registry_says_when_it_has_no_such_version(manager: str, world: World) -> None:
    package = "semver@99.0.0" if manager == "npm" else "mcp-server-time@99.0"
    with pytest.raises(PackageNotFound):
        await world.finder(**tools_of(manager)).pinned(asked(manager, package))


async def test_an_unreachable_registry_is_unavailable_not_unknown(
    manager: str, tmp_path: Path
) -> None:
    proxies = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"), DEAD_PROXY)
    environ = dict(os.environ) | proxies | {"NO_PROXY": "", "no_proxy": ""}
    async with open_bench() as opened:
        finder = make(opened, tmp_path, environ).finder(**tools_of(manager))
        with pytest.raises(Unavailable, match="does not reach its registry"):
            await finder.pinned(asked(manager, f"{NOWHERE}-{manager}"))


async def test_extras_requirements_and_the_python_are_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_package_managers(monkeypatch, npm=False, uv=True)
    given = line(
        "uvx", "--python", "3.12", "--with", "mcp<2", "mcp-server-sqlite", "--db-path", "x"
    )
    found = await world.finder(uv=shutil.which("uv")).pinned(given)
    assert found.requirements[1:] == ("mcp<2",)
    assert (found.python, found.args) == ("3.12", ("--db-path", "x"))
    assert found.command == "${prepared}/bin/mcp-server-sqlite"
