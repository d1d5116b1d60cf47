"""``roost add WHAT``: anything, and what will run is shown before it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.command_line import Outcome, roost
from tests.support.fake_engine import FakeEngine
from tests.support.served_engine import ServedEngine, served

from roost.cli.terminal import Terminal
from roost.models import BundleKind, InstallRequest, PinnedCopy, PlanNote, SourceKind

SECRET = "hunter2-is-secret"


@pytest.fixture
def engine() -> Iterator[ServedEngine]:
    with served(FakeEngine(workspaces=("lab",))) as engine:
        yield engine


def add(engine: ServedEngine, *argv: str, environ: dict[str, str] | None = None) -> Outcome:
    return roost(engine.data_dir, "add", *argv, environ=environ)


def installed(engine: ServedEngine, done: Outcome) -> InstallRequest:
    assert done.code == 0, done.err + done.out
    [call] = engine.fake.called("install")
    found = call["request"]
    assert isinstance(found, InstallRequest)
    return found


def test_an_archive_is_installed_as_it_was_reviewed(
    engine: ServedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.mcpb").write_bytes(b"")
    done = add(engine, "a.mcpb")
    request = installed(engine, done)
    assert (request.source, request.path) == (SourceKind.MCPB, str(tmp_path / "a.mcpb"))
    [planned] = engine.fake.called("plan_install")
    assert planned["request"].sha256 is None
    assert request.sha256 == "5f" * 32, "what the plan said"
    assert "a-mcpb runs:" in done.err


def test_an_address_a_package_and_a_program_need_no_option(engine: ServedEngine) -> None:
    add(engine, "https://host/mcp", "--name", "a")
    add(engine, "npm:thing", "--name", "b", "--", "--flag")
    add(engine, "sh", "--name", "c", "--kind", "web", "--", "-c", "serve")
    requests = [call["request"] for call in engine.fake.called("install")]
    assert [request.source for request in requests] == [
        SourceKind.URL,
        SourceKind.NPM,
        SourceKind.COMMAND,
    ]
    assert requests[0].kind is BundleKind.MCP_HTTP
    assert (requests[1].requirement, requests[1].command) == ("thing", ("--flag",))
    assert (requests[2].command, requests[2].kind) == (("sh", "-c", "serve"), BundleKind.WEB)


def test_the_options_say_the_same(engine: ServedEngine) -> None:
    headers = {"X_API_KEY": SECRET}
    add(engine, "--url", "https://h/mcp", "--header", "X-Api-Key", "--name", "a", environ=headers)
    add(engine, "--npm", "@x/y@1.0.0", "--name", "b")
    listens = ["--url", "http://127.0.0.1:${port}/x", "--kind", "mcp-http", "--directory", "/"]
    add(engine, *listens, "--name", "c", "--", "serve")
    add(engine, "--resolve", "--allow-secret-arguments", "--name", "d", "--", "npx", "-y", "thing")
    first, second, third, fourth = [call["request"] for call in engine.fake.called("install")]
    assert first.headers == {"X-Api-Key": SECRET}
    assert (second.source, second.requirement) == (SourceKind.NPM, "@x/y@1.0.0")
    assert (third.kind, third.url) == (BundleKind.MCP_HTTP, "http://127.0.0.1:${port}/x")
    assert third.directory == "/"
    assert fourth.resolve and fourth.secret_arguments


@pytest.mark.parametrize(
    "argv",
    [
        ["nothing-of-this-name"],
        ["npm:a", "--pypi", "b"],
        ["https://h/mcp", "--env", "PATH"],
        ["https://h/mcp", "--directory", "/"],
        ["--header", "X-Absent", "--url", "https://h/mcp"],
        ["--header", "X-Key: value", "--url", "https://h/mcp"],
        ["--header-stdin", "X", "--", "sh"],
        ["--sha256", "00", "--npm", "a"],
        ["--resolve", "--mcpb", "/a.mcpb"],
        ["--url", "https://h/mcp", "--script", "x"],
        ["a", "b"],
    ],
    ids=" ".join,
)
def test_what_does_not_go_together_is_refused_before_the_daemon_is_asked(
    engine: ServedEngine, argv: list[str]
) -> None:
    done = add(engine, *argv)
    assert done.code == 2, done.err
    assert engine.fake.calls == []


def test_a_plan_alone_installs_nothing_and_fits_on_eighty_columns(engine: ServedEngine) -> None:
    long = " ".join(["words"] * 60)
    engine.do(
        lambda fake: fake.review_with(
            missing_fields=("token",),
            notes=(PlanNote("shell", long), PlanNote("network", "Quiet.", is_warning=False)),
            copy=PinnedCopy("thing", "An installed copy of thing starts faster."),
        )
    )
    done = add(engine, "--plan", "--env", "KEY", "--", "sh", "-c", "x y", environ={"KEY": SECRET})
    assert done.code == 0
    assert engine.fake.called("install") == []
    lines = done.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("runs") and "sh -c 'x y'" in line for line in lines)
    assert any(line.startswith("given") and "KEY" in line for line in lines)
    assert any(line.startswith("needs") and "token" in line for line in lines)
    assert any(line.startswith("warning") for line in lines)
    assert "--resolve" in done.out
    assert SECRET not in done.out + done.err
    assert add(engine, "--plan", "--json", "--", "sh").json["argv"] == ["sh"]


def test_without_a_terminal_the_plan_is_a_line_or_two_on_stderr(engine: ServedEngine) -> None:
    warning = PlanNote("unpinned", "thing is not pinned.")
    engine.do(lambda fake: fake.review_with(notes=(warning,)))
    done = add(engine, "--", "sh", "-c", "x")
    assert done.err.splitlines() == ["sh runs: sh -c x", "note: thing is not pinned."]
    assert "is installed" in done.out
    quiet = add(engine, "--json", "--name", "other", "--", "sh")
    assert quiet.err == ""


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("", 4), ("no", 4)])
def test_a_terminal_shows_the_plan_and_asks(
    engine: ServedEngine, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    asked: list[str] = []

    def ask(self: Terminal, question: str) -> str:
        asked.append(question)
        return answer

    monkeypatch.setattr(Terminal, "can_ask", property(lambda self: True))
    monkeypatch.setattr(Terminal, "ask", ask)
    done = add(engine, "--", "sh", "-c", "x")
    assert done.code == code and asked == ["install it? [y/N]"]
    assert "runs       sh -c x" in done.err
    assert len(engine.fake.called("install")) == (code == 0)
    assert add(engine, "--yes", "--name", "two", "--", "sh").code == 0
    assert len(asked) == 1
