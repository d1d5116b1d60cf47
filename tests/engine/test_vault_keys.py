"""Rotation of the vault's key, and what happens beside it."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.fake.clock import FakeClock
from tests.support.stores import STORES, add_workspaces

from roost.engine.vault_keys import VaultKeys, open_vault
from roost.errors import Conflict, Refused, StoreUnavailable, VaultUnavailable
from roost.models import (
    BundleKind,
    BundleRow,
    ConfigField,
    CredentialWrite,
    Definition,
    FieldType,
    FieldValue,
    KeyPlace,
    Runtime,
    Source,
    SourceKind,
)
from roost.settings.daemon_settings import DaemonSettings, Secret, VaultKeyStore
from roost.store import SqlStore
from roost.vault import KeyFile, KeySet

FIELDS = tuple(
    ConfigField(key, FieldType.STRING, key, sensitive=True) for key in ("user", "token", "pin")
)

DEFINITION = Definition(
    kind=BundleKind.COMMAND,
    runtime=Runtime.BINARY,
    title="App",
    version="1",
    command="app",
    source=Source(SourceKind.COMMAND, "app"),
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with STORES["sqlite"](tmp_path) as opened:
        yield opened


@pytest.fixture
async def keys(store: SqlStore, tmp_path: Path) -> VaultKeys:
    return await start(store, tmp_path)


async def start(store: SqlStore, data_dir: Path, **settings: object) -> VaultKeys:
    """Open the vault as a daemon does."""
    given = DaemonSettings(
        data_dir=data_dir,
        vault_key_store=VaultKeyStore.FILE,
        **settings,  # type: ignore[arg-type]
    )
    return await open_vault(given, data_dir / "keys", store, FakeClock(), {})


async def write(keys: VaultKeys, bundle: str = "app", **values: FieldValue) -> int:
    write = CredentialWrite(set=values)
    revision, _ = await keys.vault.write("w", bundle, FIELDS, write, "test")
    return revision


async def read(keys: VaultKeys, bundle: str = "app") -> dict[str, object]:
    return dict((await keys.vault.resolve("w", bundle, FIELDS)).values)


def text(key: bytes) -> str:
    return base64.b64encode(key).decode()


async def test_a_rotation_seals_every_revision_anew_and_forgets_the_old_key(
    keys: VaultKeys, store: SqlStore, tmp_path: Path
) -> None:
    await write(keys, user="a", token="first-token")
    await write(keys, token="second-token")
    await write(keys, "other", pin="1234567")
    before = await keys.view()
    old_key = (tmp_path / "keys" / "vault.key").read_text().strip()
    view = await keys.rotate()
    assert view.key_id != before.key_id
    assert (view.values, view.values_of_former_keys) == (5, 0)
    assert view.rotated_at is not None
    assert await store.credentials.key_ids() == {view.key_id: 5}
    assert old_key not in (tmp_path / "keys" / "vault.key").read_text()
    again = await start(store, tmp_path)
    assert await read(again) == {"user": "a", "token": "second-token"}
    assert (await keys.vault.resolve("w", "app", FIELDS)).revision == 2
    await again.vault.restore("w", "app", FIELDS, "test")
    assert await read(again) == {"user": "a", "token": "first-token"}


async def test_a_write_prepared_with_the_old_key_does_not_come_in_behind_the_rotation(
    keys: VaultKeys, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(keys, user="a", token="old-token")
    reached, go_on = asyncio.Event(), asyncio.Event()
    replace = type(store.credentials).replace
    calls = 0

    async def gated(self: object, *arguments: object, **named: object) -> bool:
        nonlocal calls
        calls += 1
        if calls == 1:
            reached.set()
            await go_on.wait()
        return await replace(self, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(type(store.credentials), "replace", gated)
    async with asyncio.timeout(30):
        writing = asyncio.create_task(write(keys, token="new-token"))
        await reached.wait()
        view = await keys.rotate()
        go_on.set()
        assert await writing == 2
    assert calls == 2
    assert set(await store.credentials.key_ids()) == {view.key_id}
    assert await read(keys) == {"user": "a", "token": "new-token"}


async def test_a_write_during_the_transaction_of_a_rotation_is_kept(
    keys: VaultKeys, store: SqlStore, tmp_path: Path
) -> None:
    await write(keys, user="a")
    async with asyncio.timeout(30):
        writes = [asyncio.create_task(write(keys, token=f"token-{n}")) for n in range(20)]
        rotations = [asyncio.create_task(keys.rotate()) for _ in range(4)]
        revisions = await asyncio.gather(*writes)
        await asyncio.gather(*rotations)
    assert sorted(revisions) == list(range(2, 22))
    last = revisions.index(21)
    again = await start(store, tmp_path)
    assert await read(again) == {"user": "a", "token": f"token-{last}"}
    assert (await again.view()).values_of_former_keys == 0


async def test_readers_beside_rotations_always_read(keys: VaultKeys) -> None:
    await write(keys, token="first-one")
    await write(keys, token="the-token")
    done = asyncio.Event()

    async def keep_reading() -> int:
        count = 0
        while not done.is_set():
            assert await read(keys) == {"token": "the-token"}
            await keys.vault.form("w", "app", FIELDS)
            count += 1
        return count

    async with asyncio.timeout(30):
        readers = [asyncio.create_task(keep_reading()) for _ in range(3)]
        for _ in range(10):
            await keys.rotate()
        done.set()
        assert min(await asyncio.gather(*readers)) > 0


async def test_an_install_sealed_before_a_rotation_is_refused_and_stores_nothing(
    keys: VaultKeys, store: SqlStore
) -> None:
    await add_workspaces(store, "w")
    await write(keys, "other", pin="1234567")
    sealed = keys.vault.first_rows("w", "app", FIELDS, {"token": "the-token"}, "test")
    await keys.rotate()
    row = BundleRow("w", "app", DEFINITION, should_run=True, installed_at=1)
    with pytest.raises(Conflict, match="do it again"):
        await store.bundles.add(row, sealed)
    assert await store.bundles.list() == ()
    sealed = keys.vault.first_rows("w", "app", FIELDS, {"token": "the-token"}, "test")
    await store.bundles.add(row, sealed)
    assert await read(keys) == {"token": "the-token"}


async def test_a_value_that_no_key_opens_refuses_the_rotation_and_changes_nothing(
    keys: VaultKeys, store: SqlStore, tmp_path: Path
) -> None:
    await write(keys, token="the-token")
    keys.vault.use(KeySet(b"x" * 32))
    await write(keys, "strange", pin="1234567")
    keys.vault.use(KeySet((await stored_keys(tmp_path)).newest))
    before = (await store.credentials.key_ids(), (tmp_path / "keys" / "vault.key").read_text())
    with pytest.raises(VaultUnavailable, match="'pin' of 'strange'"):
        await keys.rotate()
    after = (await store.credentials.key_ids(), (tmp_path / "keys" / "vault.key").read_text())
    assert after == before
    assert await read(keys) == {"token": "the-token"}
    assert await write(keys, token="another-token") == 2
    assert (await keys.view()).values_of_former_keys == 1


async def stored_keys(data_dir: Path) -> KeySet:
    return KeyFile(data_dir / "keys").load()


async def test_a_key_that_cannot_be_kept_changes_nothing(
    keys: VaultKeys, store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(keys, token="the-token")
    before = await store.credentials.key_ids()

    def full(self: KeyFile, keys: KeySet) -> None:
        raise VaultUnavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(KeyFile, "keep", full)
        with pytest.raises(VaultUnavailable, match="full"):
            await keys.rotate()
    assert await store.credentials.key_ids() == before
    assert (await stored_keys(tmp_path)).former == ()
    await keys.rotate()
    assert await read(await start(store, tmp_path)) == {"token": "the-token"}


async def test_a_database_that_fails_leaves_the_old_key_alone_in_place(
    keys: VaultKeys, store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(keys, token="the-token")
    before = await stored_keys(tmp_path)

    async def fails(*arguments: object, **named: object) -> int:
        raise StoreUnavailable("the database did not answer")

    with monkeypatch.context() as patch:
        patch.setattr(type(store.credentials), "reseal", fails)
        with pytest.raises(StoreUnavailable):
            await keys.rotate()
    assert await stored_keys(tmp_path) == before
    assert await write(keys, token="another") == 2


async def test_a_former_key_that_cannot_be_dropped_is_dropped_at_the_next_start(
    keys: VaultKeys,
    store: SqlStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await write(keys, token="the-token")
    keep = KeyFile.keep

    def only_two(self: KeyFile, kept: KeySet) -> None:
        if not kept.former:
            raise VaultUnavailable("the disk is full")
        keep(self, kept)

    with monkeypatch.context() as patch:
        patch.setattr(KeyFile, "keep", only_two)
        assert (await keys.rotate()).values_of_former_keys == 0
    assert "kept until the next start" in caplog.text
    assert len((await stored_keys(tmp_path)).all) == 2
    await start(store, tmp_path)
    assert len((await stored_keys(tmp_path)).all) == 1


async def test_no_log_line_tells_a_key(
    keys: VaultKeys, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await write(keys, token="the-token")
    before = await stored_keys(tmp_path)
    view = await keys.rotate()
    after = await stored_keys(tmp_path)
    assert view.key_id in caplog.text
    for key in (*before.all, *after.all):
        assert text(key) not in caplog.text + repr(view)
        assert key.hex() not in caplog.text + repr(view)


@pytest.mark.parametrize("by_file", [False, True])
async def test_a_given_key_is_rotated_by_a_start_with_the_one_before(
    store: SqlStore, tmp_path: Path, by_file: bool
) -> None:
    old, new = b"o" * 32, b"n" * 32

    def given(key: bytes) -> dict[str, object]:
        if not by_file:
            return {"vault_key": Secret(text(key))}
        path = tmp_path / "given"
        path.write_text(text(key))
        path.chmod(0o600)
        return {"vault_key_file": path}

    keys = await start(store, tmp_path, **given(old))
    await write(keys, token="first-token")
    await write(keys, token="the-token")
    with pytest.raises(Refused, match="ROOST_VAULT_KEY_PREVIOUS"):
        await keys.rotate()
    assert await read(keys) == {"token": "the-token"}
    previous = Secret(text(old))
    for _ in range(2):
        await start(store, tmp_path, **given(new), vault_key_previous=previous)
    keys = await start(store, tmp_path, **given(new))
    assert await read(keys) == {"token": "the-token"}
    view = await keys.view()
    assert view.place is (KeyPlace.GIVEN_FILE if by_file else KeyPlace.ENVIRONMENT)
    assert (view.values, view.values_of_former_keys) == (2, 0)
    assert not (tmp_path / "keys").exists()


async def test_a_key_that_was_retired_and_is_put_back_seals_again(
    store: SqlStore, tmp_path: Path
) -> None:
    old, new = Secret(text(b"o" * 32)), Secret(text(b"n" * 32))
    await write(await start(store, tmp_path, vault_key=old), token="the-token")
    await start(store, tmp_path, vault_key=new, vault_key_previous=old)
    back = await start(store, tmp_path, vault_key=old, vault_key_previous=new)
    assert await read(back) == {"token": "the-token"}
    assert await write(back, token="another-token") == 2


async def test_a_value_that_no_key_opens_does_not_keep_a_daemon_from_starting(
    store: SqlStore, tmp_path: Path
) -> None:
    old, new, lost = (Secret(text(letter * 32)) for letter in (b"o", b"n", b"l"))
    await write(await start(store, tmp_path, vault_key=lost), "lost", pin="1234567")
    await write(await start(store, tmp_path, vault_key=old), token="the-token")
    keys = await start(store, tmp_path, vault_key=new, vault_key_previous=old)
    assert await read(keys) == {"token": "the-token"}
    assert (await keys.view()).values_of_former_keys == 1
    assert await write(keys, "lost", pin="7654321") == 2
    assert await read(keys, "lost") == {"pin": "7654321"}
