"""``roost add --mcp-servers FILE ENTRY``: one entry of any client's file, named by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.support.client_samples import SampleClients

from roost.bundles import InstalledBundle
from roost.bundles.clients.install import read_client_entry
from roost.errors import (
    AlreadyExists,
    BadConfigFile,
    BadInput,
    CommandNotFound,
    SensitiveInArguments,
)
from roost.models import BundleKind, BundleSettings, InstallRequest, SourceKind


def add(
    clients: SampleClients, path: str, entry: str, *taken: str, **options: Any
) -> InstalledBundle:
    request = InstallRequest(
        SourceKind.MCP_SERVERS, path=str(clients.home.parent / path), entry=entry, **options
    )
    return read_client_entry(request, clients.place(*taken))


def test_an_entry_over_http_keeps_its_header_in_the_vault(clients: SampleClients) -> None:
    found = add(clients, "home/.codeium/windsurf/mcp_config.json", "figma")
    definition = found.definition
    assert (definition.kind, definition.url) == (BundleKind.MCP_HTTP, "https://figma.example/mcp")
    assert definition.headers == {"X-Figma-Token": "${user_config.X-Figma-Token}"}
    assert found.values == {"X-Figma-Token": "figd_WINDSURF0123456789"}
    assert "figd_" not in repr(found)


def test_an_entry_of_a_toml_file_is_taken(clients: SampleClients) -> None:
    found = add(clients, "home/.codex/config.toml", "docs-search")
    assert found.definition.command == "npx"
    assert found.values == {"DOCS_SECRET": "CODEX-docs-secret-0123456789"}


def test_an_entry_of_a_project_works_in_its_directory(clients: SampleClients) -> None:
    settings = BundleSettings(protected=True)
    definition = add(clients, "project/.vscode/mcp.json", "api", settings=settings).definition
    assert definition.directory == str(clients.project)
    assert definition.settings.protected


def test_what_an_entry_asks_for_is_left_to_be_set(clients: SampleClients) -> None:
    found = add(clients, "home/.config/Code/User/mcp.json", "perplexity")
    assert {f.key for f in found.definition.fields if f.required} == {"perplexity-key", "region"}
    assert found.values == {}


def test_a_secret_argument_has_to_be_allowed(clients: SampleClients) -> None:
    with pytest.raises(SensitiveInArguments, match="API_KEY"):
        add(clients, "home/.cursor/mcp.json", "notes")
    found = add(clients, "home/.cursor/mcp.json", "notes", secret_arguments=True)
    assert found.definition.secret_arguments
    assert found.definition.args[-1] == "${user_config.API_KEY}"


@pytest.mark.parametrize(
    ("path", "entry", "error"),
    [
        ("home/.config/Code/User/mcp.json", "old stream", BadConfigFile),
        ("home/.cursor/mcp.json", "absent", BadConfigFile),
        ("home/none.json", "x", BadConfigFile),
        ("project/.mcp.json", "build", CommandNotFound),
        ("home/.cursor/mcp.json", "linear", AlreadyExists),
    ],
)
def test_what_cannot_be_installed_is_refused(
    clients: SampleClients, path: str, entry: str, error: type[BadInput]
) -> None:
    with pytest.raises(error) as caught:
        add(clients, path, entry, "linear")
    assert "CURSOR" not in str(caught.value)


def test_a_program_that_a_pinned_copy_stands_in_for_need_not_be_there(
    clients: SampleClients,
) -> None:
    place = clients.place()
    bare = replace(place, programs=replace(place.programs, which=lambda name: None))
    request = InstallRequest(
        SourceKind.MCP_SERVERS,
        path=str(clients.home / ".claude.json"),
        entry="memory",
        resolve=True,
    )
    assert read_client_entry(request, bare).definition.command == "npx"
    with pytest.raises(CommandNotFound):
        read_client_entry(replace(request, resolve=False), bare)
