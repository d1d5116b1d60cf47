"""Entries of the files in which MCP clients keep their servers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from roost.bundles.json_text import read_json
from roost.bundles.templates import unknown_placeholder
from roost.errors import BadConfigFile

_SERVER_KEYS = ("mcpServers", "servers")
_URL_KEYS = ("url", "serverUrl", "httpUrl")
_HTTP_TYPES = ("http", "sse", "streamable-http", "streamableHttp", "ws")
_UNREAD_KEYS = {
    "cwd": "starts in a directory of its own",
    "envFile": "reads its environment from a file",
}


@dataclass(frozen=True, slots=True)
class ClientEntry:
    """One stdio server of a client's configuration."""

    name: str
    command: str
    args: tuple[str, ...]
    env: dict[str, Any] = field(repr=False)


def read_entry(path: Path, name: str | None) -> ClientEntry:
    """Read one entry of `mcpServers` (or `servers`, as some editors call it).

    Args:
        path: file to read; comments and trailing commas are accepted.
        name: which entry; None takes the only one there is.

    Raises:
        BadConfigFile: the file or the entry cannot be used.
    """
    servers = _servers(path, read_json(path, BadConfigFile, with_comments=True))
    chosen = _chosen(path, servers, name)
    entry = servers[chosen]
    if not isinstance(entry, dict):
        _refuse(path, chosen, "is not an object; write it as {command, args, env}")
    _refuse_unsupported(path, chosen, entry)
    command, args, env = entry.get("command"), _given(entry, "args", []), _given(entry, "env", {})
    if not isinstance(command, str) or not command:
        _refuse(path, chosen, "has no command; add one")
    if not isinstance(args, list) or not all(isinstance(arg, str) for arg in args):
        _refuse(path, chosen, "has args that are not a list of texts; correct them")
    if not isinstance(env, dict):
        _refuse(path, chosen, "has an env that is not an object; correct it")
    for template in (command, *args):
        _check_text(path, chosen, template)
    return ClientEntry(chosen, command, tuple(args), env)


def _given(entry: dict[str, Any], key: str, absent: Any) -> Any:
    found = entry.get(key)
    return absent if found is None else found


def _servers(path: Path, data: Any) -> dict[str, Any]:
    if isinstance(data, dict):
        for key in _SERVER_KEYS:
            if isinstance(data.get(key), dict):
                servers: dict[str, Any] = data[key]
                return servers
    raise BadConfigFile(
        f"{path} has no object named {' or '.join(_SERVER_KEYS)}; give a client's MCP configuration"
    )


def _chosen(path: Path, servers: dict[str, Any], name: str | None) -> str:
    listed = ", ".join(repr(key) for key in servers) or "none"
    if name is None and len(servers) == 1:
        return next(iter(servers))
    if name is None:
        raise BadConfigFile(f"{path} has these entries: {listed}; name the one to install")
    if name not in servers:
        raise BadConfigFile(f"{path} has no entry {name!r}; it has: {listed}")
    return name


def _refuse_unsupported(path: Path, name: str, entry: dict[str, Any]) -> None:
    if entry.get("type") in _HTTP_TYPES or any(key in entry for key in _URL_KEYS):
        _refuse(
            path,
            name,
            "is a server over HTTP, and HTTP servers are not supported yet; choose an entry with "
            "a command",
        )
    for key, meaning in _UNREAD_KEYS.items():
        if entry.get(key):
            _refuse(
                path,
                name,
                f"{meaning} ({key}), which is not supported yet; write full paths and env instead",
            )


def _check_text(path: Path, name: str, text: str) -> None:
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        _refuse(path, name, "holds characters no process can receive; correct its command and args")
    if (unknown := unknown_placeholder(text, ())) is not None:
        _refuse(
            path,
            name,
            f"uses ${{{unknown}}} in its command line, which only its own client can fill in; "
            "write the value itself",
        )


def _refuse(path: Path, name: str, problem: str) -> NoReturn:
    raise BadConfigFile(f"the entry {name!r} of {path} {problem}", entry=name)
