"""Where MCP clients keep their servers, on Linux and on macOS."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Client(StrEnum):
    """Whose configuration a file is, as people know it."""

    CLAUDE_DESKTOP = "Claude Desktop"
    CLAUDE_CODE = "Claude Code"
    VS_CODE = "VS Code"
    CURSOR = "Cursor"
    WINDSURF = "Windsurf"
    GEMINI = "Gemini CLI"
    COPILOT = "Copilot CLI"
    CODEX = "Codex"
    OTHER = "MCP client"
    """Told by nothing about the file."""


@dataclass(frozen=True, slots=True)
class Location:
    """A file that may hold servers."""

    client: Client
    path: Path
    project: str | None = None
    """Directory of the project that the file belongs to."""
    is_given: bool = False
    """Whether somebody asked for this very file, which then has to exist and hold servers."""


_EDITIONS = ("Code", "Code - Insiders", "VSCodium")
_EDITOR_FILES = ("User/mcp.json", "User/settings.json")

_OF_PROJECTS = (
    (Client.CLAUDE_CODE, ".mcp.json"),
    (Client.VS_CODE, ".vscode/mcp.json"),
    (Client.VS_CODE, ".vscode/settings.json"),
    (Client.CURSOR, ".cursor/mcp.json"),
    (Client.GEMINI, ".gemini/settings.json"),
    (Client.CODEX, ".codex/config.toml"),
)

_OF_NAMES = (
    ("claude_desktop_config.json", Client.CLAUDE_DESKTOP),
    (".claude.json", Client.CLAUDE_CODE),
    (".mcp.json", Client.CLAUDE_CODE),
    (".vscode/mcp.json", Client.VS_CODE),
    ("User/mcp.json", Client.VS_CODE),
    (".cursor/mcp.json", Client.CURSOR),
    ("mcp_config.json", Client.WINDSURF),
    (".gemini/settings.json", Client.GEMINI),
    ("settings.json", Client.VS_CODE),
    ("mcp-config.json", Client.COPILOT),
    (".toml", Client.CODEX),
)


def user_locations(environ: Mapping[str, str]) -> Iterator[Location]:
    """Yield where the clients of a user keep what counts everywhere.

    Args:
        environ: the user's environment; without a HOME there is nowhere to look.
    """
    home_text = environ.get("HOME", "")
    if not os.path.isabs(home_text):
        return
    home = Path(home_text)
    for folder in _application_folders(home, environ):
        yield Location(Client.CLAUDE_DESKTOP, folder / "Claude" / "claude_desktop_config.json")
        for edition in _EDITIONS:
            for name in _EDITOR_FILES:
                yield Location(Client.VS_CODE, folder / edition / name)
    claude = _folder(environ, "CLAUDE_CONFIG_DIR", home)
    yield Location(Client.CLAUDE_CODE, claude / ".claude.json")
    yield Location(Client.CURSOR, home / ".cursor" / "mcp.json")
    yield Location(Client.WINDSURF, home / ".codeium" / "windsurf" / "mcp_config.json")
    yield Location(Client.GEMINI, home / ".gemini" / "settings.json")
    copilot = _folder(environ, "COPILOT_HOME", home / ".copilot")
    yield Location(Client.COPILOT, copilot / "mcp-config.json")
    yield Location(Client.CODEX, _folder(environ, "CODEX_HOME", home / ".codex") / "config.toml")


def project_locations(directory: str) -> Iterator[Location]:
    """Yield where the clients keep what counts in one project only."""
    for client, name in _OF_PROJECTS:
        yield Location(client, Path(directory) / name, project=directory)


def given_location(path: str) -> Location:
    """Return a file somebody asked for, with its client told by its name."""
    client = next((client for end, client in _OF_NAMES if path.endswith(end)), Client.OTHER)
    return Location(client, Path(path), _project_of(Path(path)), is_given=True)


def _project_of(path: Path) -> str | None:
    """Return the project of a file that stands where projects have theirs."""
    if path.name == ".mcp.json":
        return str(path.parent)
    if path.parent.name in (".vscode", ".cursor") and path.name == "mcp.json":
        is_of_user = path.parent.name == ".cursor" and not _is_project(path.parent.parent)
        return None if is_of_user else str(path.parent.parent)
    return None


def _is_project(directory: Path) -> bool:
    return any((directory / name).exists() for name in (".git", ".hg", "package.json"))


def _application_folders(home: Path, environ: Mapping[str, str]) -> tuple[Path, ...]:
    return (
        _folder(environ, "XDG_CONFIG_HOME", home / ".config"),
        home / "Library" / "Application Support",
    )


def _folder(environ: Mapping[str, str], name: str, otherwise: Path) -> Path:
    given = environ.get(name, "")
    return Path(given) if os.path.isabs(given) else otherwise
