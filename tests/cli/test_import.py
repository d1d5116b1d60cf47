"""``roost import``: the plan as text, what is chosen of it, and what becomes of each choice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.support.command_line import Outcome, roost
from tests.support.fake_engine import FakeEngine
from tests.support.served_engine import ServedEngine, served

from roost.cli.terminal import Terminal
from roost.models import (
    BundleKind,
    ImportedFile,
    ImportEntry,
    ImportPlan,
    ImportQuestion,
    ImportRequest,
    ImportScan,
    PinnedCopy,
    PlanNote,
)
from roost.models.codec import from_json

CONFIG = "/home/ada/.cursor/mcp.json"

FILES = (
    ImportedFile("Cursor", CONFIG, "0" * 64, 4),
    ImportedFile("Codex", "/home/ada/.codex/config.toml", "1" * 64, 0, "it breaks at line 3"),
)
MEMORY = ImportEntry(
    "a1",
    "Cursor",
    CONFIG,
    "memory",
    "memory",
    BundleKind.MCP_STDIO,
    argv=("npx", "-y", "@modelcontextprotocol/server-memory"),
    env_names=("LOG_LEVEL",),
    notes=(PlanNote("unpinned", "It is not pinned."), PlanNote("network", "QUIET")),
    copy=PinnedCopy("@modelcontextprotocol/server-memory", "It is faster."),
)
ASKS = ImportEntry(
    "a2",
    "Cursor",
    CONFIG,
    "Asks Much",
    "asks-much",
    BundleKind.MCP_STDIO,
    argv=("node", "server.js", "--api-key", "<API_KEY>"),
    secrets=("API_KEY",),
    secret_arguments=("API_KEY",),
    questions=(
        ImportQuestion("TOKEN", "The token", is_sensitive=True),
        ImportQuestion("region", "Where", False, False, "eu", ("eu", "us")),
    ),
)
REMOTE = ImportEntry(
    "a3",
    "Cursor",
    CONFIG,
    "linear",
    "linear",
    BundleKind.MCP_HTTP,
    url="https://linear.example/mcp?key=<KEY>",
    secrets=("KEY",),
)
PROJECT = replace(
    REMOTE,
    id="b1",
    client="Claude Code",
    path="/srv/shop/.mcp.json",
    entry="shop",
    name="shop",
    project="/srv/shop",
    is_from_repository=True,
)
UNFIT = (
    replace(REMOTE, id="c1", entry="old", name="old", problem="It speaks SSE."),
    replace(REMOTE, id="c2", entry="parked", name="parked", is_disabled=True),
    replace(REMOTE, id="c3", entry="linear", name="linear-2", client="VS Code", duplicate_of="a3"),
    replace(REMOTE, id="c4", entry="there", name="there-2", installed_as="there"),
)


@pytest.fixture(scope="module")
def shared_engine() -> Iterator[ServedEngine]:
    with served(FakeEngine(workspaces=("w",))) as engine:
        entries = (MEMORY, ASKS, REMOTE, PROJECT, *UNFIT)
        engine.do(lambda fake: fake.set_import_plan(FILES, *entries))
        yield engine


@pytest.fixture
def engine(shared_engine: ServedEngine) -> ServedEngine:
    def clear(fake: FakeEngine) -> None:
        fake.calls.clear()
        fake.world.bundles.clear()

    shared_engine.do(clear)
    return shared_engine


def request(engine: ServedEngine) -> ImportRequest:
    [call] = engine.fake.called("import_bundles")
    found = call["request"]
    assert isinstance(found, ImportRequest)
    return found


def chosen(engine: ServedEngine) -> list[str]:
    return [choice.id for choice in request(engine).choices]


def run(engine: ServedEngine, *argv: str, **options: Any) -> Outcome:
    return roost(engine.data_dir, "import", *argv, **options)


def test_without_a_name_the_plan_is_shown_in_eighty_columns_and_nothing_changes(
    engine: ServedEngine,
) -> None:
    done = run(engine)
    assert done.code == 0, done.err
    assert all(len(line) <= 80 for line in done.out.splitlines())
    for text in (
        "Cursor, /home/ada/.cursor/mcp.json",
        "runs npx -y @modelcontextprotocol/server-memory",
        "warning: It is not pinned.",
        "with --resolve",
        "asks-much (Asks Much)",
        "--api-key <API_KEY>",
        "to the vault: API_KEY",
        "asks for TOKEN, region (optional)",
        "somewhere else, at https://linear.example/mcp?key=<KEY>",
        "old, cannot be imported",
        "It speaks SSE.",
        "parked, switched off in its client",
        "linear-2 (linear), the same as linear",
        "installed as there",
        "not read: it breaks at line 3",
        "8 found, nothing was changed",
    ):
        assert text in done.out, text
    assert "QUIET" not in done.out
    assert engine.fake.called("import_bundles") == []


def test_the_plan_and_the_outcome_are_the_apis_own_with_json(engine: ServedEngine) -> None:
    plan = from_json(run(engine, "--json").out, ImportPlan)
    assert plan.files == FILES and plan.entries[0] == MEMORY
    done = run(engine, "memory", "--yes", "--json")
    assert done.json["results"][0]["bundle"] == "memory"


def test_the_present_directory_is_the_project_unless_another_is_named(
    engine: ServedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/tmp")
    run(engine)
    run(engine, "--directory", "shop")
    run(engine, "--from", "x.json")
    run(engine, "--from", "x.json", "--directory", "shop")
    assert [call["scan"] for call in engine.fake.called("plan_import")] == [
        ImportScan(directories=("/tmp",)),
        ImportScan(directories=("/tmp/shop",)),
        ImportScan(files=("/tmp/x.json",), only_given=True),
        ImportScan(directories=("/tmp/shop",), files=("/tmp/x.json",)),
    ]


@pytest.mark.parametrize("name", ["a1", "memory"])
def test_an_entry_is_named_by_its_id_or_name_and_not_started_unasked(
    engine: ServedEngine, name: str
) -> None:
    done = run(engine, name, "--yes")
    assert done.code == 0, done.err
    assert (chosen(engine), request(engine).start) == (["a1"], False)
    assert "w/memory is imported" in done.out
    assert "npx -y @modelcontextprotocol/server-memory" in done.err


def test_all_takes_what_nothing_speaks_against(engine: ServedEngine) -> None:
    run(engine, "--all", "--yes")
    assert chosen(engine) == ["a1", "a2", "a3", "b1"]


def test_what_a_repository_runs_is_started_by_its_name_only(engine: ServedEngine) -> None:
    run(engine, "--all", "--yes", "--start")
    assert chosen(engine) == ["a1", "a2", "a3"]
    engine.do(lambda fake: fake.calls.clear())
    run(engine, "shop", "--yes", "--start")
    assert (chosen(engine), request(engine).start) == (["b1"], True)


def test_answers_come_from_options_and_stdin_and_only_to_who_asks(engine: ServedEngine) -> None:
    argv = ["asks-much", "memory", "--yes", "--set", "TOKEN", "--set", "region=us"]
    done = run(engine, *argv, "--allow-secret-arguments", stdin="hunter2\n")
    assert done.code == 0, done.err
    asks, memory = request(engine).choices
    assert asks.answers == {"TOKEN": "hunter2", "region": "us"} and memory.answers == {}
    assert asks.secret_arguments
    assert "hunter2" not in done.out + done.err + repr(request(engine))


def test_a_secret_answer_never_stands_in_the_arguments(engine: ServedEngine) -> None:
    done = run(engine, "asks-much", "--yes", "--set", "TOKEN=hunter2")
    assert done.code == 2 and "hunter2" not in done.err
    done = run(engine, "asks-much", "--yes", "--set-from-env", "TOKEN=T", environ={"T": "hunter2"})
    assert request(engine).choices[0].answers == {"TOKEN": "hunter2"}


def test_a_pinned_copy_is_taken_where_there_is_one(engine: ServedEngine) -> None:
    run(engine, "memory", "linear", "--yes", "--resolve")
    assert [choice.resolve for choice in request(engine).choices] == [True, False]


def test_one_that_fails_is_told_and_the_others_are_imported(engine: ServedEngine) -> None:
    done = run(engine, "asks-much", "memory", "--yes")
    assert done.code == 1
    assert "asks-much was not imported" in done.err and "w/memory is imported" in done.out


def test_the_bundle_of_one_entry_may_have_another_name(engine: ServedEngine) -> None:
    done = run(engine, "memory", "--yes", "--name", "brain")
    assert "w/brain is imported" in done.out


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["memory"], 2),
        (["memory", "--all", "--yes"], 2),
        (["memory", "linear", "--name", "x", "--yes"], 2),
        (["--start"], 2),
        (["--yes"], 2),
        (["--from", ""], 2),
        (["memory", "--set", "nothing=x", "--yes"], 2),
        (["nothing", "--yes"], 3),
        (["--read-only", "memory", "--yes"], 4),
    ],
    ids=str,
)
def test_what_cannot_be_done_as_asked_changes_nothing(
    engine: ServedEngine, argv: list[str], code: int
) -> None:
    assert run(engine, *argv).code == code
    assert engine.fake.called("import_bundles") == []


def test_reading_is_allowed_where_acting_is_not(engine: ServedEngine) -> None:
    assert run(engine, "--read-only").code == 0


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A terminal on which these lines are typed, in order; it keeps the questions."""
    lines: list[str] = []
    monkeypatch.setattr(Terminal, "can_ask", True)
    monkeypatch.setattr(Terminal, "ask", lambda self, question: lines.pop(0))
    monkeypatch.setattr(Terminal, "secret", lambda self, name, **_: lines.pop(0))
    return lines


def test_a_terminal_asks_each_question_and_then_for_consent(
    engine: ServedEngine, typed: list[str]
) -> None:
    typed += ["hunter2", "", "y"]
    run(engine, "asks-much", "--allow-secret-arguments")
    assert request(engine).choices[0].answers == {"TOKEN": "hunter2"}
    assert typed == []


def test_anything_but_yes_imports_nothing(engine: ServedEngine, typed: list[str]) -> None:
    typed += [""]
    done = run(engine, "memory")
    assert done.code == 4 and "nothing was imported" in done.err
    assert engine.fake.called("import_bundles") == []


def test_a_home_without_clients_is_told(engine: ServedEngine) -> None:
    with served(FakeEngine(workspaces=("w",))) as empty:
        done = roost(empty.data_dir, "import")
        assert done.code == 0 and "--from FILE" in done.out
        assert roost(empty.data_dir, "import", "--all", "--yes").code == 3


def test_the_help_says_what_happens_to_files_and_secrets(engine: ServedEngine) -> None:
    done = run(engine, "--help")
    assert "only read" in done.out and "vault" in done.out and "[NAME...]" in done.out
