"""``roost add``: each source becomes the request it stands for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.command_line import Outcome, roost
from tests.support.fake_engine import FakeEngine
from tests.support.served_engine import ServedEngine, served

from roost.models import BundleKind, BundleSettings, BundleView, InstallRequest, SourceKind
from roost.models.codec import from_json


@pytest.fixture(scope="module")
def shared_engine() -> Iterator[ServedEngine]:
    with served(FakeEngine(workspaces=("acme", "lab"))) as engine:
        yield engine


@pytest.fixture
def engine(shared_engine: ServedEngine) -> ServedEngine:
    shared_engine.do(lambda fake: fake.calls.clear())
    return shared_engine


def _request(engine: ServedEngine, done: Outcome) -> InstallRequest:
    assert done.code == 0, done.err + done.out
    [call] = engine.fake.called("install")
    request = call["request"]
    assert isinstance(request, InstallRequest)
    return request


def test_a_command_is_taken_as_it_stands_behind_the_dashes(engine: ServedEngine) -> None:
    argv = ["add", "-w", "lab", "--name", "web", "--kind", "web", "--protected", "--no-start"]
    done = roost(engine.data_dir, *argv, "--", "python3", "-m", "http.server", "--json")
    assert _request(engine, done) == InstallRequest(
        SourceKind.COMMAND,
        name="web",
        command=("python3", "-m", "http.server", "--json"),
        kind=BundleKind.WEB,
        settings=BundleSettings(protected=True),
        start=False,
    )
    assert "lab/web is installed" in done.out


def test_a_web_bundle_may_have_a_fixed_port_and_a_path_that_says_it_is_ready(
    engine: ServedEngine,
) -> None:
    argv = ["add", "-w", "lab", "--name", "w1", "--kind", "web", "--port", "8080"]
    done = roost(engine.data_dir, *argv, "--ready-path", "/healthz", "--", "tool", "${port}")
    request = _request(engine, done)
    assert (request.port, request.ready_path) == (8080, "/healthz")
    assert request.command == ("tool", "${port}")


@pytest.mark.parametrize("spelling", ["0", ""])
def test_port_zero_and_an_empty_one_ask_for_any_free_port(
    engine: ServedEngine, spelling: str
) -> None:
    argv = ["add", "-w", "lab", "--name", f"free{spelling}", "--kind", "web", "--no-start"]
    done = roost(engine.data_dir, *argv, "--port", spelling, "--", "tool")
    assert not _request(engine, done).port


@pytest.mark.parametrize("spelling", ["3000abc", "70000", "-1", "65536", "80.0", " 80", "8080\n"])
def test_what_is_no_port_is_refused_and_nothing_is_installed(
    engine: ServedEngine, spelling: str
) -> None:
    argv = ["add", "-w", "lab", "--kind", "web", f"--port={spelling}", "--", "tool"]
    done = roost(engine.data_dir, *argv)
    assert done.code == 2 and "is not a port" in done.err
    assert engine.fake.called("install") == []


def test_a_worker_is_a_module_in_a_directory(
    engine: ServedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/tmp")
    argv = ["add", "-w", "lab", "--name", "jobs1", "--worker", "shop.jobs"]
    done = roost(engine.data_dir, *argv, "--directory", "shop", "--python", "./bin/python")
    request = _request(engine, done)
    assert (request.source, request.kind) == (SourceKind.WORKER, BundleKind.WORKER)
    assert (request.path, request.entry) == ("/tmp/shop", "shop.jobs")
    assert (request.python, request.directory) == ("/tmp/bin/python", None)


def test_a_workers_module_is_looked_for_where_the_caller_is(
    engine: ServedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/tmp")
    done = roost(engine.data_dir, "add", "-w", "lab", "--name", "jobs2", "--worker", "jobs")
    assert _request(engine, done).path == "/tmp"


def test_a_command_can_be_a_worker(engine: ServedEngine) -> None:
    argv = ["add", "-w", "lab", "--name", "jobs3", "--kind", "worker", "--"]
    done = roost(engine.data_dir, *argv, "uv", "run", "python", "-m", "roost.worker", "jobs")
    request = _request(engine, done)
    assert (request.source, request.kind) == (SourceKind.COMMAND, BundleKind.WORKER)


def test_an_app_is_named_by_its_directory_and_says_itself_what_it_is(
    engine: ServedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/tmp")
    argv = ["add", "-w", "lab", "--name", "a1", "--app", "greeter", "--env", "GREETING"]
    options = ["--entry", "main:app", "--python", "venv/bin/python", "--ready-path", "/healthz"]
    request = _request(engine, roost(engine.data_dir, *argv, *options, environ={"GREETING": "hi"}))
    assert (request.source, request.path) == (SourceKind.APP, "/tmp/greeter")
    assert (request.entry, request.python) == ("main:app", "/tmp/venv/bin/python")
    assert (request.ready_path, request.env) == ("/healthz", {"GREETING": "hi"})


def test_the_help_says_that_an_apps_code_is_loaded(engine: ServedEngine) -> None:
    done = roost(engine.data_dir, "add", "--help")
    assert "loads the app's code" in done.out and "without starting it" in done.out


def test_paths_are_made_absolute_because_the_daemon_works_elsewhere(
    engine: ServedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/tmp")
    done = roost(engine.data_dir, "add", "-w", "lab", "--name", "m1", "--mcpb", "x.mcpb")
    request = _request(engine, done)
    assert (request.source, request.path) == (SourceKind.MCPB, "/tmp/x.mcpb")


def test_a_program_given_by_a_relative_path_is_the_callers(
    engine: ServedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/tmp")
    done = roost(engine.data_dir, "add", "-w", "lab", "--name", "own", "--", "./run.sh", "./data")
    assert _request(engine, done).command == ("/tmp/run.sh", "./data")


def test_an_entry_of_a_client_is_named_by_file_and_key(engine: ServedEngine) -> None:
    argv = ["add", "-w", "lab", "--name", "m2", "--mcp-servers", "/c/config.json", "git"]
    request = _request(engine, roost(engine.data_dir, *argv))
    assert (request.source, request.path, request.entry) == (
        SourceKind.MCP_SERVERS,
        "/c/config.json",
        "git",
    )


def test_a_requirement_takes_its_arguments_behind_the_dashes(engine: ServedEngine) -> None:
    argv = ["add", "-w", "lab", "--name", "m3", "--pypi", "a-server==1.0", "--script", "serve"]
    request = _request(engine, roost(engine.data_dir, *argv, "--", "--zone", "UTC"))
    assert request.source is SourceKind.PYPI
    assert request.kind is BundleKind.MCP_STDIO
    assert (request.requirement, request.script) == ("a-server==1.0", "serve")
    assert request.command == ("--zone", "UTC")


def test_values_come_from_the_environment_or_from_stdin_and_never_from_arguments(
    engine: ServedEngine,
) -> None:
    argv = ["add", "-w", "lab", "--name", "m4", "--env", "TOKEN", "--env-stdin", "KEY"]
    done = roost(
        engine.data_dir, *argv, "--", "tool", environ={"TOKEN": "t"}, stdin="line 1\nline 2\n"
    )
    assert _request(engine, done).env == {"TOKEN": "t", "KEY": "line 1\nline 2"}


@pytest.mark.parametrize("option", ["--env", "--env-stdin"])
def test_a_value_in_the_arguments_is_refused_without_repeating_it(
    engine: ServedEngine, option: str
) -> None:
    done = roost(engine.data_dir, "add", option, "TOKEN=hunter2", "--", "tool")
    assert done.code == 2
    assert "visible to every user" in done.err
    assert "hunter2" not in done.err


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["--mcpb", "x", "--pypi", "y"],
        ["--mcpb", "x", "--", "tool"],
        ["--mcpb", "x", "--script", "s"],
        ["--mcp-servers", "f", "e", "--env", "A"],
        ["--script", "s", "--", "tool"],
        ["--kind", "robot", "--", "tool"],
        ["--port", "8080", "--", "tool"],
        ["--ready-path", "/x", "--kind", "command", "--", "tool"],
        ["--port", "8080", "--pypi", "a==1"],
        ["--app", "d", "--kind", "web"],
        ["--app", "d", "--", "tool"],
        ["--app", "d", "--mcpb", "x"],
        ["--worker", "jobs", "--app", "d"],
        ["--worker", "jobs", "--kind", "web"],
        ["--worker", "jobs", "--entry", "main"],
        ["--worker", "jobs", "--port", "80"],
        ["--worker", "jobs", "--header", "X"],
        ["--worker", "jobs", "--", "tool"],
        ["--python", "p", "--", "tool"],
        ["--entry", "e", "--pypi", "a==1"],
        ["--python", "p", "--mcpb", "x"],
        ["--env", "MISSING", "--", "tool"],
        ["--"],
    ],
    ids=" ".join,
)
def test_what_does_not_go_together_is_refused_before_anything_is_asked_of_the_daemon(
    engine: ServedEngine, argv: list[str]
) -> None:
    assert roost(engine.data_dir, "add", "-w", "lab", *argv).code == 2
    assert engine.fake.calls == []


def test_the_workspace_must_be_clear(engine: ServedEngine) -> None:
    several = roost(engine.data_dir, "add", "--", "tool")
    assert several.code == 2
    assert "acme, lab" in several.err
    assert roost(engine.data_dir, "add", "-w", "nope", "--", "tool").code == 3


def test_the_only_workspace_needs_no_naming_and_a_first_install_makes_one() -> None:
    with served(FakeEngine(workspaces=("solo",))) as engine:
        done = roost(engine.data_dir, "add", "--json", "--", "tool")
        assert from_json(done.out, BundleView).workspace == "solo"
    with served(FakeEngine(workspaces=())) as engine:
        done = roost(engine.data_dir, "add", "--json", "--", "tool")
        assert from_json(done.out, BundleView).workspace == "default"
        assert roost(engine.data_dir, "add", "-w", "other", "--", "tool").code == 3


def test_a_name_that_is_taken_is_a_conflict(engine: ServedEngine) -> None:
    argv = ["add", "-w", "acme", "--name", "twice", "--", "tool"]
    assert roost(engine.data_dir, *argv).code == 0
    assert roost(engine.data_dir, *argv).code == 4


@pytest.mark.parametrize(
    "argv",
    [
        ["--mcpb", ""],
        ["--mcp-servers", "", "files"],
        ["--app", ""],
        ["--worker", "jobs", "--directory", ""],
    ],
)
def test_an_empty_path_is_not_taken_for_the_present_directory(
    engine: ServedEngine, argv: list[str]
) -> None:
    done = roost(engine.data_dir, "add", *argv)
    assert done.code == 2 and "the path is empty" in done.err
    assert engine.fake.called("install") == []
