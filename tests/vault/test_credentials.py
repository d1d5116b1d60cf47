"""What a credential write keeps, refuses and gives back."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from typing import Any

import pytest
from tests.support.credential_rows import MemoryCredentialRows

from roost.errors import BadFields, Refused, VaultUnavailable
from roost.models import ConfigField, CredentialWrite, FieldType
from roost.vault import Vault

SECRET = "s3cr$$et-$&-${HOME}-token"
TOKEN = ConfigField("token", FieldType.STRING, "Token", required=True, sensitive=True)
MODE = ConfigField("mode", FieldType.STRING, "Mode", default="fast")
LIMIT = ConfigField("limit", FieldType.NUMBER, "Limit", minimum=1, maximum=100)
DEBUG = ConfigField("debug", FieldType.BOOLEAN, "Debug")
FOLDERS = ConfigField("folders", FieldType.DIRECTORY, "Folders", multiple=True, sensitive=True)
FIELDS = (TOKEN, MODE, LIMIT, DEBUG, FOLDERS)


class FixedClock:
    def now(self) -> int:
        return 1000

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("the vault never waits")


def open_vault(rows: MemoryCredentialRows, key: bytes = b"k" * 32) -> Vault:
    return Vault(rows, key, FixedClock())


async def put(vault: Vault, *clear: str, **values: Any) -> tuple[int, tuple[str, ...]]:
    return await vault.write("w", "app", FIELDS, CredentialWrite(dict(values), clear), "ann")


async def test_values_come_back_with_defaults_for_what_is_not_set() -> None:
    vault = open_vault(MemoryCredentialRows())
    assert await put(vault, token=SECRET, limit=5, debug=False) == (1, ("debug", "limit", "token"))
    resolved = await vault.resolve("w", "app", FIELDS)
    assert resolved.revision == 1
    assert resolved.values == {"token": SECRET, "mode": "fast", "limit": 5.0, "debug": False}
    assert resolved.secrets == (SECRET,)


async def test_no_row_holds_a_value_in_the_clear() -> None:
    rows = MemoryCredentialRows()
    vault = open_vault(rows)
    await put(vault, token=SECRET, mode="unusual-mode", folders=["/secret/one", "/secret/two"])
    await put(vault, token=SECRET + "2")
    with pytest.raises(BadFields):
        await put(vault, token=SECRET + "\0")
    with pytest.raises(VaultUnavailable):
        await open_vault(rows, b"x" * 32).resolve("w", "app", FIELDS)
    for plain in (SECRET, "unusual-mode", "/secret/one", "/secret/two"):
        assert plain.encode() not in rows.dump()


async def test_secrets_are_the_present_and_the_previous_sensitive_values() -> None:
    vault = open_vault(MemoryCredentialRows())
    await put(vault, token="first-token", mode="slow", folders=["/a", "/b"])
    await put(vault, token="second-token")
    resolved = await vault.resolve("w", "app", FIELDS)
    assert set(resolved.secrets) == {"first-token", "second-token", "/a", "/b"}


async def test_the_form_shows_plain_values_and_only_the_presence_of_sensitive_ones() -> None:
    vault = open_vault(MemoryCredentialRows())
    await put(vault, token=SECRET, mode="slow")
    form = await vault.form("w", "app", FIELDS)
    token, mode, limit, _, _ = form.fields
    assert (token.is_set, token.value, token.revision, token.set_at, token.set_by) == (
        True,
        None,
        1,
        1000,
        "ann",
    )
    assert (mode.is_set, mode.value) == (True, "slow")
    assert (limit.is_set, limit.value, limit.revision) == (False, None, None)
    assert (form.revision, form.can_restore) == (1, False)
    assert SECRET not in repr(form)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"nope": "x"}, "not a field"),
        ({"token": ""}, "empty"),
        ({"token": "a\0b"}, "NUL"),
        ({"token": "\ud800"}, "surrogate"),
        ({"token": 5}, "text"),
        ({"token": None}, "text"),
        ({"token": ["a"]}, "text"),
        ({"token": "x" * 130_000}, "longer"),
        ({"limit": "5"}, "number"),
        ({"limit": True}, "number"),
        ({"limit": math.nan}, "finite"),
        ({"limit": -math.inf}, "finite"),
        ({"limit": 10**400}, "finite"),
        ({"limit": 0.5}, "at least 1"),
        ({"limit": 101}, "at most 100"),
        ({"debug": "true"}, "true or false"),
        ({"debug": 1}, "true or false"),
        ({"folders": "/a"}, "list"),
        ({"folders": []}, "no value"),
        ({"folders": ["/a", ""]}, "empty"),
        ({"folders": ["/a", 3]}, "text"),
    ],
)
async def test_a_bad_value_is_refused_and_nothing_changes(
    values: dict[str, Any], problem: str
) -> None:
    rows = MemoryCredentialRows()
    vault = open_vault(rows)
    await put(vault, token="kept-token")
    before = rows.dump()
    with pytest.raises(BadFields) as caught:
        await put(vault, **{"mode": "fine", **values})
    assert problem in caught.value.details["fields"][next(iter(values))]
    assert rows.dump() == before


async def test_every_problem_of_a_write_is_named() -> None:
    with pytest.raises(BadFields) as caught:
        await put(open_vault(MemoryCredentialRows()), "ghost", "mode", mode="x", limit=-1)
    assert set(caught.value.details["fields"]) == {"ghost", "mode", "limit"}


async def test_the_message_of_a_refusal_does_not_hold_the_value() -> None:
    with pytest.raises(BadFields) as caught:
        await put(open_vault(MemoryCredentialRows()), token=SECRET + "\0", limit=SECRET)
    assert SECRET not in f"{caught.value} {caught.value.details}"


async def test_clearing_removes_a_value_and_clearing_nothing_makes_no_revision() -> None:
    vault = open_vault(MemoryCredentialRows())
    await put(vault, token=SECRET, mode="slow")
    assert await put(vault, "mode") == (2, ("mode",))
    assert (await vault.resolve("w", "app", FIELDS)).values == {"token": SECRET, "mode": "fast"}
    assert await put(vault, "mode") == (2, ())
    assert await put(vault) == (2, ())


async def test_an_untouched_field_keeps_its_stamp() -> None:
    vault = open_vault(MemoryCredentialRows())
    await put(vault, token=SECRET)
    await put(vault, mode="slow")
    form = await vault.form("w", "app", FIELDS)
    assert [entry.revision for entry in form.fields[:2]] == [1, 2]


async def test_concurrent_writers_of_different_fields_both_survive() -> None:
    rows = MemoryCredentialRows()
    vault = open_vault(rows)
    arrived = asyncio.Barrier(2)

    async def meet_once() -> None:
        async with asyncio.timeout(30):
            await arrived.wait()
        rows.before_replace = None

    rows.before_replace = meet_once
    outcomes = await asyncio.gather(put(vault, token=SECRET), put(vault, mode="slow"))
    assert sorted(revision for revision, _ in outcomes) == [1, 2]
    values = (await vault.resolve("w", "app", FIELDS)).values
    assert values == {"token": SECRET, "mode": "slow"}


async def test_a_store_that_refuses_every_write_ends_in_a_clear_error() -> None:
    rows = MemoryCredentialRows()
    vault = open_vault(rows)

    async def interfere() -> None:
        revision, present = rows.newest.get(("w", "app"), (0, ()))
        rows.newest["w", "app"] = (revision + 1, present)

    rows.before_replace = interfere
    with pytest.raises(VaultUnavailable, match="save again"):
        await put(vault, token=SECRET)


async def test_restore_brings_the_previous_revision_back_as_a_new_one() -> None:
    vault = open_vault(MemoryCredentialRows())
    await put(vault, token="first-token", mode="slow")
    await put(vault, "mode", token="second-token", limit=3)
    assert await vault.restore("w", "app", FIELDS, "bob") == (3, ("limit", "mode", "token"))
    resolved = await vault.resolve("w", "app", FIELDS)
    assert resolved.values == {"token": "first-token", "mode": "slow"}
    form = await vault.form("w", "app", FIELDS)
    assert (form.fields[0].revision, form.fields[0].set_by) == (3, "bob")
    await vault.restore("w", "app", FIELDS, "bob")
    again = await vault.resolve("w", "app", FIELDS)
    assert again.values == {"token": "second-token", "mode": "fast", "limit": 3.0}


async def test_what_a_restore_would_leave_unset_is_known_before() -> None:
    vault = open_vault(MemoryCredentialRows())
    await put(vault, token="first-token")
    assert await vault.unset_by_restore("w", "app") == ()
    await put(vault, mode="slow", limit=3)
    assert await vault.unset_by_restore("w", "app") == ("limit", "mode")
    await vault.restore("w", "app", FIELDS, "bob")
    assert await vault.unset_by_restore("w", "app") == ()


async def test_restore_without_a_previous_revision_is_refused() -> None:
    vault = open_vault(MemoryCredentialRows())
    await put(vault, token=SECRET)
    with pytest.raises(Refused, match="no earlier credentials"):
        await vault.restore("w", "app", FIELDS, "ann")


async def test_another_key_names_the_field_and_setting_it_again_repairs_it() -> None:
    rows = MemoryCredentialRows()
    await put(open_vault(rows), token=SECRET, mode="slow")
    vault = open_vault(rows, b"x" * 32)
    with pytest.raises(VaultUnavailable, match="'token' of 'app'"):
        await vault.resolve("w", "app", FIELDS)
    with pytest.raises(VaultUnavailable, match="'mode'"):
        await vault.form("w", "app", FIELDS)
    await put(vault, token="new-token", mode="fast")
    assert (await vault.resolve("w", "app", FIELDS)).values["token"] == "new-token"


@pytest.mark.parametrize(
    ("workspace", "bundle", "key"),
    [("other", "app", "token"), ("w", "other", "token"), ("w", "app", "mode")],
)
async def test_a_row_moved_to_another_place_does_not_open_there(
    workspace: str, bundle: str, key: str
) -> None:
    rows = MemoryCredentialRows()
    vault = open_vault(rows)
    await put(vault, token=SECRET)
    row = rows.newest["w", "app"][1][0]
    rows.newest[workspace, bundle] = (1, (replace(row, field=key),))
    with pytest.raises(VaultUnavailable):
        await vault.resolve(workspace, bundle, FIELDS)


@pytest.mark.parametrize("damage", [b"", b"\x01", b"\x02" + b"0" * 60, b"\x01" + b"0" * 12])
async def test_a_damaged_row_is_a_clear_error(damage: bytes) -> None:
    rows = MemoryCredentialRows()
    vault = open_vault(rows)
    await put(vault, token=SECRET)
    row = rows.newest["w", "app"][1][0]
    rows.newest["w", "app"] = (1, (replace(row, ciphertext=damage),))
    with pytest.raises(VaultUnavailable, match="'token'"):
        await vault.resolve("w", "app", FIELDS)
