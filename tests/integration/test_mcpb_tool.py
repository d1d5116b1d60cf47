"""Bundles as the official tool packs and signs them, around real servers."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.contract.world import real_engine
from tests.support.bundle_files import server, user_field
from tests.support.packed_servers import NODE_ENTRY, packed, sign

from roost.engine import Engine
from roost.errors import BadFields
from roost.models import (
    BundleSettings,
    CredentialWrite,
    InstallRequest,
    SlotState,
    SourceKind,
    UpgradeRequest,
)
from roost.models.codec import to_json

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

SECRET = "a$$b $& ${HOME}"


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    async with real_engine() as engine:
        yield engine


def node_server(name: str, *args: str, **env: str) -> dict[str, Any]:
    entry = NODE_ENTRY.format(name)
    command = {"command": "node", "args": [f"${{__dirname}}/{entry}", *args], "env": env}
    return server(type="node", entry_point=entry, **command)


def request(archive: Path, **changes: Any) -> InstallRequest:
    settings = BundleSettings(start_budget_s=240, stop_grace_s=2)
    return InstallRequest(SourceKind.MCPB, path=str(archive), settings=settings, **changes)


async def call(engine: Engine, name: str, tool: str, **arguments: Any) -> str:
    answer = await engine.supervisor.call("w", name, tool, arguments, lambda _: None)
    return to_json(answer).decode()


async def test_a_secret_arrives_as_it_is_through_an_upgrade_and_back(engine: Engine) -> None:
    fields = {
        "key": user_field(sensitive=True, required=True),
        "unset": user_field(),
        "limit": user_field(type="number", min=1, max=100, default=5),
    }
    env = {
        "API_KEY": "${user_config.key}",
        "UNSET": "${user_config.unset}",
        "LIMIT": "${user_config.limit}",
    }
    changes = {"server": node_server("everything", **env), "user_config": fields}
    first = packed("everything", "1.0.0", **changes)
    api = engine.facade("ops")
    plan = await api.plan_install("w", request(first))
    assert plan.missing_fields == ("key",) and plan.sha256 is not None
    view = await api.install("w", request(first, sha256=plan.sha256, start=False))
    assert view.name == "everything"
    with pytest.raises(BadFields):
        await api.write_credentials("w", "everything", CredentialWrite({"limit": 1000}))
    await api.write_credentials("w", "everything", CredentialWrite({"key": SECRET}))
    started = await api.start("w", "everything")
    assert started.ok, started
    shown = await call(engine, "everything", "get-env")
    assert SECRET in shown and "UNSET" not in shown

    second = packed("everything", "2.0.0", **changes)
    outcome = await api.upgrade("w", "everything", UpgradeRequest(request(second)))
    assert outcome.respawn is not None and outcome.respawn.ok, outcome
    assert (outcome.before.version, outcome.after.version) == ("1.0.0", "2.0.0")
    assert SECRET in await call(engine, "everything", "get-env")

    back = await api.rollback("w", "everything")
    assert back.respawn is not None and back.respawn.ok and back.after.version == "1.0.0"
    assert SECRET in await call(engine, "everything", "get-env")


async def test_several_directories_one_with_a_space_become_arguments_of_their_own(
    engine: Engine, tmp_path: Path
) -> None:
    fields = {"dirs": user_field(type="directory", multiple=True, required=True)}
    archive = packed(
        "filesystem",
        "1.0.0",
        server=node_server("filesystem", "${user_config.dirs}"),
        user_config=fields,
    )
    folders = [tmp_path / "plain", tmp_path / "with a space"]
    for folder in folders:
        folder.mkdir()
    (folders[1] / "note.txt").write_text("found it")
    api = engine.facade("ops")
    await api.install("w", request(archive, start=False))
    values = CredentialWrite({"dirs": [str(folder) for folder in folders]})
    await api.write_credentials("w", "filesystem", values)
    started = await api.start("w", "filesystem")
    assert started.ok, started
    slot = engine.supervisor.slot("w", "filesystem")
    assert slot.argv[-2:] == tuple(map(str, folders))
    read = await call(engine, "filesystem", "read_text_file", path=f"{folders[1]}/note.txt")
    assert "found it" in read


async def test_a_python_server_with_its_library_runs_signed_or_not(
    engine: Engine, tmp_path: Path
) -> None:
    config = server(
        args=["${__dirname}/server/main.py", "--local-timezone", "UTC"],
        env={"PYTHONPATH": "${__dirname}/server/lib"},
    )
    archive = packed("time", "1.0.0", server=config)
    content = hashlib.sha256(archive.read_bytes()).hexdigest()
    signed = Path(shutil.copy(archive, tmp_path / "signed.mcpb"))
    sign(signed)
    api = engine.facade("ops")
    plan = await api.plan_install("w", request(signed))
    assert plan.content_sha256 == content
    assert plan.sha256 == hashlib.sha256(signed.read_bytes()).hexdigest() != content
    assert plan.signed_by
    await api.install("w", replace(request(signed), sha256=plan.sha256))
    started = await api.start("w", "time")
    assert started.ok, started
    assert engine.supervisor.slot("w", "time").state is SlotState.RUNNING
    assert "UTC" in await call(engine, "time", "get_current_time", timezone="UTC")
