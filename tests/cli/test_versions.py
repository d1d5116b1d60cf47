"""``roost versions``, ``upgrade``, ``rollback`` and ``pin``."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tests.support.command_line import Outcome, roost
from tests.support.fake_engine import FakeEngine
from tests.support.served_engine import ServedEngine, served


@pytest.fixture
def engine() -> Iterator[ServedEngine]:
    with served(FakeEngine(workspaces=("lab",))) as engine:
        assert roost(engine.data_dir, "add", "--name", "app", "--", "npx", "-y", "thing").code == 0
        yield engine


def do(engine: ServedEngine, *argv: str) -> Outcome:
    return roost(engine.data_dir, *argv)


def test_an_upgrade_and_the_way_back_are_told_in_a_sentence(engine: ServedEngine) -> None:
    done = do(engine, "upgrade", "app", "--pypi", "thing==2.0")
    assert done.code == 0, done.err
    [call] = engine.fake.called("upgrade")
    install = call["request"].install
    assert (install.name, install.requirement) == ("app", "thing==2.0")
    assert "runs:" in done.err and "already" not in done.err
    listed = do(engine, "versions", "app")
    assert listed.code == 0 and len(listed.out.splitlines()) == 3
    assert [view["number"] for view in do(engine, "versions", "app", "--json").json] == [2, 1]
    assert do(engine, "rollback", "app").code == 0
    [back] = engine.fake.called("rollback")
    assert back["number"] is None


def test_an_upgrade_takes_what_add_takes(engine: ServedEngine) -> None:
    assert do(engine, "upgrade", "lab/app", "npm:thing@2.0.0", "--", "--flag").code == 0
    [call] = engine.fake.called("upgrade")
    install = call["request"].install
    assert (install.requirement, install.command) == ("thing@2.0.0", ("--flag",))
    planned = do(engine, "upgrade", "app", "npm:thing@3.0.0", "--plan", "--json")
    assert planned.code == 0 and planned.json["name"] == "app"
    assert "name_taken" not in {note["code"] for note in planned.json["notes"]}
    assert len(engine.fake.called("upgrade")) == 1


def test_a_version_is_chosen_by_its_number_and_a_reason_is_passed_on(engine: ServedEngine) -> None:
    do(engine, "upgrade", "app", "npm:thing@2.0.0", "--force", "a fix")
    do(engine, "upgrade", "app", "npm:thing@3.0.0")
    assert engine.fake.called("upgrade")[0]["request"].reason == "a fix"
    assert do(engine, "rollback", "app", "--to", "1", "--force", "worse").code == 0
    [call] = engine.fake.called("rollback")
    assert (call["number"], call["reason"]) == (1, "worse")
    assert do(engine, "rollback", "app", "--to", "one").code == 2
    missing = do(engine, "rollback", "app", "--to", "77")
    assert missing.code in (3, 4) and missing.err


def test_pinning_replaces_what_fetches_its_package(engine: ServedEngine) -> None:
    done = do(engine, "pin", "app")
    assert done.code == 0, done.err
    assert len(json.loads(do(engine, "versions", "app", "--json").out)) == 2
    assert do(engine, "pin", "app").code == 4


def test_what_is_not_there_is_not_found(engine: ServedEngine) -> None:
    for verb in ("versions", "rollback", "pin"):
        assert do(engine, verb, "nobody").code == 3
    assert do(engine, "upgrade", "nobody", "npm:thing").code == 3
    assert do(engine, "upgrade", "app").code == 2
