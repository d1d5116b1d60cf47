"""``roost vault show`` and ``vault rotate``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.support.command_line import roost
from tests.support.fake_engine import FakeEngine
from tests.support.served_engine import ServedEngine, served

from roost.models import KeyPlace, VaultView
from roost.models.codec import from_json


@pytest.fixture
def fake() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def engine(fake: FakeEngine) -> Iterator[ServedEngine]:
    with served(fake) as started:
        yield started


def test_it_says_where_the_key_is_and_its_id(engine: ServedEngine, fake: FakeEngine) -> None:
    done = roost(engine.data_dir, "vault", "show")
    assert done.code == 0
    lines = dict(line.split("  ", 1) for line in done.out.splitlines())
    assert lines["key"].strip() == fake.world.vault.key_id
    assert lines["kept in"].strip() == "file of the data directory"
    assert lines["place"].strip() == fake.world.vault.described
    assert "rotated" not in lines and "of former keys" not in lines


def test_json_is_the_view(engine: ServedEngine) -> None:
    done = roost(engine.data_dir, "vault", "show", "--json")
    assert from_json(done.out, VaultView).place is KeyPlace.FILE


def test_a_rotation_tells_the_new_id(engine: ServedEngine, fake: FakeEngine) -> None:
    before = fake.world.vault.key_id
    done = roost(engine.data_dir, "vault", "rotate")
    assert done.code == 0
    assert fake.world.vault.key_id != before
    assert f"the new key {fake.world.vault.key_id}" in done.out
    assert "no bundle was respawned" in done.out
    shown = roost(engine.data_dir, "vault", "rotate", "--json")
    assert from_json(shown.out, VaultView).key_id == fake.world.vault.key_id
    assert "rotated" in roost(engine.data_dir, "vault", "show").out


def test_a_given_key_is_refused_with_the_sentence_of_the_daemon(
    engine: ServedEngine, fake: FakeEngine
) -> None:
    fake.world.vault = replace(fake.world.vault, place=KeyPlace.ENVIRONMENT)
    done = roost(engine.data_dir, "vault", "rotate")
    assert done.code != 0
    assert "given by the settings" in done.err
    assert roost(engine.data_dir, "vault", "rotate", "--json").json["error"]["code"] == "refused"


def test_a_read_only_session_rotates_nothing(engine: ServedEngine, fake: FakeEngine) -> None:
    before = fake.world.vault
    done = roost(engine.data_dir, "--read-only", "vault", "rotate")
    assert done.code != 0
    assert fake.world.vault == before


def test_values_of_former_keys_are_told_with_what_to_do(
    engine: ServedEngine, fake: FakeEngine
) -> None:
    fake.world.vault = replace(fake.world.vault, values_of_former_keys=2)
    done = roost(engine.data_dir, "vault", "show")
    assert "2 values" in done.out
    assert "restart the daemon" in done.err


def test_the_status_tells_where_the_key_is(engine: ServedEngine, fake: FakeEngine) -> None:
    assert fake.world.vault.described in roost(engine.data_dir, "status").out
