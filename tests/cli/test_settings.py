"""Settings of a bundle on the command line: ``roost set``, and the options of ``roost add``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from tests.support.command_line import roost
from tests.support.fake_engine import FakeEngine, bundle_view
from tests.support.served_engine import ServedEngine, served

from roost.cli.setting_options import LIMITS, OPTIONS, read_time
from roost.errors import BadInput
from roost.models import (
    BundleSettings,
    InstallRequest,
    KeepArguments,
    ResourceLimits,
    RespawnStrategy,
    RestartPolicy,
    SettingsChange,
    SettingsOutcome,
)
from roost.models.codec import from_json

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"

ALL_OPTIONS = [
    *("--restart", "on-failure", "--strategy", "handover", "--start-budget", "2m"),
    *("--settle", "500ms", "--stop-grace", "7", "--drain", "1.5s", "--call-idle", "1m"),
    *("--call-cap", "2h", "--probe-interval", "0", "--probe-misses", "5"),
    *("--max-calls", "4", "--keep-arguments", "names"),
    *("--snapshot-allow", "settings,git.cmd"),
    *("--limit", "open_files=4K", "--limit", "memory-bytes=1G", "--limit", "core_bytes=0"),
]

ALL_SETTINGS = BundleSettings(
    restart=RestartPolicy.ON_FAILURE,
    strategy=RespawnStrategy.HANDOVER,
    start_budget_s=120,
    settle_s=0.5,
    stop_grace_s=7,
    drain_s=1.5,
    call_idle_s=60,
    call_cap_s=7200,
    probe_interval_s=0,
    probe_misses=5,
    max_calls=4,
    keep_arguments=KeepArguments.NAMES,
    snapshot_allow=("git.cmd", "settings"),
    protected=True,
    limits=ResourceLimits(open_files=4096, memory_bytes=1 << 30, core_bytes=0),
)


@pytest.fixture
def engine() -> Iterator[ServedEngine]:
    fake = FakeEngine(workspaces=("acme",))
    for name in ("db", "app"):
        fake.add_bundle(bundle_view(name, workspace="acme"))
    with served(fake) as engine:
        yield engine


def _change(engine: ServedEngine, *argv: str) -> SettingsChange:
    done = roost(engine.data_dir, "set", "app", *argv)
    assert done.code == 0, done.err
    change = engine.fake.called("change_settings")[-1]["change"]
    assert isinstance(change, SettingsChange)
    return change


def test_every_setting_of_a_new_bundle_can_be_given(engine: ServedEngine) -> None:
    argv = ["add", "-w", "acme", "--name", "new", "--kind", "mcp", "--protected", *ALL_OPTIONS]
    done = roost(engine.data_dir, *argv, "--after", "db", "--after", "app", "--", "server")
    assert done.code == 0, done.err
    [call] = engine.fake.called("install")
    request = call["request"]
    assert isinstance(request, InstallRequest)
    assert request.settings == ALL_SETTINGS
    assert request.after == ("db", "app")


def test_only_what_is_named_is_changed(engine: ServedEngine) -> None:
    change = _change(
        engine, "--drain", "20", "--limit", "processes=64", "--limit", "core_bytes=none"
    )
    assert change == SettingsChange(drain_s=20, limits={"processes": 64, "core_bytes": None})


def test_the_order_of_starts_is_set_and_lifted(engine: ServedEngine) -> None:
    assert _change(engine, "--after", "db").after == ("db",)
    assert _change(engine, "--no-after").after == ()


def test_modules_that_may_copy_the_environment_are_set_and_lifted(engine: ServedEngine) -> None:
    assert _change(engine, "--snapshot-allow", "b, a.c,b").snapshot_allow == ("a.c", "b")
    assert "a.c, b may copy the environment" in roost(engine.data_dir, "show", "app").out
    assert _change(engine, "--no-snapshot-allow").snapshot_allow == ()
    assert "may copy" not in roost(engine.data_dir, "show", "app").out
    both = ("--snapshot-allow", "a", "--no-snapshot-allow")
    assert roost(engine.data_dir, "set", "app", *both).code == 2


def test_a_protection_is_lifted_with_a_reason_only(engine: ServedEngine) -> None:
    assert _change(engine, "--protected").protected is True
    refused = roost(engine.data_dir, "set", "app", "--unprotected")
    assert refused.code == 4 and "needs a reason" in refused.err
    change = _change(engine, "--unprotected", "--force", "retired")
    assert (change.protected, change.reason) == (False, "retired")


def test_a_limit_says_that_the_running_process_keeps_its_own(engine: ServedEngine) -> None:
    done = roost(engine.data_dir, "set", "app", "--limit", "open_files=512")
    assert done.code == 0 and "until `roost respawn acme/app`" in done.out
    assert "stale" in roost(engine.data_dir, "ps").out
    again = roost(engine.data_dir, "set", "app", "--limit", "open_files=600", "--respawn")
    assert (again.code, again.out) == (0, "app runs as generation 2\n")
    assert engine.fake.called("respawn") == [{"workspace": "acme", "name": "app", "reason": None}]


def test_the_outcome_is_json_on_one_line(engine: ServedEngine) -> None:
    done = roost(engine.data_dir, "set", "app", "--drain", "3", "--json")
    assert from_json(done.out, SettingsOutcome).changed == ("drain_s",)


def test_show_tells_the_settings_it_was_given(engine: ServedEngine) -> None:
    done = roost(engine.data_dir, "set", "app", *ALL_OPTIONS, "--after", "db")
    assert done.code == 0, done.err
    shown = roost(engine.data_dir, "show", "app").out
    for told in (
        "on failure",
        "handover",
        "starts after",
        "start 120s, settle 0.5s, drain 1.5s, stop 7s",
        "idle 60s, at most 7200s, 4 at a time, only names of arguments kept",
        "never",
        "open_files 4096, memory_bytes 1073741824, core_bytes 0",
    ):
        assert told in shown


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ([], "say what to change"),
        (["--force", "because"], "say what to change"),
        (["--restart", "sometimes"], "--restart is one of always, on_failure, never"),
        (["--strategy", "swap"], "--strategy is one of replace, handover"),
        (["--drain", "-1"], "--drain takes a length of time"),
        (["--drain", "soon"], "--drain takes a length of time"),
        (["--drain", "1e3"], "--drain takes a length of time"),
        (["--drain", "9" * 400], "--drain takes a length of time"),
        (["--probe-misses", "0"], "--probe-misses takes a whole number from 1"),
        (["--max-calls", "-1"], "--max-calls takes a whole number from 0"),
        (["--max-calls", "many"], "--max-calls takes a whole number from 0"),
        (["--keep-arguments", "some"], "--keep-arguments is one of all, names, none"),
        (["--limit", "open_files"], "--limit takes NAME=VALUE"),
        (["--limit", "wings=2"], "--limit takes NAME=VALUE"),
        (["--limit", "open_files=many"], "--limit open_files takes a whole number"),
        (["--after", "db", "--no-after"], "contradict each other"),
        (["--protected", "--unprotected"], "contradict each other"),
        (["--start-budget"], "--start-budget needs TIME"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else None,
)
def test_what_cannot_be_meant_is_one_sentence_and_reaches_no_daemon(
    engine: ServedEngine, argv: list[str], told: str
) -> None:
    done = roost(engine.data_dir, "set", "app", *argv)
    assert done.code == 2 and told in done.err and done.err.count("\n") == 1
    assert engine.fake.called("change_settings") == []


@pytest.mark.parametrize("argv", [["--after", "nobody"], ["--limit", "open_files=3"]])
def test_what_the_daemon_knows_better_is_refused_by_it(
    engine: ServedEngine, argv: list[str]
) -> None:
    done = roost(engine.data_dir, "set", "app", *argv)
    assert done.code == 2 and done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30.0), ("500ms", 0.5), ("1.5s", 1.5), ("2m", 120.0), ("1h", 3600.0), ("0", 0.0)],
)
def test_a_length_of_time_may_have_a_unit(text: str, seconds: float) -> None:
    assert read_time("drain", text) == seconds


@pytest.mark.parametrize("text", ["", "s", "1 s", "+1", "1d", "\u0661", "inf", "nan"])
def test_any_other_text_is_no_length_of_time(text: str) -> None:
    with pytest.raises(BadInput):
        read_time("drain", text)


def test_every_setting_has_its_option_and_its_line_in_the_docs() -> None:
    documented = DOCS.read_text()
    options = {option.names[-1] for option in OPTIONS} | {"--protected"}
    assert {entry.name for entry in fields(ResourceLimits)} == set(LIMITS)
    for entry in fields(BundleSettings):
        assert f"| `{entry.name}` |" in documented
    for option in options:
        assert f"| `{option}" in documented
    assert len(options) == len(fields(BundleSettings)) + 1  # the order of starts is none of them
