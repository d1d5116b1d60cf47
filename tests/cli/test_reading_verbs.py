"""Verbs that read: ps, status, show, tools, runs, run show, workspace list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.command_line import roost
from tests.support.fake_engine import FakeEngine, bundle_view, sample_engine
from tests.support.served_engine import ServedEngine, served

from roost.models import BundleView, DaemonView, RunDetail, RunView, ToolView, WorkspaceView
from roost.models.codec import from_json
from roost.models.slot import BundleDetail


@pytest.fixture(scope="module")
def shared_engine() -> Iterator[ServedEngine]:
    with served(sample_engine()) as engine:
        yield engine


@pytest.fixture
def engine(shared_engine: ServedEngine) -> ServedEngine:
    """The sample, which no test here changes."""
    shared_engine.do(lambda fake: fake.calls.clear())
    return shared_engine


@pytest.mark.parametrize(
    ("argv", "kind"),
    [
        (["ps"], list[BundleView]),
        (["status"], DaemonView),
        (["show", "git"], BundleDetail),
        (["tools", "filesystem"], list[ToolView]),
        (["runs"], list[RunView]),
        (["run", "show", "r-8f3"], RunDetail),
        (["workspace", "list"], list[WorkspaceView]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_json_is_the_model_on_one_line(engine: ServedEngine, argv: list[str], kind: Any) -> None:
    done = roost(engine.data_dir, *argv, "--json")
    assert (done.code, done.err) == (0, "")
    assert done.out.count("\n") == 1
    from_json(done.out, kind)


def test_ps_shows_every_bundle_with_its_state_in_words(engine: ServedEngine) -> None:
    done = roost(engine.data_dir, "ps")
    header, *lines = done.out.splitlines()
    assert header.split()[:4] == ["WORKSPACE", "STATE", "NAME", "KIND"]
    assert len(lines) == 12
    assert any("! dead  exit 1" in line and "git" in line for line in lines)
    assert any("? needs credentials  api_key" in line for line in lines)
    assert any("read its log, then respawn it" in line for line in lines)


def test_ps_of_one_workspace_leaves_its_column_out(engine: ServedEngine) -> None:
    done = roost(engine.data_dir, "ps", "-w", "lab")
    assert done.out.split()[0] == "STATE"
    assert engine.fake.called("bundles") == [{"workspace": "lab"}]


def test_piped_lines_are_never_cut(engine: ServedEngine) -> None:
    assert max(map(len, roost(engine.data_dir, "ps").out.splitlines())) > 150


def test_an_empty_daemon_says_what_to_do_next() -> None:
    with served(FakeEngine(workspaces=())) as engine:
        assert "`roost add`" in roost(engine.data_dir, "ps").err
        assert "`roost workspace create NAME`" in roost(engine.data_dir, "workspace", "list").err
        assert roost(engine.data_dir, "ps", "--json").json == []


def test_status_counts_what_is_up_and_down_in_each_workspace(engine: ServedEngine) -> None:
    done = roost(engine.data_dir, "status")
    assert "running, version" in done.out
    assert "2 active" in done.out
    assert "lab (Lab): 3 bundles" in done.out


def test_an_unknown_workspace_is_not_found(engine: ServedEngine) -> None:
    done = roost(engine.data_dir, "ps", "-w", "nope")
    assert done.code == 3
    assert "there is no workspace 'nope'" in done.err


def test_show_has_the_reason_the_crash_and_the_generations(engine: ServedEngine) -> None:
    done = roost(engine.data_dir, "show", "git")
    assert "failed at handshake" in done.out
    assert "Last crash: exit 1" in done.out
    assert "fatal: repository '/srv/repos' does not exist" in done.out
    assert "GEN  VERSION" in done.out
    assert "starting > dead" in done.out


@pytest.mark.parametrize("reference", ["git", "acme/git"])
def test_a_bundle_is_found_by_name_and_by_full_name(engine: ServedEngine, reference: str) -> None:
    assert roost(engine.data_dir, "show", reference, "--json").json["view"]["name"] == "git"


def test_a_name_in_two_workspaces_lists_both() -> None:
    fake = FakeEngine(workspaces=("a", "b"))
    for workspace in ("a", "b"):
        fake.add_bundle(bundle_view("git", workspace=workspace))
    with served(fake) as engine:
        done = roost(engine.data_dir, "show", "git", "--json")
        assert done.code == 2
        assert done.json["error"]["details"] == {"candidates": ["a/git", "b/git"]}
        with_workspace = roost(engine.data_dir, "show", "git", "-w", "b", "--json")
        assert with_workspace.json["view"]["workspace"] == "b"


@pytest.mark.parametrize("reference", ["nope", "acme/nope", "nope/git", "../../status/git"])
def test_a_bundle_that_does_not_exist_is_not_found(engine: ServedEngine, reference: str) -> None:
    assert roost(engine.data_dir, "show", reference).code == 3


def test_tools_show_their_arguments_and_their_nature(engine: ServedEngine) -> None:
    lines = roost(engine.data_dir, "tools", "filesystem").out.splitlines()
    assert lines[1].split()[:5] == ["search_files", "pattern", "[path]", "[limit]", "reads"]
    assert "destructive" in lines[2]


def test_tools_of_a_bundle_that_is_down_are_refused(engine: ServedEngine) -> None:
    done = roost(engine.data_dir, "tools", "git")
    assert done.code == 4
    assert "start it with" in done.err


def test_runs_are_filtered_by_the_daemon(engine: ServedEngine) -> None:
    argv = ["runs", "--bundle", "filesystem", "--scope", "chat-42", "--status", "running"]
    done = roost(engine.data_dir, *argv, "-n", "7", "--before", "r-8f4", "--json")
    assert [run["id"] for run in done.json] == ["r-8f3"]
    [call] = engine.fake.called("runs")
    query = call["query"]
    assert (query.workspace, query.bundle, query.limit) == ("acme", "filesystem", 7)
    assert query.before == "r-8f4"


def test_active_runs_are_those_that_have_not_settled(engine: ServedEngine) -> None:
    done = roost(engine.data_dir, "runs", "--active", "--json")
    assert {run["id"] for run in done.json} == {"r-8f3", "r-8f4"}


@pytest.mark.parametrize("option", [["--status", "asleep"], ["-n", "0"], ["-n", "many"]])
def test_a_filter_that_makes_no_sense_is_refused(engine: ServedEngine, option: list[str]) -> None:
    assert roost(engine.data_dir, "runs", *option).code == 2
    assert engine.fake.called("runs") == []


def test_a_run_shows_its_input_events_and_result(engine: ServedEngine) -> None:
    active = roost(engine.data_dir, "run", "show", "r-8f3").out
    assert '"pattern": "TODO"' in active
    assert "step   7/10 scanning src" in active
    settled = roost(engine.data_dir, "run", "show", "acme/r-8f2").out
    assert settled.endswith("Result\nExample Domain\n")
    aborted = roost(engine.data_dir, "-w", "acme", "run", "show", "r-8f1").out
    assert "stopped by ops (stopped)" in aborted


@pytest.mark.parametrize("reference", ["r-nope", "lab/r-8f3", "nope/r-8f3"])
def test_a_run_elsewhere_is_not_found(engine: ServedEngine, reference: str) -> None:
    done = roost(engine.data_dir, "run", "show", reference, "--json")
    assert done.code == 3
    assert json.loads(done.out)["error"]["code"] in ("run_not_found", "workspace_not_found")
