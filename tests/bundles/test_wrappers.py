"""Which package a command line fetches, and which lines are left alone as not certain."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from roost.bundles.wrappers import fetched_package, pinned_copy_of, wrapper_notes
from roost.models import BundleKind, Definition, Runtime, Source, SourceKind

NPM, PYPI = SourceKind.NPM, SourceKind.PYPI

FETCHED: list[tuple[str, dict[str, Any]]] = [
    ("npx -y @scope/server", {"registry": NPM, "name": "@scope/server", "spec": ""}),
    ("npx @scope/server@1.2.3 /tmp --flag", {"spec": "1.2.3", "is_pinned": True}),
    ("npx @scope/server@1.2.3 /tmp --flag", {"args": ("/tmp", "--flag")}),
    ("npx server@latest", {"name": "server", "spec": "latest", "is_pinned": False}),
    ("npx server@^1.2", {"spec": "^1.2", "is_pinned": False}),
    ("npx server@1.2", {"is_pinned": False}),
    ("npx server@1.2.3-rc.1", {"is_pinned": True}),
    ("npx --yes --package=@a/b@1.0.0 tool -v", {"name": "@a/b", "program": "tool"}),
    ("npx -p server tool -- x", {"program": "tool", "args": ("--", "x")}),
    ("npx -y -- server --port 1", {"name": "server", "args": ("--port", "1")}),
    ("/usr/local/bin/npx -y server", {"wrapper": "npx", "name": "server"}),
    ("npx -y server '${user_config.dirs}'", {"args": ("${user_config.dirs}",)}),
    ("npm exec -y server -- --flag", {"wrapper": "npm exec", "args": ("--flag",)}),
    ("npm exec server one -y -- two", {"args": ("one", "two")}),
    ("npm x --package server -- tool --a", {"program": "tool", "args": ("--a",)}),
    ("uvx mcp-server-time", {"registry": PYPI, "name": "mcp-server-time", "is_pinned": False}),
    ("uvx mcp-server-time", {"program": "mcp-server-time", "wrapper": "uvx"}),
    ("uvx mcp-server-time@2026.1 --x", {"spec": "==2026.1", "is_pinned": True, "args": ("--x",)}),
    ("uvx mcp-server-time@latest", {"spec": "", "is_pinned": False}),
    ("uvx 'server==1.0'", {"spec": "==1.0", "is_pinned": True}),
    ("uvx 'server==1.*'", {"is_pinned": False}),
    ("uvx 'server[cli]>=1,<2'", {"extras": "[cli]", "spec": ">=1,<2", "is_pinned": False}),
    ("uvx --from mcp-server-git git-server", {"name": "mcp-server-git", "program": "git-server"}),
    ("uvx --with 'mcp<2' server", {"with_requirements": ("mcp<2",)}),
    ("uvx --with 'mcp>=1,<2,anyio' server", {"with_requirements": ("mcp>=1,<2", "anyio")}),
    ("uvx --with=a --with 'b[c,d]' server", {"with_requirements": ("a", "b[c,d]")}),
    ("uvx -p 3.12 server", {"python": "3.12"}),
    ("uvx --python python3.11 server", {"python": "3.11"}),
    ("uv tool run --quiet server a", {"wrapper": "uv tool run", "args": ("a",)}),
    ("uv run --with 'mcp[cli]' mcp run /srv/a.py", {"name": "mcp", "args": ("run", "/srv/a.py")}),
    ("uv run --with 'mcp[cli]' mcp run /srv/a.py", {"extras": "[cli]", "with_requirements": ()}),
    ("uv run --with 'mcp<2' --with my_server my-server", {"name": "my_server"}),
    ("uv run --with 'mcp<2' --with my_server my-server", {"with_requirements": ("mcp<2",)}),
    ("pipx run mcp-server-git --repository x", {"args": ("--repository", "x")}),
    ("pipx run --spec 'mcp-server-git==1' tool", {"program": "tool", "is_pinned": True}),
    ("sh -c 'npx -y server --x'", {"name": "server", "args": ("--x",)}),
    ("bash -lc 'exec uvx --with \"mcp<2\" server'", {"with_requirements": ("mcp<2",)}),
    ("/bin/sh -c 'A=b npx server'", {"env": {"A": "b"}}),
    ("env A=b C= npx server", {"env": {"A": "b", "C": ""}}),
    ("/usr/bin/env npx server", {"env": {}}),
    ("env sh -c 'env A=1 uvx server'", {"env": {"A": "1"}, "registry": PYPI}),
]

UNCERTAIN = [
    "node server.js",
    "npx",
    "npx -y",
    "npx -c 'server --x'",
    "npx --registry https://npm.example server",
    "npx -y github:someone/server",
    "npx -y git+https://example.org/a.git",
    "npx -y ./server",
    "npx -y /srv/server",
    "npx -y alias@npm:server",
    "npx -y '${user_config.package}'",
    "npx -p one -p two tool",
    "npx -p server './tool'",
    "npm install server",
    "npm exec --port 1 server",
    "npm run server",
    "uvx",
    "uvx --from git+https://example.org/a.git server",
    "uvx --from . server",
    "uvx --index-url https://pypi.example server",
    "uvx --python /opt/python server",
    "uvx --python pypy3.10 server",
    "uvx --with ./local server",
    "uvx --with-editable . server",
    "uvx 'server @ https://example.org/a.whl'",
    "uv run server",
    "uv run --directory /srv/project server",
    "uv run --with mcp server.py",
    "uv run --with requests other-program",
    "uv run --with server --directory /srv server",
    "uv pip install server",
    "pipx run --pip-args=-v server",
    "pipx install server",
    "sh -c 'npx server; true'",
    "sh -c 'npx server | tee log'",
    "sh -c 'npx $PACKAGE'",
    "sh -c 'npx server > /tmp/log'",
    "sh -c 'cd /srv && npx server'",
    "sh -c 'npx `cat name`'",
    "sh -c 'npx server*'",
    "sh -c 'npx server' zero one",
    "sh start.sh",
    "env -i npx server",
    "env -u A npx server",
    "env",
    "sh -c 'A=b'",
    "docker run -i image",
]


def parsed(line: str) -> Any:
    command, *args = shlex.split(line)
    return fetched_package(command, tuple(args))


def definition(line: str, **changes: Any) -> Definition:
    command, *args = shlex.split(line)
    made = Definition(
        kind=BundleKind.MCP_STDIO,
        runtime=Runtime.NODE,
        title="t",
        version="",
        command=command,
        source=Source(SourceKind.COMMAND, command),
        args=tuple(args),
    )
    return replace(made, **changes)


@pytest.mark.parametrize(("line", "facts"), FETCHED)
def test_the_package_of_a_line_is_read(line: str, facts: dict[str, Any]) -> None:
    found = parsed(line)
    assert found is not None
    assert {name: getattr(found, name) for name in facts} == facts


@pytest.mark.parametrize("line", UNCERTAIN)
def test_a_line_that_is_not_certain_names_no_package(line: str) -> None:
    assert parsed(line) is None


def test_a_package_is_named_as_its_own_manager_takes_it() -> None:
    assert parsed("npx @a/b@^1").requirement == "@a/b@^1"
    assert parsed("uvx 'a[b]>=1'").requirement == "a[b]>=1"
    assert parsed("uvx a@1.0").requirement == "a==1.0"


def test_an_unpinned_package_is_a_warning_and_a_pinned_one_is_not() -> None:
    unpinned = wrapper_notes(definition("npx -y server"))
    assert [note.code for note in unpinned if note.is_warning] == ["unpinned"]
    pinned = wrapper_notes(definition("npx -y server@1.2.3"))
    assert [note.code for note in pinned] == ["network", "several_processes"]
    assert not any(note.is_warning for note in pinned)
    assert wrapper_notes(definition("node server.js")) == ()


def test_the_pinned_copy_tells_what_it_brings() -> None:
    node, python = pinned_copy_of(definition("npx -y server")), pinned_copy_of(definition("uvx s"))
    assert node is not None and python is not None
    assert node.package == "server" and "one process instead of three" in node.sentence
    assert "one process instead of two" in python.sentence
    assert all("no network at start" in copy.sentence for copy in (node, python))
    assert pinned_copy_of(definition("node server.js")) is None


@pytest.mark.parametrize("name", ["UV_INDEX_URL", "npm_config_registry", "NPM_CONFIG_REGISTRY"])
def test_a_line_with_a_registry_of_its_own_is_not_copied_from_another(name: str) -> None:
    assert pinned_copy_of(definition("npx -y server", env={name: "${user_config.x}"})) is None
    assert pinned_copy_of(definition(f"env {name}=x npx -y server")) is None


def test_a_package_that_lies_in_the_working_directory_is_not_copied(tmp_path: Path) -> None:
    line = definition("npx server", directory=str(tmp_path))
    assert pinned_copy_of(line) is not None
    (tmp_path / "node_modules").mkdir()
    assert pinned_copy_of(line) is None
