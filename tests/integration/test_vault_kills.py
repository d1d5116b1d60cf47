"""kill -9 in the middle of a credential write or of a rotation: the old state or the new one."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.programs.vault_writer import FIELDS
from tests.support.real_daemon import wait_for
from tests.support.stores import STORES
from tests.support.warm_daemons import warm_program

from roost.clock import SystemClock
from roost.engine.vault_keys import VaultKeys, open_vault
from roost.models import CredentialWrite
from roost.settings.daemon_settings import DaemonSettings
from roost.store import SqlStore

pytestmark = pytest.mark.real

PROGRAM = Path(__file__).parents[1] / "support" / "programs" / "vault_writer.py"

OLD = {"user": "old-user", "token": "old-token"}
NEW = {"user": "user-1", "token": "token-1"}
OLDEST = {"user": "oldest-user", "token": "oldest-token"}


async def seed(data_dir: Path) -> None:
    """Store two revisions of a bundle's values and one of another's."""
    async with STORES["sqlite"](data_dir) as store:
        keys = await opened(data_dir, store)
        for values in (OLDEST, OLD):
            await keys.vault.write("w", "app", FIELDS, CredentialWrite(set=dict(values)), "test")
        await keys.vault.write("w", "other", FIELDS, CredentialWrite(set=dict(OLD)), "test")


async def opened(data_dir: Path, store: SqlStore) -> VaultKeys:
    settings = DaemonSettings(data_dir=data_dir)
    return await open_vault(settings, data_dir / "keys", store, SystemClock(), {})


@contextmanager
def writer(data_dir: Path, *arguments: str) -> Iterator[Callable[[int], list[str]]]:
    """Run the program and kill it with -9 at the end of the block.

    Gives what waits until it has told so many lines, and returns them.
    """
    log = data_dir.with_name(f"{data_dir.name}.log")
    log.unlink(missing_ok=True)
    process = warm_program(PROGRAM, str(data_dir), *arguments, log=log)

    def until_told(lines: int) -> list[str]:
        wait_for(lambda: whole_lines(log), lambda told: len(told) >= lines)
        return whole_lines(log)

    try:
        yield until_told
    finally:
        process.kill()
        process.wait()


def whole_lines(log: Path) -> list[str]:
    return log.read_text().split("\n")[:-1]


async def found(data_dir: Path) -> tuple[dict[str, object], dict[str, object], dict[str, object]]:
    """Start again; return the newest values, the restored ones and those of the other bundle."""
    async with STORES["sqlite"](data_dir) as store:
        vault = (await opened(data_dir, store)).vault
        newest = (await vault.resolve("w", "app", FIELDS)).values
        other = (await vault.resolve("w", "other", FIELDS)).values
        await vault.restore("w", "app", FIELDS, "test")
        former = (await vault.resolve("w", "app", FIELDS)).values
        return dict(newest), dict(former), dict(other)


async def assert_settled(data_dir: Path) -> None:
    """One key is left, it seals every value, and no draft of a key lies about."""
    folder = data_dir / "keys"
    assert [path.name for path in folder.iterdir()] == ["vault.key"]
    assert len((folder / "vault.key").read_text().split()) == 1
    async with STORES["sqlite"](data_dir) as store:
        view = await (await opened(data_dir, store)).view()
        assert view.values_of_former_keys == 0
        assert await store.credentials.key_ids() == {view.key_id: view.values}


@pytest.mark.parametrize(
    ("point", "is_done"),
    [("rows inserted", False), ("old rows deleted", False), ("write committed", True)],
)
async def test_a_killed_write_leaves_the_old_values_or_the_new_ones(
    tmp_path: Path, point: str, is_done: bool
) -> None:
    await seed(tmp_path)
    with writer(tmp_path, "write", point) as until_told:
        assert until_told(1)[0].startswith("at ")
    newest, former, other = await found(tmp_path)
    assert (newest, former) == ((NEW, OLD) if is_done else (OLD, OLDEST))
    assert other == OLD


@pytest.mark.parametrize(
    "point",
    [
        "before both keys",
        "draft of both keys",
        "both keys kept",
        "second value sealed",
        "all values sealed",
        "sealing committed",
        "draft of new key",
        "old key dropped",
    ],
)
async def test_a_killed_rotation_leaves_every_value_readable_and_is_finished(
    tmp_path: Path, point: str
) -> None:
    await seed(tmp_path)
    before = (tmp_path / "keys" / "vault.key").read_text()
    with writer(tmp_path, "rotate", point) as until_told:
        assert until_told(1)[0].startswith("at ")
    assert await found(tmp_path) == (OLD, OLDEST, OLD)
    await assert_settled(tmp_path)
    is_new = point not in ("before both keys", "draft of both keys")
    after = (tmp_path / "keys" / "vault.key").read_text()
    assert (after != before) == is_new
    assert len(base64.b64decode(after)) == 32


async def test_writes_and_rotations_that_are_killed_anywhere_tear_nothing(tmp_path: Path) -> None:
    for lines in (1, 2, 5, 9):
        with writer(tmp_path, "churn") as until_told:
            until_told(lines)
        told = int(until_told(lines)[-1])  # it went on meanwhile
        async with STORES["sqlite"](tmp_path) as store:
            vault = (await opened(tmp_path, store)).vault
            values = (await vault.resolve("w", "app", FIELDS)).values
        number = int(str(values["user"]).removeprefix("user-"))
        assert values == {"user": f"user-{number}", "token": f"token-{number}"}
        assert number in (told, told + 1)
        await assert_settled(tmp_path)
