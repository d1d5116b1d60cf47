"""The store contract: everything but runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from roost.errors import AlreadyExists, StoreUnavailable
from roost.models import (
    AuditEntry,
    BundleKind,
    BundleRow,
    BundleSettings,
    ConfigField,
    CredentialRow,
    CredentialSet,
    Definition,
    FieldType,
    GenerationView,
    LiveGeneration,
    Runtime,
    SlotState,
    Source,
    SourceKind,
    StartMode,
    StartStep,
    Transition,
    VersionRow,
    WorkspaceView,
)
from roost.store import SqlStore
from roost.store.base import Store

DEFINITION = Definition(
    kind=BundleKind.MCP_STDIO,
    runtime=Runtime.NODE,
    title="Files",
    version="1.2.0",
    command="node",
    args=("${__dirname}/main.js",),
    source=Source(SourceKind.MCPB, "files.mcpb", "ab12"),
    fields=(ConfigField("key", FieldType.STRING, "Key", sensitive=True, required=True),),
)
BUNDLE = BundleRow("main", "files", DEFINITION, should_run=True, installed_at=10)
GENERATION = GenerationView("g-1", 1, "1.2.0", "c0ffee", 3, StartMode.COLD, spawned_at=20, pid=42)
MOVE = Transition(
    "main", "files", 5, SlotState.STOPPED, SlotState.STARTING, "operator", "uid:0", StartStep.SPAWN
)


def test_the_store_meets_its_protocol(closed_store: SqlStore) -> None:
    store: Store = closed_store
    assert store is closed_store


async def test_workspaces_come_back_by_id_and_an_id_is_taken_once(store: SqlStore) -> None:
    await store.workspaces.add(WorkspaceView("abc", "First", 7))
    with pytest.raises(AlreadyExists, match="'abc'"):
        await store.workspaces.add(WorkspaceView("abc", "Second", 8))
    assert [view.id for view in await store.workspaces.list()] == ["abc", "main", "other"]
    assert (await store.workspaces.list())[0] == WorkspaceView("abc", "First", 7)


async def test_a_bundle_comes_back_as_it_was_installed(store: SqlStore) -> None:
    await store.bundles.add(BUNDLE)
    assert await store.bundles.list() == (BUNDLE,)


async def test_another_definition_takes_the_place_of_one_bundles_own(store: SqlStore) -> None:
    await store.bundles.add(BUNDLE)
    await store.bundles.add(replace(BUNDLE, workspace="other"))
    changed = replace(DEFINITION, after=("db",), settings=BundleSettings(drain_s=3.0))
    await store.bundles.set_definition("main", "files", changed)
    await store.bundles.set_definition("main", "missing", changed)
    kept = {row.workspace: row.definition for row in await store.bundles.list()}
    assert kept == {"main": changed, "other": DEFINITION}


async def test_a_bundle_name_is_taken_once_in_each_workspace(store: SqlStore) -> None:
    await store.bundles.add(BUNDLE)
    await store.bundles.add(replace(BUNDLE, workspace="other"))
    with pytest.raises(AlreadyExists, match="'files'"):
        await store.bundles.add(BUNDLE)
    assert len(await store.bundles.list()) == 2


async def test_a_bundle_of_a_missing_workspace_fails_with_the_databases_own_error(
    store: SqlStore,
) -> None:
    with pytest.raises(IntegrityError, match="FOREIGN KEY"):
        await store.bundles.add(replace(BUNDLE, workspace="nowhere"))


async def test_changes_of_a_bundle_stay_in_its_workspace(store: SqlStore) -> None:
    twin = replace(BUNDLE, workspace="other")
    await store.bundles.add(BUNDLE)
    await store.bundles.add(twin)
    await store.bundles.set_should_run("main", "files", False)
    await store.bundles.set_era("main", "files", "2025-11-25")
    changed = replace(BUNDLE, should_run=False, era="2025-11-25")
    assert await store.bundles.list() == (changed, twin)


async def test_removing_a_bundle_takes_its_credentials_and_leaves_its_history(
    store: SqlStore,
) -> None:
    for workspace in ("main", "other"):
        await store.bundles.add(replace(BUNDLE, workspace=workspace))
        await store.credentials.replace(workspace, "files", expected_revision=0, rows=(secret(1),))
    await store.generations.add("main", "files", GENERATION, "handle")
    await store.bundles.remove("main", "files")
    assert [row.workspace for row in await store.bundles.list()] == ["other"]
    assert await store.credentials.load("main", "files") == CredentialSet(0, (), False)
    assert (await store.credentials.load("other", "files")).revision == 1
    assert await store.generations.newest() == {("main", "files"): GENERATION}


async def test_a_generation_is_live_until_its_end_is_kept(store: SqlStore) -> None:
    await store.generations.add("main", "files", GENERATION, "pid:42")
    assert await store.generations.live() == (LiveGeneration("g-1", "main", "files", "pid:42"),)
    await store.generations.set_ready("g-1", 25, 5)
    await store.generations.set_ended("g-1", 30, "SIGKILL")
    assert await store.generations.live() == ()
    ended = replace(GENERATION, ready_at=25, ready_ms=5, ended_at=30, exit="SIGKILL")
    assert await store.generations.history("main", "files", 10) == (ended,)


async def test_newest_revisions_are_told_for_all_bundles_at_once(store: SqlStore) -> None:
    assert await store.credentials.revisions() == {}
    for revision in (0, 1):
        await store.credentials.replace(
            "main", "files", expected_revision=revision, rows=(secret(revision + 1),)
        )
    assert await store.credentials.revisions() == {("main", "files"): 2}


async def test_generation_numbers_and_history_are_per_bundle_and_newest_first(
    store: SqlStore,
) -> None:
    assert await store.generations.newest() == {}
    for number in (1, 2, 3):
        view = replace(GENERATION, id=f"g-{number}", number=number)
        await store.generations.add("main", "files", view, "handle")
    await store.generations.add("other", "files", replace(GENERATION, id="x", number=9), "handle")
    newest = await store.generations.newest()
    assert {key: view.number for key, view in newest.items()} == {
        ("main", "files"): 3,
        ("other", "files"): 9,
    }
    history = await store.generations.history("main", "files", 2)
    assert [view.number for view in history] == [3, 2]


async def test_moves_come_back_newest_first_for_a_bundle_and_for_everything(
    store: SqlStore,
) -> None:
    later = replace(MOVE, before=SlotState.STARTING, after=SlotState.RUNNING, step=None)
    foreign = replace(MOVE, workspace="other")
    await store.transitions.add(())
    await store.transitions.add((MOVE, later))
    await store.transitions.add((foreign,))
    assert await store.transitions.newest("main", "files", 10) == (later, MOVE)
    assert await store.transitions.newest(None, None, 2) == (foreign, later)


async def test_audit_entries_come_back_newest_first(store: SqlStore) -> None:
    first = AuditEntry(1, "uid:0", "bundle.stop", "main", "files", "ok")
    second = AuditEntry(2, "uid:0", "daemon.stop", None, "daemon", "refused", "busy")
    await store.audit.add(first)
    await store.audit.add(second)
    assert await store.audit.newest(5) == (second, first)
    assert await store.audit.newest(1) == (second,)


def secret(revision: int, field: str = "key", ciphertext: bytes = b"\x00sealed") -> CredentialRow:
    return CredentialRow(field, ciphertext, revision, set_at=5, set_by="uid:0")


async def test_a_credential_write_makes_a_revision_and_keeps_the_one_before(
    store: SqlStore,
) -> None:
    rows = store.credentials
    assert await rows.load("main", "files") == CredentialSet(0, (), False)
    assert await rows.previous("main", "files") is None
    first, second = (secret(1),), (secret(1), secret(2, "url"))
    assert await rows.replace("main", "files", expected_revision=0, rows=first)
    assert await rows.load("main", "files") == CredentialSet(1, first, False)
    assert await rows.replace("main", "files", expected_revision=1, rows=second)
    assert await rows.load("main", "files") == CredentialSet(2, second, True)
    assert await rows.previous("main", "files") == first


async def test_only_the_newest_two_credential_sets_are_kept(store: SqlStore) -> None:
    rows = store.credentials
    sets: list[tuple[CredentialRow, ...]] = [(secret(1),), (), (secret(3),)]
    for revision, values in enumerate(sets):
        assert await rows.replace("main", "files", expected_revision=revision, rows=values)
    assert await rows.previous("main", "files") == ()
    assert await rows.load("main", "files") == CredentialSet(3, (secret(3),), True)


async def test_a_credential_write_on_an_old_revision_changes_nothing(store: SqlStore) -> None:
    rows = store.credentials
    await rows.replace("main", "files", expected_revision=0, rows=(secret(1),))
    assert not await rows.replace("main", "files", expected_revision=0, rows=())
    assert await rows.load("main", "files") == CredentialSet(1, (secret(1),), False)
    assert await rows.load("other", "files") == CredentialSet(0, (), False)


async def test_a_closed_store_says_so(closed_store: SqlStore) -> None:
    await closed_store.open()
    await closed_store.close()
    await closed_store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await closed_store.workspaces.list()


async def test_the_identity_of_a_data_directory_outlives_the_daemon(
    closed_store: SqlStore,
) -> None:
    with pytest.raises(StoreUnavailable):
        _ = closed_store.data_id
    async with closed_store:
        first = closed_store.data_id
    async with closed_store:
        assert closed_store.data_id == first
    assert len(first) == 32


async def test_a_bundle_and_the_values_that_came_with_it_are_stored_together(
    store: SqlStore,
) -> None:
    await store.bundles.add(BUNDLE, (secret(1),))
    stored = await store.credentials.load("main", "files")
    assert (stored.revision, stored.rows) == (1, (secret(1),))
    with pytest.raises(AlreadyExists):
        await store.bundles.add(BUNDLE, (secret(2),))
    assert await store.credentials.load("main", "files") == stored


async def test_a_bundle_whose_values_are_not_stored_is_not_stored_either(store: SqlStore) -> None:
    twice = (secret(1), secret(1))
    with pytest.raises(IntegrityError):
        await store.bundles.add(BUNDLE, twice)
    assert await store.bundles.list() == ()
    assert (await store.credentials.load("main", "files")).revision == 0


NEXT = VersionRow(2, replace(DEFINITION, version="2.0.0"), 20, "ops")
SWITCHED = replace(BUNDLE, definition=NEXT.definition, version_number=2)


async def test_a_switch_keeps_the_version_and_its_credentials_or_nothing(store: SqlStore) -> None:
    await store.bundles.add(BUNDLE, (secret(1),), by="first")
    await store.bundles.set_era("main", "files", "2026-07-28")
    late = CredentialSet(7, (secret(8),), has_previous=True)
    assert not await store.bundles.switch_version(SWITCHED, new=NEXT, credentials=late)
    assert [row.number for row in await store.bundles.versions("main", "files")] == [1]
    fit = CredentialSet(1, (secret(2),), has_previous=True)
    assert await store.bundles.switch_version(SWITCHED, new=NEXT, credentials=fit)
    assert await store.bundles.list() == (SWITCHED,), "the era of the old version is forgotten"
    first = VersionRow(1, DEFINITION, 10, "first")
    assert await store.bundles.versions("main", "files") == (NEXT, first)
    assert (await store.credentials.load("main", "files")).revision == 2


async def test_forgotten_versions_and_those_of_a_removed_bundle_are_gone(store: SqlStore) -> None:
    await store.bundles.add(BUNDLE)
    await store.bundles.add(replace(BUNDLE, workspace="other"))
    await store.bundles.switch_version(SWITCHED, new=NEXT)
    assert len(await store.bundles.kept_definitions()) == 3
    await store.bundles.forget_versions("main", "files", (1,))
    assert await store.bundles.versions("main", "files") == (NEXT,)
    await store.bundles.remove("main", "files")
    assert await store.bundles.kept_definitions() == (DEFINITION,)
