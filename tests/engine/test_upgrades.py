"""Versions of a bundle side by side: upgrade, roll back, and what goes on with what it had."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.contract.world import real_engine
from tests.support.bundle_files import manifest, server, user_field, write_archive
from tests.support.real_daemon import MINI

from roost.engine import Engine
from roost.engine.facade import Facade
from roost.engine.package_finder import PackageFinder
from roost.errors import (
    BadFields,
    BadManifest,
    BundleNotFound,
    PackageNotFound,
    Refused,
    RoostError,
    SensitiveInArguments,
    VersionNotFound,
)
from roost.models import (
    BundleKind,
    BundleSettings,
    CredentialWrite,
    Definition,
    InstallRequest,
    SlotState,
    SourceKind,
    UpgradeOutcome,
    UpgradeRequest,
)

pytestmark = pytest.mark.real

FAST = BundleSettings(stop_grace_s=1.0)


class Bench:
    """An engine, one operator, and archives of a server that answers."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.api: Facade = engine.facade("ops")
        self.folder = folder

    def archive(self, version: str, content: bytes = b"", **changes: Any) -> InstallRequest:
        """Return a request for an archive of the small MCP server."""
        changes.setdefault("server", server())
        data = manifest(name="app", version=version, **changes)
        path = self.folder / f"{version}.mcpb"
        entries = (("more.txt", content),) if content else ()
        write_archive(path, data, entries, main=MINI.read_bytes())
        return InstallRequest(SourceKind.MCPB, name="app", path=str(path), settings=FAST)

    async def install(self, request: InstallRequest) -> None:
        await self.api.install("w", request)
        if request.start:
            result = await self.api.start("w", "app")
            assert result.ok or result.code == "already_running", result

    async def upgrade(self, request: InstallRequest, reason: str | None = None) -> UpgradeOutcome:
        return await self.api.upgrade("w", "app", UpgradeRequest(request, reason))

    @property
    def unpacked(self) -> list[str]:
        """Versions of the directories that lie on the disk."""
        found = (self.engine.data_dir / "bundles").glob("*/*/*")
        return sorted(path.name.split("-")[0] for path in found)

    @property
    def slot(self) -> Any:
        return self.engine.supervisor.slot("w", "app")


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with real_engine() as engine:
        yield Bench(engine, tmp_path)


async def test_an_upgrade_is_a_new_generation_and_a_roll_back_one_more(bench: Bench) -> None:
    await bench.install(bench.archive("1.0.0"))
    outcome = await bench.upgrade(bench.archive("2.0.0"))
    assert (outcome.before.number, outcome.after.number) == (1, 2)
    assert outcome.respawn is not None and outcome.respawn.ok
    assert outcome.before.ready_ms is not None and outcome.after.ready_ms is not None
    assert bench.slot.generation.number == 2 and bench.slot.generation.version == "2.0.0"
    assert bench.slot.stale_in() == ()
    assert bench.unpacked == ["1.0.0", "2.0.0"]
    back = await bench.api.rollback("w", "app")
    assert back.respawn is not None and back.respawn.ok and back.after.number == 1
    assert bench.slot.generation.number == 3 and bench.slot.generation.version == "1.0.0"
    versions = await bench.api.versions("w", "app")
    assert [(view.number, view.is_current) for view in versions] == [(2, False), (1, True)]
    assert [view.installed_by for view in versions] == ["ops", "ops"]
    transitions = (await bench.api.bundle("w", "app")).transitions
    assert {"upgrade", "rollback"} <= {move.cause for move in transitions}


async def test_the_version_that_counts_is_the_same_after_a_restart_of_the_daemon(
    tmp_path: Path,
) -> None:
    data_dir = tmp_path / "d"
    async with real_engine(str(data_dir)) as engine:
        bench = Bench(engine, tmp_path)
        await bench.install(replace(bench.archive("1.0.0"), start=False))
        await bench.upgrade(bench.archive("2.0.0"))
        await bench.api.rollback("w", "app")
        stray = data_dir / "bundles" / "w" / "app" / "9.9.9-abc-def"
        stray.mkdir()
        rows = await engine.store.bundles.list()
    async with real_engine(str(data_dir), has_workspace=True) as engine:
        assert await engine.store.bundles.list() == rows
        assert [row.version_number for row in rows] == [1]
        bench = Bench(engine, tmp_path)
        assert bench.slot.definition.version == "1.0.0" and bench.slot.version_number == 1
        assert bench.unpacked == ["1.0.0", "2.0.0"]


async def test_settings_order_and_credentials_stay_and_removed_fields_wait_for_a_roll_back(
    bench: Bench,
) -> None:
    fields = {"token": user_field(sensitive=True), "mode": user_field()}
    env = {"TOKEN": "${user_config.token}"}
    first = bench.archive("1.0.0", user_config=fields, server=server(env=env))
    await bench.install(replace(first, start=False, settings=replace(FAST, drain_s=3)))
    await bench.api.write_credentials("w", "app", CredentialWrite({"token": "s3cret", "mode": "x"}))
    second = bench.archive("2.0.0", user_config={"mode": user_field(), "new": user_field()})
    await bench.upgrade(second)
    assert bench.slot.definition.settings == replace(FAST, drain_s=3)
    form = await bench.api.credential_form("w", "app")
    assert [(entry.field.key, entry.is_set) for entry in form.fields] == [
        ("mode", True),
        ("new", False),
    ]
    await bench.api.rollback("w", "app")
    known = await bench.engine.vault.resolve("w", "app", bench.slot.definition.fields)
    assert known.values == {"token": "s3cret", "mode": "x"}


async def test_literal_values_of_the_source_fill_only_what_has_none(bench: Bench) -> None:
    def command(**env: str) -> InstallRequest:
        return InstallRequest(
            SourceKind.COMMAND,
            name="app",
            command=("python3", "-S", str(MINI)),
            env=env,
            kind=BundleKind.MCP_STDIO,
            start=False,
        )

    await bench.install(command(TOKEN="mine-alone"))
    outcome = await bench.upgrade(command(TOKEN="theirs-now", OTHER="fresh-one"))
    assert outcome.after.number == 2 and outcome.respawn is None
    known = await bench.engine.vault.resolve("w", "app", bench.slot.definition.fields)
    assert known.values == {"TOKEN": "mine-alone", "OTHER": "fresh-one"}
    assert known.revision == bench.slot.credential_revision == 2


async def test_a_version_cannot_make_a_kept_secret_readable(bench: Bench) -> None:
    secret = {"token": user_field(sensitive=True)}
    await bench.install(replace(bench.archive("1.0.0", user_config=secret), start=False))
    await bench.api.write_credentials("w", "app", CredentialWrite({"token": "s3cret-value"}))
    await bench.upgrade(bench.archive("2.0.0", user_config={"token": user_field()}))
    [entry] = (await bench.api.credential_form("w", "app")).fields
    assert entry.field.sensitive and entry.is_set and entry.value is None
    shown = server(args=["${__dirname}/server/main.py", "${user_config.token}"])
    with pytest.raises(SensitiveInArguments):
        await bench.upgrade(
            bench.archive("3.0.0", user_config={"token": user_field()}, server=shown)
        )
    assert bench.slot.version_number == 2 and bench.unpacked == ["1.0.0", "2.0.0"]


async def test_a_secret_stays_one_through_a_version_without_its_field(bench: Bench) -> None:
    secret = {"token": user_field(sensitive=True)}
    await bench.install(replace(bench.archive("1.0.0", user_config=secret), start=False))
    await bench.api.write_credentials("w", "app", CredentialWrite({"token": "s3cret-value"}))
    for number in range(2, 8):
        await bench.upgrade(bench.archive(f"{number}.0.0"))
    await bench.upgrade(bench.archive("8.0.0", user_config={"token": user_field()}))
    [entry] = (await bench.api.credential_form("w", "app")).fields
    assert entry.is_set and entry.value is None


async def test_a_version_of_before_may_be_returned_to_whatever_was_made_secret_since(
    bench: Bench,
) -> None:
    shown = server(args=["${__dirname}/server/main.py", "--", "${user_config.mode}"])
    plain, secret = ({"mode": user_field(sensitive=hidden)} for hidden in (False, True))
    first = bench.archive("1.0.0", user_config=plain, server=shown)
    await bench.install(replace(first, start=False))
    await bench.api.write_credentials("w", "app", CredentialWrite({"mode": "quiet-one"}))
    await bench.upgrade(bench.archive("2.0.0", user_config=secret))
    assert (await bench.api.rollback("w", "app")).after.number == 1
    [entry] = (await bench.api.credential_form("w", "app")).fields
    assert entry.is_set and entry.value is None and bench.slot.definition.secret_arguments


async def test_a_value_that_the_new_field_does_not_take_refuses_the_upgrade(bench: Bench) -> None:
    await bench.install(
        replace(bench.archive("1.0.0", user_config={"limit": user_field()}), start=False)
    )
    await bench.api.write_credentials("w", "app", CredentialWrite({"limit": "a lot"}))
    number = {"limit": user_field(type="number")}
    with pytest.raises(BadFields, match="clear it first"):
        await bench.upgrade(bench.archive("2.0.0", user_config=number))
    assert bench.slot.definition.version == "1.0.0" and bench.unpacked == ["1.0.0"]


async def test_a_version_that_does_not_come_up_stays_and_the_sentence_names_the_way_back(
    bench: Bench,
) -> None:
    await bench.install(bench.archive("1.0.0"))
    broken = bench.archive("2.0.0", server=server(args=["${__dirname}/more.txt"]), content=b"!")
    outcome = await bench.upgrade(broken)
    assert outcome.respawn is not None and not outcome.respawn.ok
    assert "`roost rollback w/app`" in outcome.sentence
    assert bench.slot.definition.version == "2.0.0" and bench.slot.state is not SlotState.RUNNING
    back = await bench.api.rollback("w", "app")
    assert back.respawn is not None and back.respawn.ok
    assert bench.slot.state is SlotState.RUNNING


async def test_a_refused_version_changes_nothing_and_leaves_nothing(bench: Bench) -> None:
    await bench.install(bench.archive("1.0.0"))
    generation = bench.slot.generation.id
    with pytest.raises(BadManifest):
        await bench.upgrade(bench.archive("2.0.0", server=server(entry_point="../bin/sh")))
    assert bench.slot.generation.id == generation and bench.unpacked == ["1.0.0"]
    assert not list((bench.engine.data_dir / "bundles").glob(".*"))


async def test_the_same_content_again_is_no_new_version(bench: Bench) -> None:
    await bench.install(bench.archive("1.0.0"))
    generation = bench.slot.generation.id
    outcome = await bench.upgrade(bench.archive("1.0.0"))
    assert outcome.before == outcome.after and outcome.respawn is None
    assert "nothing was changed" in outcome.sentence
    assert bench.slot.generation.id == generation and bench.unpacked == ["1.0.0"]


async def test_a_protected_bundle_goes_on_with_its_process_until_it_is_forced(
    bench: Bench,
) -> None:
    protected = replace(FAST, protected=True)
    await bench.install(replace(bench.archive("1.0.0"), settings=protected))
    generation = bench.slot.generation.id
    outcome = await bench.upgrade(bench.archive("2.0.0"))
    assert outcome.respawn is not None and outcome.respawn.code == "protected"
    assert "`roost respawn w/app --force REASON`" in outcome.sentence
    assert bench.slot.generation.id == generation and bench.slot.restart_pending
    assert {"configuration", "version"} <= set(bench.slot.stale_in())
    forced = await bench.upgrade(bench.archive("3.0.0"), reason="a fix")
    assert forced.respawn is not None and forced.respawn.ok
    assert bench.slot.generation.version == "3.0.0" and not bench.slot.restart_pending


async def test_a_stopped_bundle_has_the_version_from_its_next_start_on(bench: Bench) -> None:
    await bench.install(replace(bench.archive("1.0.0"), start=False))
    outcome = await bench.upgrade(bench.archive("2.0.0"))
    assert outcome.respawn is None and "next start" in outcome.sentence
    assert bench.slot.state is SlotState.STOPPED
    assert (await bench.api.start("w", "app")).ok
    assert bench.slot.generation.version == "2.0.0"


async def test_the_newest_five_and_the_current_one_are_kept(bench: Bench) -> None:
    await bench.install(replace(bench.archive("1.0.0"), start=False))
    for number in range(2, 8):
        await bench.upgrade(bench.archive(f"{number}.0.0"))
    assert [view.number for view in await bench.api.versions("w", "app")] == [7, 6, 5, 4, 3]
    assert bench.unpacked == [f"{number}.0.0" for number in range(3, 8)]
    await bench.api.rollback("w", "app", number=3)
    await bench.upgrade(bench.archive("8.0.0"))
    kept = [view.number for view in await bench.api.versions("w", "app")]
    assert kept == [8, 7, 6, 5, 4, 3], "the one before the change can be returned to"


async def test_a_running_process_keeps_the_files_of_its_version(bench: Bench) -> None:
    protected = replace(FAST, protected=True)
    await bench.install(replace(bench.archive("1.0.0"), settings=protected))
    for number in range(2, 9):
        await bench.upgrade(bench.archive(f"{number}.0.0"))
    assert "1.0.0" in bench.unpacked and "2.0.0" not in bench.unpacked


async def test_what_was_found_of_the_old_version_is_not_believed_of_the_new_one(
    bench: Bench,
) -> None:
    await bench.install(bench.archive("1.0.0"))
    assert bench.slot.era is not None
    await bench.api.stop("w", "app")
    await bench.upgrade(bench.archive("2.0.0"))
    [row] = await bench.engine.store.bundles.list()
    assert bench.slot.era is None and row.era is None
    assert (await bench.api.start("w", "app")).ok
    [row] = await bench.engine.store.bundles.list()
    assert bench.slot.era is not None and row.era == bench.slot.era


async def test_a_removal_takes_every_version_and_leaves_the_data(bench: Bench) -> None:
    await bench.install(bench.archive("1.0.0"))
    await bench.upgrade(bench.archive("2.0.0"))
    state = bench.engine.recipes.state_dir("w", "app")
    assert (await bench.api.remove("w", "app")).ok
    assert bench.unpacked == [] and state.is_dir()
    assert await bench.engine.store.bundles.versions("w", "app") == ()


async def test_there_is_nothing_to_go_back_to_before_the_first_upgrade(bench: Bench) -> None:
    await bench.install(replace(bench.archive("1.0.0"), start=False))
    with pytest.raises(Refused, match="no earlier version"):
        await bench.api.rollback("w", "app")
    with pytest.raises(VersionNotFound, match="no version 7"):
        await bench.api.rollback("w", "app", number=7)
    same = await bench.api.rollback("w", "app", number=1)
    assert same.before == same.after
    with pytest.raises(BundleNotFound):
        await bench.api.upgrade("w", "nobody", UpgradeRequest(bench.archive("2.0.0")))


async def test_two_upgrades_at_once_are_one_after_the_other(bench: Bench) -> None:
    await bench.install(bench.archive("1.0.0"))
    async with asyncio.timeout(30):
        outcomes = await asyncio.gather(
            bench.upgrade(bench.archive("2.0.0")), bench.upgrade(bench.archive("3.0.0"))
        )
    assert sorted(outcome.after.number for outcome in outcomes) == [2, 3]
    current = bench.slot.version_number
    [last] = [outcome for outcome in outcomes if outcome.after.number == 3]
    assert current == 3 and bench.slot.definition.version == last.after.version
    assert bench.slot.generation.version == last.after.version and bench.slot.stale_in() == ()


async def test_an_upgrade_and_a_removal_at_once_leave_no_files(bench: Bench) -> None:
    await bench.install(replace(bench.archive("1.0.0"), start=False))
    async with asyncio.timeout(30):
        results = await asyncio.gather(
            bench.upgrade(bench.archive("2.0.0")),
            bench.api.remove("w", "app"),
            return_exceptions=True,
        )
    assert all(not isinstance(r, BaseException) or isinstance(r, RoostError) for r in results)
    assert bench.unpacked == []
    assert await bench.engine.store.bundles.kept_definitions() == ()


async def test_an_upgrade_and_a_credential_write_at_once_both_count(bench: Bench) -> None:
    fields = {"token": user_field(sensitive=True)}
    server_part = server(env={"TOKEN": "${user_config.token}"})
    first = bench.archive("1.0.0", user_config=fields, server=server_part)
    await bench.install(first)
    async with asyncio.timeout(30):
        await asyncio.gather(
            bench.upgrade(bench.archive("2.0.0", user_config=fields, server=server_part)),
            bench.api.write_credentials("w", "app", CredentialWrite({"token": "s3cret"})),
        )
    known = await bench.engine.vault.resolve("w", "app", bench.slot.definition.fields)
    assert known.values == {"token": "s3cret"}
    assert bench.slot.generation.version == "2.0.0" and bench.slot.stale_in() == ()


@pytest.mark.parametrize("resolve", [True, False])
async def test_what_is_to_be_pinned_is_looked_up_before_it_is_kept(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, resolve: bool
) -> None:
    asked: list[Definition] = []

    async def pinned(self: PackageFinder, definition: Definition) -> Definition:
        asked.append(definition)
        return replace(definition, version="1.2.3", requirements=("thing==1.2.3",))

    monkeypatch.setattr(PackageFinder, "pinned", pinned)
    if resolve:
        command = ("python3", "-S", str(MINI))
        request = InstallRequest(SourceKind.COMMAND, name="app", command=command, resolve=True)
    else:
        request = InstallRequest(SourceKind.PYPI, name="app", requirement="thing")
    await bench.api.install("w", replace(request, start=False))
    assert len(asked) == 1 and bench.slot.definition.version == "1.2.3"
    outcome = await bench.api.pin("w", "app")
    assert len(asked) == 2 and outcome.before == outcome.after, "the same version again"


async def test_a_package_that_is_not_found_leaves_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def pinned(self: PackageFinder, definition: Definition) -> Definition:
        raise PackageNotFound("there is no such package")

    monkeypatch.setattr(PackageFinder, "pinned", pinned)
    with pytest.raises(PackageNotFound):
        await bench.api.install("w", replace(bench.archive("1.0.0"), resolve=True))
    assert bench.unpacked == [] and bench.engine.supervisor.views("w") == ()
