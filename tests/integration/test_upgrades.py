"""kill -9 in the middle of an install or upgrade: the old state or the new one, never between."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from tests.contract.world import real_engine
from tests.support.bundle_files import manifest, write_archive
from tests.support.real_daemon import wait_for
from tests.support.socket_dir import socket_dir
from tests.support.warm_daemons import warm_program

from roost.engine import Engine
from roost.models import InstallRequest, SourceKind

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests" / "support" / "programs" / "gated_install.py"


async def _kill_at(data_dir: str, verb: str, archive: Path, point: str) -> None:
    """Let a process come to a point of its work and kill it there."""
    log = archive.with_suffix(f".{verb}.log")
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    arguments = (data_dir, verb, str(archive), point)
    process = warm_program(PROGRAM, *arguments, log=log, environ=environ)
    try:
        await asyncio.to_thread(
            wait_for, lambda: (log.read_text(), process.poll()), lambda seen: seen != ("", None)
        )
        assert log.read_text() == "there\n"
    finally:
        process.kill()
        await asyncio.to_thread(process.wait)


def _request(archive: Path) -> InstallRequest:
    return InstallRequest(SourceKind.MCPB, name="app", path=str(archive), start=False)


@pytest.mark.parametrize(
    ("point", "is_there"),
    [("unpacked", False), ("published", False), ("half written", False), ("installed", True)],
)
async def test_a_killed_install_is_whole_or_never_was(
    tmp_path: Path, point: str, is_there: bool
) -> None:
    archive = write_archive(tmp_path / "a.mcpb")
    with socket_dir() as data_dir:
        async with real_engine(data_dir):
            pass
        await _kill_at(data_dir, "install", archive, point)
        async with real_engine(data_dir, has_workspace=True) as engine:
            names = [row.name for row in await engine.store.bundles.list()]
            assert names == (["app"] if is_there else [])
            assert _files(data_dir) == await _kept(engine)
            if not is_there:
                await engine.facade("ops").install("w", _request(archive))


@pytest.mark.parametrize(
    ("point", "version"),
    [
        ("unpacked", "1.0.0"),
        ("published", "1.0.0"),
        ("half written", "1.0.0"),
        ("switched", "2.0.0"),
    ],
)
async def test_a_killed_upgrade_leaves_the_old_version_or_the_new_one(
    tmp_path: Path, point: str, version: str
) -> None:
    first, second = (
        write_archive(tmp_path / f"{number}.mcpb", manifest(version=number))
        for number in ("1.0.0", "2.0.0")
    )
    with socket_dir() as data_dir:
        async with real_engine(data_dir) as engine:
            await engine.facade("ops").install("w", _request(first))
        await _kill_at(data_dir, "upgrade", second, point)
        async with real_engine(data_dir, has_workspace=True) as engine:
            [row] = await engine.store.bundles.list()
            assert row.definition.version == version
            versions = await engine.facade("ops").versions("w", "app")
            assert [view.version for view in versions if view.is_current] == [version]
            assert len(versions) == (2 if version == "2.0.0" else 1)
            assert _files(data_dir) == await _kept(engine)
            assert os.path.isfile(f"{row.definition.root}/server/main.py")


def _files(data_dir: str) -> set[str]:
    """Return every install that lies on the disk, and whatever else lies beside."""
    bundles = Path(data_dir) / "bundles"
    found = {str(path) for path in bundles.glob("*/*/*")}
    return found | {str(path) for path in bundles.glob(".*")}


async def _kept(engine: Engine) -> set[str]:
    definitions = await engine.store.bundles.kept_definitions()
    return {str(definition.root) for definition in definitions}
