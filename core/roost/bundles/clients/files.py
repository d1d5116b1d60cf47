"""Reading the configurations of MCP clients: JSON with comments, or TOML, never written to."""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from roost.bundles.clients.locations import Client, Location
from roost.bundles.json_text import parse_json, read_file
from roost.errors import BadConfigFile

_TABLE_KEYS = ("mcpServers", "servers", "mcp_servers")
_NAME_LENGTH = 200
_PLACE = re.compile(r"\(at (line \d+, column \d+|end of document)\)")

# Editors use `servers` for other things in their settings, where MCP stands below `mcp`.
_PLAIN_SERVERS = (Client.VS_CODE, Client.OTHER)


@dataclass(frozen=True, slots=True)
class RawServer:
    """One entry as its file has it. It may hold secrets."""

    client: Client
    path: Path
    name: str
    body: Any = field(repr=False)
    inputs: tuple[Any, ...] = field(default=(), repr=False)
    """What the file lets its user be asked for."""
    project: str | None = None
    is_from_repository: bool = False


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """What was found at one location."""

    location: Location
    sha256: str
    """Of the bytes that were read; empty when none were."""
    servers: tuple[RawServer, ...] = ()
    problem: str = ""


def read_config(location: Location) -> ConfigFile | None:
    """Read one file; None when it is not there, or holds nothing about servers.

    A file that was asked for is never None. What keeps a file from being read is its problem, so
    that it hides no other.
    """
    path = location.path
    if not location.is_given and not os.path.exists(path):
        return None
    digest = ""
    try:
        data = read_file(path, BadConfigFile, called=str(path))
        digest = hashlib.sha256(data).hexdigest()
        tables = tuple(_tables(location, parse_config(path, data)))
    except BadConfigFile as error:
        return ConfigFile(location, digest, problem=error.message)
    if not tables:
        return ConfigFile(location, digest, problem=_nothing(path)) if location.is_given else None
    return ConfigFile(location, digest, tuple(server for table in tables for server in table))


def parse_config(path: Path, data: bytes) -> Any:
    """Parse the bytes of a client's configuration.

    Raises:
        BadConfigFile: they cannot be understood. The sentence holds none of them.
    """
    if path.suffix == ".toml":
        return _parse_toml(path, data)
    return parse_json(data, BadConfigFile, called=str(path), with_comments=True)


def _parse_toml(path: Path, data: bytes) -> Any:
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except tomllib.TOMLDecodeError as problem:
        place = _PLACE.search(str(problem))
        found = f"it breaks at {place[1]}" if place else "its syntax is broken"
    except UnicodeDecodeError:
        found = "it is not UTF-8"
    except RecursionError:
        found = "it is nested too deep"
    except ValueError:
        found = "it holds a number that is too long"
    raise BadConfigFile(f"{path} is not valid TOML: {found}; correct it and try again")


def _tables(location: Location, data: Any) -> Iterator[tuple[RawServer, ...]]:
    """Yield the servers of every table of a file."""
    if not isinstance(data, dict):
        return
    yield from _direct_tables(location, data, is_plain=location.client in _PLAIN_SERVERS)
    nested = data.get("mcp")
    if isinstance(nested, dict):
        yield from _direct_tables(location, nested, is_plain=True)
    projects = data.get("projects")
    if isinstance(projects, dict):
        for directory, project in projects.items():
            if isinstance(project, dict):
                yield from _project_tables(location, directory, project)


def _project_tables(
    location: Location, directory: str, data: dict[str, Any]
) -> Iterator[tuple[RawServer, ...]]:
    """Yield what a user's own file keeps for one project: nobody else can write it."""
    is_usable = os.path.isabs(directory) and _fit(directory) == directory and "\0" not in directory
    own = Location(location.client, location.path, directory if is_usable else None)
    for table in _direct_tables(own, data, is_plain=False, is_from_repository=False):
        if table:
            yield table


def _direct_tables(
    location: Location,
    data: dict[str, Any],
    *,
    is_plain: bool,
    is_from_repository: bool | None = None,
) -> Iterator[tuple[RawServer, ...]]:
    inputs = data.get("inputs")
    for key in _TABLE_KEYS:
        table = data.get(key)
        if table is None or (key == "servers" and not is_plain):
            continue
        if not isinstance(table, dict):
            raise BadConfigFile(f"{key} of {location.path} is not an object; correct it")
        yield tuple(
            RawServer(
                client=location.client,
                path=location.path,
                name=_fit(name),
                body=body,
                inputs=tuple(inputs) if isinstance(inputs, list) else (),
                project=location.project,
                is_from_repository=location.project is not None
                if is_from_repository is None
                else is_from_repository,
            )
            for name, body in table.items()
        )


def _fit(name: str) -> str:
    """Return a key as text that can be sent, which JSON's escapes need not be."""
    return name.encode("utf-8", "replace").decode()[:_NAME_LENGTH]


def _nothing(path: Path) -> str:
    return (
        f"{path} has no object named {', '.join(_TABLE_KEYS[:-1])} or {_TABLE_KEYS[-1]}; give a "
        "client's MCP configuration"
    )
