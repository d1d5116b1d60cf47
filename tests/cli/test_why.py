"""``roost why``: each check with its word, the evidence below it, the answer last."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.command_line import roost
from tests.support.fake_engine import FakeEngine, bundle_view, sample_engine
from tests.support.served_engine import ServedEngine, served

from roost.models import WhyCheck, WhyReport, WhyStatus, WhyStep
from roost.models.codec import from_json


@pytest.fixture(scope="module")
def engine() -> Iterator[ServedEngine]:
    with served(sample_engine()) as engine:
        yield engine


def _report(*steps: WhyStep, is_up: bool) -> WhyReport:
    return WhyReport("default", "app", 0, is_up, "default/app is as told.", steps)


def test_a_bundle_that_runs_has_every_check_passed_and_exits_0(engine: ServedEngine) -> None:
    done = roost(engine.data_dir, "why", "filesystem")
    *steps, blank, answer = done.out.splitlines()
    assert done.code == 0
    assert [line.split()[:3] for line in steps] == [["+", "passed", check] for check in WhyCheck]
    assert blank == "" and answer.startswith("Nothing is wrong: acme/filesystem runs")


def test_the_first_failing_check_stands_with_its_evidence_and_the_way_out_comes_last(
    engine: ServedEngine,
) -> None:
    done = roost(engine.data_dir, "why", "git")
    lines = done.out.splitlines()
    assert done.code == 1
    at = next(index for index, line in enumerate(lines) if line.startswith("! failed   spawn"))
    assert "fatal: repository '/srv/repos' does not exist" in "\n".join(lines[at + 1 :])
    assert any(line.startswith("- unknown  handshake") for line in lines[at:])
    assert "acme/git is dead:" in done.out
    assert lines[-1].endswith("`roost respawn acme/git`.")


def test_every_line_fits_80_columns_but_the_evidence_which_is_whole_when_piped() -> None:
    said = "a sentence of many words that goes on and on, " * 5
    evidence = "x" * 200
    step = WhyStep(WhyCheck.CREDENTIALS, WhyStatus.FAILED, said, (evidence,), said)
    fake = FakeEngine()
    fake.add_bundle(bundle_view("app"))
    fake.set_why("default", "app", _report(step, is_up=False))
    with served(fake) as engine:
        done = roost(engine.data_dir, "why", "app")
    lines = done.out.splitlines()
    assert [line.strip() for line in lines if len(line) > 80] == [evidence]


def test_what_an_app_printed_cannot_steer_the_terminal() -> None:
    step = WhyStep(WhyCheck.SPAWN, WhyStatus.FAILED, "it \x1b[2J said", ("\x1b]0;evil\x07end",))
    fake = FakeEngine()
    fake.add_bundle(bundle_view("app"))
    fake.set_why("default", "app", _report(step, is_up=False))
    with served(fake) as engine:
        done = roost(engine.data_dir, "why", "app")
    assert "\x1b" not in done.out and "\x07" not in done.out
    assert "it  said" in done.out or "it said" in done.out


def test_a_bundle_that_is_up_but_could_not_start_again_exits_1() -> None:
    step = WhyStep(WhyCheck.RUNTIME, WhyStatus.FAILED, "its program is gone")
    fake = FakeEngine()
    fake.add_bundle(bundle_view("app"))
    fake.set_why("default", "app", _report(step, is_up=True))
    with served(fake) as engine:
        assert roost(engine.data_dir, "why", "app").code == 1


@pytest.mark.parametrize(("name", "code"), [("filesystem", 0), ("git", 1)])
def test_json_is_the_report_on_one_line(engine: ServedEngine, name: str, code: int) -> None:
    done = roost(engine.data_dir, "why", name, "--json")
    assert (done.code, done.out.count("\n"), done.err) == (code, 1, "")
    assert from_json(done.out, WhyReport).bundle == name


def test_a_bundle_that_does_not_exist_is_not_found(engine: ServedEngine) -> None:
    assert roost(engine.data_dir, "why", "nope").code == 3
    assert roost(engine.data_dir, "why", "acme/nope").code == 3


@pytest.mark.parametrize(
    ("name", "failing"),
    [("search", "credentials"), ("weather", "spawn"), ("db-query", "credentials")],
)
def test_every_state_that_is_not_well_names_a_failing_check(
    engine: ServedEngine, name: str, failing: str
) -> None:
    report = roost(engine.data_dir, "why", name, "--json").json
    failed = [step["check"] for step in report["steps"] if step["status"] == "failed"]
    assert failed[0] == failing
    assert "`roost " in report["sentence"]
