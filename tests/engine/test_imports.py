"""Imports in a real engine: a reviewed plan, each choice by itself, secrets in the vault only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract.world import real_engine
from tests.support.client_samples import SECRETS, SampleClients, entry_of
from tests.support.real_daemon import MINI, PYTHON

from roost.engine import Engine
from roost.engine.facade import Facade
from roost.errors import BadInput, WorkspaceNotFound
from roost.models import (
    BundleKind,
    ImportChoice,
    ImportEntry,
    ImportOutcome,
    ImportRequest,
    ImportScan,
    SlotState,
    SourceKind,
)

pytestmark = pytest.mark.real

IN_ENV = "ENVvalue-0123456789-abcdef"
IN_ARGV = "ARGvalue-0123456789-abcdef"
ANSWER = "ANSWER-0123456789-abcdef"

ARGS = ["-S", str(MINI)]
SERVERS: dict[str, Any] = {
    "mini": {"command": PYTHON, "args": ARGS, "env": {"API_KEY": IN_ENV}},
    "open": {"command": "sh", "args": ["-c", f"exec {PYTHON} -S {MINI}", f"--token={IN_ARGV}"]},
    "asks": {"command": PYTHON, "args": ARGS, "env": {"API_KEY": "${input:key}"}},
    "far": {
        "url": "https://far.example/mcp?key=abcdefg",
        "headers": {"Authorization": f"Bearer {IN_ENV}"},
    },
}


class Bench:
    """An engine, one operator, and a file with some servers."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.api: Facade = engine.facade("ops")
        self.path = folder / "mcp.json"
        self.scan = ImportScan(files=(str(self.path),), only_given=True)
        self.write()

    def write(self, **changes: Any) -> None:
        inputs = [{"id": "key", "type": "promptString", "password": True}]
        self.path.write_text(json.dumps({"inputs": inputs, "mcpServers": SERVERS | changes}))

    async def entry(self, name: str) -> ImportEntry:
        return entry_of(await self.api.plan_import("w", self.scan), name)

    async def choose(self, entry: str, **options: Any) -> ImportChoice:
        return ImportChoice((await self.entry(entry)).id, **options)

    async def carry_out(self, *choices: ImportChoice, start: bool = False) -> ImportOutcome:
        return await self.api.import_bundles("w", ImportRequest(self.scan, choices, start))

    async def names(self) -> set[str]:
        return {view.name for view in await self.api.bundles("w")}

    def on_disk(self, text: str) -> list[str]:
        """Return the files of the data directory that hold a text."""
        files = (path for path in self.engine.data_dir.rglob("*") if path.is_file())
        return [str(path) for path in files if text.encode() in path.read_bytes()]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with real_engine() as engine, asyncio.timeout(60):
        yield Bench(engine, tmp_path)


async def test_a_choice_becomes_a_bundle_that_is_stopped_with_its_secret_in_the_vault(
    bench: Bench,
) -> None:
    before = bench.path.read_bytes(), bench.path.stat().st_mtime_ns
    bench.path.chmod(0o400)
    outcome = await bench.carry_out(await bench.choose("mini"))
    [result] = outcome.results
    assert (result.ok, result.bundle) == (True, "mini")
    detail = await bench.api.bundle("w", "mini")
    assert detail.view.state is SlotState.STOPPED
    assert detail.definition.source.kind is SourceKind.MCP_SERVERS
    assert detail.definition.source.origin == f"{bench.path}#mini"
    form = await bench.api.credential_form("w", "mini")
    assert [(e.field.key, e.is_set, e.field.sensitive) for e in form.fields] == [
        ("API_KEY", True, True)
    ]
    assert bench.on_disk(IN_ENV) == []
    assert (bench.path.read_bytes(), bench.path.stat().st_mtime_ns) == before


async def test_what_was_imported_runs_with_its_values(bench: Bench) -> None:
    await bench.carry_out(await bench.choose("mini"), start=True)
    result = await bench.api.start("w", "mini")
    assert result.ok or result.code == "already_running", result
    value = await bench.engine.supervisor.call(
        "w", "mini", "env", {"name": "API_KEY"}, lambda _: None
    )
    assert IN_ENV in repr(value)
    assert bench.on_disk(IN_ENV) == []


async def test_an_entry_that_changed_since_the_plan_is_refused_by_itself(bench: Bench) -> None:
    changed, same = await bench.choose("mini"), await bench.choose("asks")
    bench.write(mini={"command": "sh", "args": ["-c", "something else"]})
    outcome = await bench.carry_out(changed, same)
    assert [result.ok for result in outcome.results] == [False, True]
    assert "changed since the plan" in outcome.results[0].sentence
    assert await bench.names() == {"asks"}


async def test_each_choice_succeeds_or_fails_by_itself(bench: Bench) -> None:
    await bench.carry_out(await bench.choose("mini"))
    outcome = await bench.carry_out(
        await bench.choose("asks", name="mini"),
        await bench.choose("asks", name="Not A Name"),
        await bench.choose("asks", answers={"other": "x"}),
        await bench.choose("open"),
        ImportChoice("0123456789abcdef"),
        await bench.choose("asks"),
    )
    assert [result.ok for result in outcome.results] == [False] * 5 + [True]
    assert "already a bundle 'mini'" in outcome.results[0].sentence
    assert "not asked for" in outcome.results[2].sentence
    assert "command line" in outcome.results[3].sentence
    assert await bench.names() == {"mini", "asks"}


async def test_answers_go_to_the_vault_with_the_install(bench: Bench) -> None:
    outcome = await bench.carry_out(await bench.choose("asks", answers={"key": ANSWER}), start=True)
    assert outcome.results[0].ok
    await bench.api.start("w", "asks")
    value = await bench.engine.supervisor.call(
        "w", "asks", "env", {"name": "API_KEY"}, lambda _: None
    )
    assert ANSWER in repr(value)
    assert (await bench.api.credential_form("w", "asks")).revision == 1
    assert bench.on_disk(ANSWER) == []


async def test_a_question_without_an_answer_is_a_missing_credential(bench: Bench) -> None:
    await bench.carry_out(await bench.choose("asks"))
    await bench.api.start("w", "asks")
    view = (await bench.api.bundle("w", "asks")).view
    assert (view.state, view.missing_fields) == (SlotState.NEEDS_CREDENTIALS, ("key",))


async def test_an_allowed_secret_argument_is_shown_by_its_name_only(bench: Bench) -> None:
    entry = await bench.entry("open")
    assert entry.argv[-1] == "--token=<TOKEN>" and entry.secret_arguments == ("TOKEN",)
    await bench.carry_out(await bench.choose("open", secret_arguments=True), start=True)
    await bench.api.start("w", "open")
    detail = await bench.api.bundle("w", "open")
    assert detail.argv[-1] == "--token=<TOKEN>"
    page = await bench.api.log_page("w", "open")
    assert "--token=<TOKEN>" in str(page)
    assert IN_ARGV not in repr(detail) + repr(page) + repr(await bench.api.why("w", "open"))
    assert bench.on_disk(IN_ARGV) == []


async def test_a_server_over_http_keeps_its_headers_as_credentials(bench: Bench) -> None:
    await bench.carry_out(await bench.choose("far"))
    definition = (await bench.api.bundle("w", "far")).definition
    assert definition.kind is BundleKind.MCP_HTTP
    assert definition.url == "https://far.example/mcp?key=${user_config.KEY}"
    assert definition.headers == {"Authorization": "${user_config.Authorization}"}
    assert bench.on_disk(IN_ENV) == []


async def test_what_is_installed_already_is_recognised(bench: Bench) -> None:
    await bench.carry_out(await bench.choose("mini", name="other"))
    entry = await bench.entry("mini")
    assert (entry.installed_as, entry.name) == ("other", "mini")


async def test_an_import_goes_on_when_its_caller_goes_away(bench: Bench) -> None:
    choices = [await bench.choose("mini"), await bench.choose("asks"), await bench.choose("far")]
    events = bench.api.events()
    await anext(events)
    asking = asyncio.create_task(bench.carry_out(*choices))
    while not await bench.names():
        await anext(events)
    asking.cancel()
    while len(await bench.names()) < 3:
        await anext(events)


async def test_a_scan_or_workspace_that_is_none_is_refused(bench: Bench) -> None:
    with pytest.raises(BadInput, match="absolute path"):
        await bench.api.plan_import("w", ImportScan(files=("relative",)))
    with pytest.raises(BadInput, match="absolute path"):
        await bench.api.import_bundles("w", ImportRequest(ImportScan(directories=("x",)), ()))
    with pytest.raises(WorkspaceNotFound):
        await bench.api.plan_import("nope", ImportScan())


async def test_all_samples_are_imported_from_the_daemons_home_without_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = SampleClients(tmp_path)
    monkeypatch.setenv("HOME", str(clients.home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    before = clients.state()
    async with real_engine() as engine, asyncio.timeout(60):
        bench = Bench(engine, tmp_path)
        bench.scan = ImportScan(directories=(str(clients.project),))
        plan = await bench.api.plan_import("w", bench.scan)
        assert len({file.client for file in plan.files}) == 8
        chosen = [
            entry for entry in plan.entries if not entry.problem and entry.argv[:1] != ("sh",)
        ]
        outcome = await bench.carry_out(
            *(ImportChoice(entry.id, secret_arguments=True) for entry in chosen)
        )
        failed = [r.sentence for r in outcome.results if not r.ok]
        assert all("there is no program" in sentence for sentence in failed), failed
        views = await bench.api.bundles("w")
        assert len(views) == len(outcome.results) - len(failed) >= 6
        assert {view.generation for view in views} == {None}
        assert [secret for secret in SECRETS if bench.on_disk(secret)] == []
    assert clients.state() == before
