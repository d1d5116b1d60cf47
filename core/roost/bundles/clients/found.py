"""Everything that MCP clients of this machine have, found and translated."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from roost.bundles.clients.entry import ReadEntry, read_entry
from roost.bundles.clients.files import ConfigFile, RawServer, read_config
from roost.bundles.clients.locations import (
    Location,
    given_location,
    project_locations,
    user_locations,
)
from roost.errors import BadInput
from roost.models import ImportedFile, ImportScan

_ENTRY_LIMIT = 2000
"""Nobody reviews more; a file made to be endless must not fill the memory."""


@dataclass(frozen=True, slots=True)
class FoundEntry:
    """One entry with its id, which changes with its place and its content."""

    id: str
    server: RawServer
    read: ReadEntry


@dataclass(frozen=True, slots=True)
class Found:
    """What a scan found."""

    files: tuple[ImportedFile, ...]
    entries: tuple[FoundEntry, ...]


def find_entries(scan: ImportScan, environ: Mapping[str, str]) -> Found:
    """Read every configuration of a scan; blocks on the disk.

    Args:
        scan: where to look.
        environ: of the user whose clients these are; its HOME counts.

    Raises:
        BadInput: a path of the scan is not absolute, or there is more than can be reviewed.
    """
    _check(scan)
    configs = tuple(_configs(scan, environ))
    servers = [server for config in configs for server in config.servers]
    if len(servers) > _ENTRY_LIMIT:
        raise BadInput(
            f"there are {len(servers)} entries, and more than {_ENTRY_LIMIT} cannot be reviewed; "
            "name one file to import from"
        )
    home = environ.get("HOME", "")
    entries = tuple(_entry(server, home) for server in servers)
    return Found(tuple(map(_file, configs)), entries)


def _check(scan: ImportScan) -> None:
    for path in (*scan.directories, *scan.files):
        if not os.path.isabs(path) or "\0" in path or not _is_encodable(path):
            raise BadInput(f"{path!r} is not an absolute path; give the full path")


def _is_encodable(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _configs(scan: ImportScan, environ: Mapping[str, str]) -> Iterator[ConfigFile]:
    """Yield every configuration once, however many ways lead to it."""
    seen: set[str] = set()
    for location in _locations(scan, environ):
        real = os.path.realpath(location.path)
        config = None if real in seen else read_config(location)
        if config is not None:
            seen.add(real)
            yield config


def _locations(scan: ImportScan, environ: Mapping[str, str]) -> Iterator[Location]:
    known: dict[str, Location] = {}
    if not scan.only_given:
        known = {str(location.path): location for location in user_locations(environ)}
    for path in scan.files:
        yield known.get(path) or given_location(os.path.normpath(path))
    yield from known.values()
    for directory in scan.directories:
        yield from project_locations(os.path.normpath(directory))


def _entry(server: RawServer, home: str) -> FoundEntry:
    read = read_entry(server, home)
    return FoundEntry(_identity(server, read), server, read)


def _identity(server: RawServer, read: ReadEntry) -> str:
    parts = (str(server.path), server.project, server.name, server.body, server.inputs)
    text = json.dumps((*parts, read.env_file_sha256), sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _file(config: ConfigFile) -> ImportedFile:
    location = config.location
    return ImportedFile(
        client=location.client.value,
        path=str(location.path),
        sha256=config.sha256,
        servers=len(config.servers),
        problem=config.problem,
    )
