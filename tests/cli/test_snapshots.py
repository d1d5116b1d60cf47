"""``roost snapshot``: list, show, build, verify, remove and policy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.command_line import Outcome, roost
from tests.support.fake_engine import FakeEngine, bundle_view
from tests.support.served_engine import ServedEngine, served

from roost.models import (
    GuardAction,
    GuardFinding,
    Reason,
    Runtime,
    SnapshotPhase,
    SnapshotPolicy,
    SnapshotState,
)


@pytest.fixture
def engine() -> Iterator[ServedEngine]:
    fake = FakeEngine(workspaces=("w",))
    fake.add_bundle(bundle_view("app", workspace="w", runtime=Runtime.PYTHON))
    fake.add_bundle(bundle_view("tool", workspace="w", runtime=Runtime.BINARY))
    with served(fake) as engine:
        yield engine


def do(engine: ServedEngine, *argv: str) -> Outcome:
    return roost(engine.data_dir, "snapshot", *argv)


def test_a_snapshot_is_built_and_what_it_gains_is_told(engine: ServedEngine) -> None:
    done = do(engine, "build", "app")
    assert done.code == 0, done.err
    assert "is ready; 26ms to ready instead of 555ms" in done.out
    listed = do(engine, "list").out.splitlines()
    assert listed[1].split()[:5] == ["o", "ready", "yes", "w/app", "zygote"]
    assert "not possible" in listed[2]
    assert do(engine, "verify", "app", "--json").json["state"] == "ready"


def test_the_page_of_a_snapshot_names_what_the_guards_found(engine: ServedEngine) -> None:
    do(engine, "build", "app")
    finding = GuardFinding(
        "environ_copy", GuardAction.EXCLUDE, "it copies the environment", "git", ("server",)
    )
    engine.do(
        lambda fake: fake.put_snapshot_detail(
            "w",
            "app",
            findings=(finding,),
            excluded=("git", "server"),
            environment=("TZ",),
            allowed=("git.cmd",),
            phases_ms=((SnapshotPhase.TRACE, 812),),
        )
    )
    shown = do(engine, "show", "app").out
    assert "exclude environ copy git: it copies the environment" in shown
    assert "May copy the environment" in shown and "git.cmd" in shown
    for words in ("Made from", "Left to each start", "Variables read", "653 loaded", "trace"):
        assert words in shown


@pytest.mark.parametrize(("state", "code"), [("refused", 4), ("failed", 1), ("stale", 1)])
def test_a_build_that_comes_to_nothing_says_why(
    engine: ServedEngine, state: str, code: int
) -> None:
    do(engine, "build", "app")
    reason = Reason("python_thread", "app.pool starts a thread while it is imported")
    engine.do(lambda fake: fake.put_snapshot("w", "app", state=SnapshotState(state), reason=reason))
    told = do(engine, "verify", "app")
    assert told.code == code
    assert "starts a thread while it is imported" in told.err


def test_without_a_snapshot_a_check_names_what_builds_one(engine: ServedEngine) -> None:
    done = do(engine, "verify", "app")
    assert done.code == 4
    assert "roost snapshot build app" in done.err
    assert do(engine, "build", "tool").code == 4


def test_a_policy_is_set_and_a_wrong_one_changes_nothing(engine: ServedEngine) -> None:
    assert do(engine, "policy", "app", "sometimes").code == 2
    assert not engine.fake.called("set_snapshot_policy")
    assert "need its snapshot" in do(engine, "policy", "app", "require").out
    [call] = engine.fake.called("set_snapshot_policy")
    assert call["policy"] is SnapshotPolicy.REQUIRE


def test_a_snapshot_is_removed(engine: ServedEngine) -> None:
    do(engine, "build", "app")
    assert "is removed" in do(engine, "remove", "app").out
    assert do(engine, "remove", "app").code == 0
    assert "none" in do(engine, "list").out
