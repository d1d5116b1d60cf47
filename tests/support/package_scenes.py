"""What the tests of adding and importing show: words, plans and what clients are set up with."""

from __future__ import annotations

import shlex
from dataclasses import replace

from tests.support.fake_engine import FIXED_START, FakeEngine, bundle_view, definition_of

from roost.errors import BadInput
from roost.models import (
    BundleKind,
    ImportedFile,
    ImportEntry,
    ImportQuestion,
    InstalledVersion,
    InstallRequest,
    PinnedCopy,
    PlanNote,
    SourceKind,
)

SECRET = "hunter2-very-secret"

HOME = "/home/ops"


def read_words(words: str) -> InstallRequest:
    """Make a request of words as the client does, as far as these tests need it."""
    if words.startswith("https://"):
        return InstallRequest(SourceKind.URL, url=words)
    if words.endswith(".mcpb"):
        return InstallRequest(SourceKind.MCPB, path=f"{HOME}/{words}")
    if words.startswith("?"):
        raise BadInput(f"{words!r} is no file, package, address or command; give one of them")
    *given, last = (word for word in shlex.split(words))
    env = dict(word.split("=", 1) for word in given if "=" in word)
    command = tuple(word for word in (*given, last) if "=" not in word)
    return InstallRequest(SourceKind.COMMAND, command=command, env=env, kind=BundleKind.MCP_STDIO)


UNPINNED = PlanNote("unpinned", "it fetches the newest release of its package at each start")
DOCKER = PlanNote("docker", "it starts a container, which is stopped with it")

DESKTOP = f"{HOME}/.config/Claude/claude_desktop_config.json"
CURSOR = f"{HOME}/.cursor/mcp.json"
PROJECT = f"{HOME}/code/shop"

MEMORY = ImportEntry(
    id="e-memory",
    client="Claude Desktop",
    path=DESKTOP,
    entry="memory",
    name="memory",
    kind=BundleKind.MCP_STDIO,
    argv=("npx", "-y", "@modelcontextprotocol/server-memory"),
    notes=(UNPINNED,),
    copy=PinnedCopy(
        "@modelcontextprotocol/server-memory",
        "version 2026.1.14 is installed once; starts fetch nothing and take 0.4 s less",
    ),
)
GITHUB = ImportEntry(
    id="e-github",
    client="Claude Desktop",
    path=DESKTOP,
    entry="github",
    name="github",
    kind=BundleKind.MCP_STDIO,
    argv=("docker", "run", "-i", "--rm", "-e", "GITHUB_TOKEN", "ghcr.example/github-mcp"),
    env_names=("GITHUB_TOKEN",),
    secrets=("GITHUB_TOKEN",),
    notes=(DOCKER,),
)
SEARCH = ImportEntry(
    id="e-search",
    client="VS Code",
    path=f"{PROJECT}/.vscode/mcp.json",
    entry="search",
    name="search",
    kind=BundleKind.MCP_HTTP,
    project=PROJECT,
    url="https://search.example.com/mcp",
    header_names=("Authorization",),
    questions=(
        ImportQuestion("search_key", "Search API key", is_sensitive=True),
        ImportQuestion(
            "region", "Region", is_sensitive=False, default="eu", choices=("eu", "us", "ap")
        ),
    ),
    is_from_repository=True,
)
DATABASE = ImportEntry(
    id="e-database",
    client="VS Code",
    path=f"{PROJECT}/.vscode/mcp.json",
    entry="database",
    name="database",
    kind=BundleKind.MCP_STDIO,
    project=PROJECT,
    argv=("uvx", "mcp-server-postgres", "--dsn", "${user_config.dsn}"),
    secrets=("dsn",),
    secret_arguments=("dsn",),
    notes=(UNPINNED,),
    is_from_repository=True,
)
TWIN = replace(
    MEMORY, id="e-twin", client="Cursor", path=CURSOR, name="memory-2", duplicate_of=MEMORY.id
)
FETCH = ImportEntry(
    id="e-fetch",
    client="Cursor",
    path=CURSOR,
    entry="fetch",
    name="fetch-2",
    kind=BundleKind.MCP_STDIO,
    argv=("uvx", "mcp-server-fetch"),
    installed_as="fetch",
)
SLEEPER = ImportEntry(
    id="e-sleeper",
    client="Cursor",
    path=CURSOR,
    entry="sleeper",
    name="sleeper",
    kind=BundleKind.MCP_STDIO,
    argv=("node", f"{HOME}/src/sleeper/index.js"),
    is_disabled=True,
)
BROKEN = ImportEntry(
    id="e-broken",
    client="Cursor",
    path=CURSOR,
    entry="broken",
    name="broken",
    kind=BundleKind.MCP_STDIO,
    problem="it has neither a command nor a url; correct the entry in its file",
)

ENTRIES = (MEMORY, GITHUB, SEARCH, DATABASE, TWIN, FETCH, SLEEPER, BROKEN)

FILES = (
    ImportedFile("Claude Desktop", DESKTOP, "a1" * 32, 2),
    ImportedFile("VS Code", f"{PROJECT}/.vscode/mcp.json", "b2" * 32, 2),
    ImportedFile("Cursor", CURSOR, "c3" * 32, 4),
    ImportedFile(
        "Zed", f"{HOME}/.config/zed/settings.json", "d4" * 32, 0, "line 12 is no JSON: ',' expected"
    ),
)


def with_clients(fake: FakeEngine | None = None) -> FakeEngine:
    """Return a fake on whose machine clients are configured."""
    fake = fake or FakeEngine()
    fake.set_import_plan(FILES, *ENTRIES)
    return fake


def with_versions() -> FakeEngine:
    """Return a fake with a bundle of which three versions are kept."""
    fake = FakeEngine()
    view = bundle_view("memory", title="Memory", version="2.0.0")
    fake.add_bundle(view)
    bundle = fake.world.require_bundle("default", "memory")
    day = 24 * 3600 * 1000
    for number, version in ((1, "1.0.0"), (2, "1.4.2"), (3, "2.0.0")):
        bundle.kept[number] = replace(definition_of(view), version=version)
        bundle.versions.append(
            InstalledVersion(
                number=number,
                version=version,
                origin=f"@modelcontextprotocol/server-memory@{version}",
                sha256=None,
                config_hash=f"c0ffee{number}",
                installed_at=FIXED_START - (4 - number) * day,
                installed_by="ops" if number > 1 else "ana",
                is_current=number == 3,
                ready_ms={1: 2140, 2: 412}.get(number),
            )
        )
    return fake
