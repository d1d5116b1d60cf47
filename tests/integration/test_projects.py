"""Bundles that are Python projects run without uv, and nothing is written where they lie."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.contract.world import real_engine
from tests.support.bundle_files import manifest
from tests.support.real_daemon import processes_with
from tests.support.real_packages import use_package_managers

from roost.engine import Engine
from roost.models import (
    BundleSettings,
    CallRequest,
    InstallRequest,
    RunStatus,
    SourceKind,
)

pytestmark = pytest.mark.real

BOUND_S = 100.0

PROJECT = """\
[project]
name = "clock"
version = "1.0"
requires-python = ">=3.10"
dependencies = ["mcp-server-time"]
"""
PACKAGE = """\
[project.scripts]
clock-server = "clock:run"
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
"""
MAIN = "from mcp_server_time import main\n\n\ndef run():\n    main()\n"


def write_project(folder: Path, *, as_package: bool) -> Path:
    text = PROJECT + PACKAGE if as_package else PROJECT
    source = folder / ("clock" if as_package else "src")
    source.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(text)
    (source / "__init__.py").write_text(MAIN)
    (source / "beside.py").write_text(MAIN)
    (source / "main.py").write_text("from beside import run\n\nrun()\n")
    start = ["clock-server"] if as_package else ["src/main.py"]
    config = {"command": "uv", "args": ["run", "--directory", "${__dirname}", *start]}
    entry = f"{source.name}/main.py"
    data = manifest(
        name="clock",
        manifest_version="0.4",
        server={"type": "uv", "entry_point": entry, "mcp_config": config},
    )
    (folder / "manifest.json").write_text(json.dumps(data))
    return folder


@pytest.fixture(params=["uv", pytest.param("pip", marks=pytest.mark.soak)])
async def engine(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Engine]:
    use_package_managers(monkeypatch, npm=False, uv=True)
    async with real_engine() as engine:
        if request.param == "pip":
            tools = engine.recipes.installers
            engine.recipes.installers = type(tools)(tools.python)
        yield engine


@pytest.mark.parametrize("as_package", [False, True], ids=["script", "package"])
async def test_a_project_runs_as_one_process_and_its_directory_stays_as_it_was(
    engine: Engine, tmp_path: Path, as_package: bool
) -> None:
    folder = write_project(tmp_path / "clock", as_package=as_package)
    api = engine.facade("ops")
    settings = BundleSettings(start_budget_s=BOUND_S)
    request = InstallRequest(SourceKind.MCPB, path=str(folder), settings=settings, start=False)
    await api.install("w", request)
    slot = engine.supervisor.slot("w", "clock")
    assert slot.definition.is_project and slot.definition.root is not None
    before = _files(Path(slot.definition.root))
    assert (await api.start("w", "clock")).ok, slot.view().reason
    run = await api.call_tool("w", "clock", CallRequest("get_current_time", {"timezone": "UTC"}))
    async with asyncio.timeout(BOUND_S):
        settled = await engine.recorder.wait_settled("w", run.id)
    assert settled.status is RunStatus.SUCCEEDED
    assert len(_tree(engine)) == 1
    assert (await api.stop("w", "clock")).ok and not _tree(engine)
    after = _files(Path(slot.definition.root))
    assert after == before
    if engine.recipes.installers.uv is not None:
        assert list((engine.data_dir / "prepared").glob("*/project/uv.lock"))


def _files(folder: Path) -> set[str]:
    return {os.path.relpath(path, folder) for path in folder.rglob("*")}


def _tree(engine: Engine) -> set[int]:
    mark = f"ROOST_MARK={engine.store.data_id}"
    return set(processes_with(mark)) & set(processes_with("ROOST_BUNDLE=clock\0"))
