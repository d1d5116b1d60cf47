"""One entry in Roost's terms: placeholders, secrets, directories and refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from roost.bundles.clients.entry import ReadEntry, read_entry
from roost.bundles.clients.files import RawServer
from roost.bundles.clients.locations import Client

SECRET = "hunter2-0123456789"


def read(
    body: Any,
    client: Client = Client.VS_CODE,
    *,
    project: str | None = None,
    inputs: tuple[Any, ...] = (),
) -> ReadEntry:
    server = RawServer(client, Path("/c/mcp.json"), "one", body, inputs, project)
    return read_entry(server, "/home/ada")


def env(value: str, name: str = "SETTING", **options: Any) -> ReadEntry:
    return read({"command": "node", "env": {name: value}}, **options)


@pytest.mark.parametrize(
    ("written", "template"),
    [
        ("${TOKEN}", "${user_config.TOKEN}"),
        ("${env:TOKEN}", "${user_config.TOKEN}"),
        ("${input:my key}", "${user_config.my_key}"),
        ("Bearer ${TOKEN}", "Bearer ${user_config.TOKEN}"),
        ("/data/${NAME}", "/data/${user_config.NAME}"),
        ("${config:editor.x}", "${user_config.config_editor.x}"),
    ],
)
def test_what_only_the_client_knows_is_asked_for(written: str, template: str) -> None:
    found = env(written)
    assert found.env == {"SETTING": template}
    assert len(found.form.questions) == 1 and found.form.values == {}


@pytest.mark.parametrize("written", ["${HOME}/x", "${userHome}/x", "${env:HOME}/x"])
def test_the_home_directory_is_known(written: str) -> None:
    assert read({"command": "node", "args": [written]}).args == ("${HOME}/x",)


def test_the_projects_directory_is_known_where_there_is_a_project() -> None:
    body = {"command": "./run", "args": ["${workspaceFolder}/x", "${workspaceFolderBasename}"]}
    found = read(body, project="/srv/shop")
    assert (found.command, found.args) == ("/srv/shop/run", ("/srv/shop/x", "shop"))
    assert found.directory == "/srv/shop" and found.form.questions == ()
    assert [q.key for q in read(body).form.questions] == [
        "workspaceFolder",
        "workspaceFolderBasename",
    ]


def test_a_default_answers_the_question_unless_it_is_a_secret_itself() -> None:
    [plain] = env("${REGION:-eu}").form.questions
    assert (plain.default, plain.is_required, plain.is_sensitive) == ("eu", False, False)
    hidden = env(f"${{API_TOKEN:-{SECRET}}}")
    [question] = hidden.form.questions
    assert (question.default, question.is_required, question.is_sensitive) == (None, False, True)
    assert hidden.form.values == {"API_TOKEN": SECRET}
    assert SECRET not in repr(hidden)


def test_the_same_placeholder_is_asked_for_once() -> None:
    found = read({"command": "node", "args": ["${X}", "--y=${X}"], "env": {"Z": "${X}"}})
    assert [question.key for question in found.form.questions] == ["X"]
    assert found.args == ("${user_config.X}", "--y=${user_config.X}")


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"command": "node", "env": {"API_KEY": "${input:k}"}}, "a variable's name"),
        ({"command": "node", "args": ["--api-key", "${input:k}"]}, "an option's name"),
        ({"url": "https://h/mcp", "headers": {"Authorization": "Bearer ${input:k}"}}, "a header"),
        ({"url": "https://h/mcp?token=${input:k}"}, "a parameter's name"),
    ],
)
def test_where_a_value_stands_tells_that_it_is_secret(body: Any, where: str) -> None:
    found = read(body, inputs=({"id": "k", "type": "promptString"},))
    assert [question.is_sensitive for question in found.form.questions] == [True], where


def test_a_literal_secret_beside_a_placeholder_is_kept_by_itself() -> None:
    found = env(f"postgres://app:{SECRET}@${{DB_HOST}}/x", "DATABASE")
    [question] = found.form.questions
    assert question.key == "DB_HOST"
    assert SECRET not in repr(found) and SECRET in str(found.form.values)
    assert found.env["DATABASE"].count("${user_config.") >= 2


@pytest.mark.parametrize("name", ["user_config.x", "__dirname", "prepared", "port"])
def test_a_literal_that_would_stand_for_a_value_of_roosts_is_refused(name: str) -> None:
    found = read({"command": "node", "args": [f"${{{name}}}"]}, Client.CLAUDE_DESKTOP)
    assert "Roost" in found.problem


def test_the_variables_that_gemini_writes_without_braces_are_asked_for() -> None:
    found = env("$API_TOKEN", client=Client.GEMINI)
    assert [question.key for question in found.form.questions] == ["API_TOKEN"]
    assert env("$API_TOKEN").form.questions == ()


def test_a_file_of_variables_is_read_into_fields(tmp_path: Path) -> None:
    (tmp_path / "x.env").write_text(f"# note\nexport TOKEN='{SECRET}'\nMODE=fast # why\n\nEMPTY=\n")
    body = {"command": "node", "envFile": "${workspaceFolder}/x.env", "env": {"MODE": "slow"}}
    found = read(body, project=str(tmp_path))
    assert found.form.values == {"TOKEN": SECRET, "MODE": "slow"}
    assert set(found.env) == {"TOKEN", "MODE", "EMPTY"}
    assert found.form.secrets == ("TOKEN", "MODE")


@pytest.mark.parametrize(
    "content", [f"TOKEN={SECRET}\n{SECRET} oops", f'A="{SECRET}', f"\xff{SECRET}"]
)
def test_a_broken_file_of_variables_says_where_and_not_what(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.env").write_bytes(content.encode("latin-1"))
    found = read({"command": "node", "envFile": str(tmp_path / "x.env")})
    assert "envFile" in found.problem and SECRET not in found.problem


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("node", "not an object"),
        ({}, "no command"),
        ({"command": 1}, "no command"),
        ({"command": "node", "args": "x"}, "not a list of texts"),
        ({"command": "node", "args": [1]}, "not a list of texts"),
        ({"command": "node", "args": ["\0"]}, "no process can receive"),
        ({"command": "node", "args": ["\ue000"]}, "private range"),
        ({"command": "node", "args": ["${A:-${B}}"]}, "inside another"),
        ({"command": "node", "args": [f"${{V{n}}}" for n in range(1001)]}, "placeholders"),
        ({"command": "node", "args": ["x" * (2**17 + 1)]}, "more than"),
        ({"command": "node", "env": []}, "not an object"),
        ({"command": "node", "env": {"A B": "x"}}, "not a name"),
        ({"command": "node", "env": {"LD_PRELOAD": "x"}}, "LD_PRELOAD"),
        ({"command": "node", "cwd": 1}, "cwd"),
        ({"command": "node", "cwd": "${X}"}, "cwd"),
        ({"command": "node", "cwd": "relative"}, "cwd"),
        ({"command": "node", "envFile": "/no/such"}, "cannot be read"),
        ({"command": "node", "envFile": "/dev/zero"}, "not a file"),
        ({"type": "sse", "url": "https://h/sse"}, "SSE"),
        ({"type": "ws", "url": "wss://h"}, "does not know"),
        ({"type": "http"}, "no url"),
        ({"url": 5}, "not a text"),
        ({"url": "unix:///run/x.sock"}, "Unix socket"),
        ({"url": "ftp://h/x"}, "address"),
        ({"url": "https://h/x", "headers": {"A b": "x"}}, "no name"),
        ({"url": "https://h/x", "headers": {"Host": "x"}}, "protocol itself"),
        ({"url": "https://h/x", "headers": {"A": 1}}, "not a text"),
    ],
)
def test_an_entry_that_cannot_be_used_says_why(body: Any, problem: str) -> None:
    assert problem in read(body).problem


def test_gemini_means_sse_by_a_plain_url() -> None:
    assert "SSE" in read({"url": "https://h/sse"}, Client.GEMINI).problem
    assert read({"url": "https://h/mcp", "type": "http"}, Client.GEMINI).problem == ""


def test_the_working_directory_and_a_relative_program_are_made_absolute() -> None:
    body = {"command": "bin/run", "cwd": "server"}
    found = read(body, project="/srv/shop")
    assert (found.directory, found.command) == ("/srv/shop/server", "/srv/shop/server/bin/run")
    assert read({"command": "~/x", "cwd": "~/y"}).command == "/home/ada/x"
