"""What each of the eight clients has becomes entries of one plan."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from tests.support.client_samples import SECRETS, SampleClients, entry_of

from roost.bundles.clients.install import definition_of
from roost.models import BundleKind, ImportScan, Source, SourceKind
from roost.models.codec import to_json


def test_all_eight_clients_are_found_with_their_hashes(clients: SampleClients) -> None:
    plan = clients.plan()
    assert {file.client for file in plan.files} == {
        "Claude Desktop",
        "Claude Code",
        "VS Code",
        "Cursor",
        "Windsurf",
        "Gemini CLI",
        "Copilot CLI",
        "Codex",
    }
    state = clients.state()
    assert all(file.sha256 == state[file.path][0] for file in plan.files)
    assert sum(file.servers for file in plan.files) == len(plan.entries) == 23
    assert not any(file.problem for file in plan.files)


def test_no_secret_stands_in_the_plan_and_each_is_named_by_its_field(
    clients: SampleClients,
) -> None:
    plan = clients.plan()
    text = repr(plan) + to_json(plan).decode() + repr(clients.find())
    assert [secret for secret in SECRETS if secret in text] == []
    assert entry_of(plan, "github").secrets == ("GITHUB_PERSONAL_ACCESS_TOKEN",)
    assert entry_of(plan, "search").secrets == ("Authorization",)


def test_what_the_files_hold_of_secrets_goes_to_the_vault_and_nowhere_else(
    clients: SampleClients,
) -> None:
    kept = [str(entry.read.form.values) for entry in clients.find().entries]
    assert [secret for secret in SECRETS if not any(secret in text for text in kept)] == []


def test_a_plan_touches_no_file(clients: SampleClients) -> None:
    before = clients.state()
    for path in before:
        os.chmod(path, 0o400)
    clients.plan()
    assert clients.state() == before


def test_secrets_in_a_command_line_are_named_in_their_place(clients: SampleClients) -> None:
    plan = clients.plan()
    notes, orders = entry_of(plan, "notes"), entry_of(plan, "orders")
    assert notes.argv[-2:] == ("--api-key", "<API_KEY>")
    assert notes.secret_arguments == ("API_KEY",)
    assert orders.argv == ("uvx", "mcp-server-postgres", "<ARGUMENT_2>")
    assert orders.secret_arguments == ("ARGUMENT_2",)
    assert "secret_argument" in {note.code for note in orders.notes}


def test_an_input_becomes_a_question_with_its_choices_and_default(clients: SampleClients) -> None:
    entry = entry_of(clients.plan(), "perplexity")
    questions = {question.key: question for question in entry.questions}
    assert questions["perplexity-key"].is_sensitive
    assert questions["perplexity-key"].title == "Perplexity API key"
    region = questions["region"]
    assert (region.choices, region.default, region.is_required) == (("eu", "us"), "eu", False)
    assert entry.argv[-1] == "--region=<region>"


def test_a_server_over_http_names_its_headers_and_hides_what_its_address_holds(
    clients: SampleClients,
) -> None:
    plan = clients.plan()
    sentry, linear = entry_of(plan, "sentry"), entry_of(plan, "linear")
    assert (sentry.kind, sentry.url) == (BundleKind.MCP_HTTP, "https://mcp.sentry.example/mcp")
    assert sentry.header_names == ("Authorization", "X-Region")
    assert {q.key: q.default for q in sentry.questions} == {
        "SENTRY_TOKEN": None,
        "SENTRY_REGION": "eu",
    }
    assert linear.url == "https://mcp.linear.example/mcp?apiKey=<APIKEY>&team=<TEAM>"
    assert entry_of(plan, "figma").url == "https://figma.example/mcp"
    assert entry_of(plan, "search").url == "https://search.example/mcp"


def test_the_former_sse_transport_is_refused_with_a_sentence(clients: SampleClients) -> None:
    assert "SSE" in entry_of(clients.plan(), "old stream").problem


def test_codex_names_variables_that_are_asked_for(clients: SampleClients) -> None:
    plan = clients.plan()
    issues = entry_of(plan, "issues")
    assert issues.is_disabled
    assert issues.header_names == ("Authorization", "X-Session-Cookie", "X-Team")
    assert {q.key for q in issues.questions if q.is_sensitive} == {"ISSUES_TOKEN", "ISSUES_COOKIE"}
    [login] = entry_of(plan, "docs-search").questions
    assert (login.key, login.is_required) == ("DOCS_LOGIN", False)


def test_what_claude_desktop_never_fills_in_stays_as_it_is_written(
    clients: SampleClients,
) -> None:
    entry = entry_of(clients.plan(), "shell note")
    assert "${NOT_OURS}" in entry.argv[-1]
    assert entry.questions == ()


def test_what_a_project_has_is_marked_as_anybodys_and_works_in_the_project(
    clients: SampleClients,
) -> None:
    plan = clients.plan()
    api = entry_of(plan, "api")
    assert api.is_from_repository and api.project == str(clients.project)
    assert api.argv == ("node", f"{clients.project}/server.js")
    assert api.env_names == ("API_SECRET", "MODE", "PORT")
    orders = entry_of(plan, "orders")
    assert orders.project == "/home/ada/shop" and not orders.is_from_repository
    [found] = [found for found in clients.find().entries if found.server.name == "api"]
    assert found.read.directory == str(clients.project)
    assert found.read.form.values["MODE"] == "test", "env wins over envFile"


def test_names_are_free_and_unlike_each_other(clients: SampleClients) -> None:
    [known] = [e for e in clients.find().entries if e.server.name == "memory"]
    definition = definition_of(known.server, known.read, title="memory")
    plan = clients.plan(installed={"memory": definition})
    names = [entry.name for entry in plan.entries]
    assert len(set(names)) == len(names)
    assert "memory" not in names and "filesystem-2" in names
    assert entry_of(plan, "memory").installed_as == "memory"


@pytest.mark.parametrize(
    ("origin", "args", "name"),
    [
        ("@modelcontextprotocol/server-memory@2026.8.31", ("/p/index.js",), "brain"),
        ("@modelcontextprotocol/server-memory@2026.8.31", ("/p/index.js", "--other"), None),
        ("@modelcontextprotocol/server-other@2026.8.31", ("/p/index.js",), None),
    ],
)
def test_a_pinned_copy_of_an_entrys_package_is_the_same_server(
    clients: SampleClients, origin: str, args: tuple[str, ...], name: str | None
) -> None:
    [known] = [e for e in clients.find().entries if e.server.name == "memory"]
    copy = replace(
        definition_of(known.server, known.read, title="memory"),
        command="node",
        args=args,
        source=Source(SourceKind.NPM, origin),
    )
    plan = clients.plan(installed={"brain": copy})
    assert entry_of(plan, "memory").installed_as == name


def test_the_same_server_of_a_second_client_is_a_duplicate(clients: SampleClients) -> None:
    plan = clients.plan()
    first = entry_of(plan, "filesystem", "Claude Desktop")
    assert entry_of(plan, "filesystem", "Cursor").duplicate_of == first.id
    assert first.duplicate_of is None


def test_only_the_file_that_was_named_is_read(clients: SampleClients) -> None:
    path = str(clients.home / ".codex" / "config.toml")
    plan = clients.plan(ImportScan(files=(path,), only_given=True))
    assert [(file.client, file.path) for file in plan.files] == [("Codex", path)]


@pytest.mark.parametrize("folder", ["Claude", "Code/User"])
def test_the_places_of_macos_are_looked_at_too(clients: SampleClients, folder: str) -> None:
    mac = clients.home / "Library" / "Application Support"
    (mac / folder).parent.mkdir(parents=True)
    (clients.home / ".config" / folder).rename(mac / folder)
    paths = {file.path for file in clients.plan().files}
    assert any(path.startswith(str(mac / folder)) for path in paths)


def test_one_file_that_two_ways_lead_to_is_read_once(clients: SampleClients) -> None:
    real = clients.home / ".cursor" / "mcp.json"
    (clients.project / ".cursor" / "mcp.json").unlink()
    (clients.project / ".cursor" / "mcp.json").symlink_to(real)
    cursor = [file for file in clients.plan().files if file.client == "Cursor"]
    assert len(cursor) == 1
