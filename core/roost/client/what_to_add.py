"""`request_for`: what a person types to add something becomes the request to install it.

Looks at names, and at what lies at a path, and at nothing else: no file is opened beyond a
manifest's first bytes, no program is run and nobody is asked.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from dataclasses import replace

from roost.errors import BadInput
from roost.models import BundleKind, InstallRequest, SourceKind

_ARCHIVES = (".mcpb", ".dxt", ".zip")
_CONFIGS = (".json", ".jsonc", ".toml")
_MANIFEST = "manifest.json"
_MANIFEST_MARK = re.compile(rb'"(?:manifest_version|dxt_version)"')
_MANIFEST_HEAD_BYTES = 256 * 1024

_URL = re.compile(r"https?://", re.IGNORECASE)
_NPM_SCOPED = re.compile(r"@[A-Za-z0-9~_.-]+/[A-Za-z0-9~_.-]+(?:@[^\s/]+)?")
_PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:\[[A-Za-z0-9._, -]+\])?===?[^\s=]+")
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:@[A-Za-z0-9][^\s/]*)?")

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
_TAKE_VARIABLES = (SourceKind.COMMAND, SourceKind.PYPI, SourceKind.NPM)

_FETCHERS = frozenset({"npx", "uvx", "uv", "pipx", "npm", "bunx"})
"""Programs that people start MCP servers with."""


def request_for(
    words: str | tuple[str, ...], *, directory: str, entry: str | None = None
) -> InstallRequest:
    """Return the request for what was typed.

    Words such as ``NAME=value`` before a command or package become its variables, and so fields of
    its form.

    Args:
        words: one line as in a shell, or its words: a file, folder, URL, package or command.
        directory: absolute path that relative ones start from.
        entry: server inside a client's configuration.

    Raises:
        BadInput: it is nothing that can be added, or could be several things; the sentence names
            the choices.
    """
    env, (first, *rest) = _assignments(_words(words, directory))
    request = _request(first, tuple(rest), directory, entry)
    if not env:
        return request
    if request.source not in _TAKE_VARIABLES:
        raise BadInput("only commands and packages take variables; leave out what stands before it")
    return replace(request, env=env)


def _assignments(words: tuple[str, ...]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Take the leading ``NAME=value`` words off, as a shell does."""
    env: dict[str, str] = {}
    for at, word in enumerate(words):
        found = _ASSIGNMENT.match(word)
        if found is None or _PINNED.fullmatch(word):
            return env, words[at:]
        env[found[1]] = word[found.end() :]
    raise BadInput("there is no command behind the variables; add it")


def _request(
    first: str, rest: tuple[str, ...], directory: str, entry: str | None
) -> InstallRequest:
    if _URL.match(first):
        _refuse_rest(first, rest, "a URL")
        return InstallRequest(SourceKind.URL, url=first, kind=BundleKind.MCP_HTTP)
    if package := _package(first, rest):
        return package
    path = _path(first, directory)
    if path is not None:
        return _from_path(path, first, rest, entry)
    if shutil.which(first) is not None:
        return _command(first, rest)
    raise BadInput(_unknown(first))


def _words(words: str | tuple[str, ...], directory: str) -> tuple[str, ...]:
    if isinstance(words, str):
        line = words.strip()
        if line and os.path.exists(os.path.join(directory, os.path.expanduser(line))):
            return (line,)  # a path may hold spaces
        try:
            words = tuple(shlex.split(line))
        except ValueError:
            raise BadInput("a quotation mark is not closed; correct the line") from None
    if not words or not words[0]:
        raise BadInput(
            "there is nothing to add; give a file, a folder, a URL, npm:NAME, pypi:NAME or a "
            "command"
        )
    return words


def _package(first: str, rest: tuple[str, ...]) -> InstallRequest | None:
    scheme, colon, name = first.partition(":")
    if colon and scheme in ("npm", "pypi"):
        if not name:
            raise BadInput(f"{first} names no package; write {scheme}:NAME")
        return _package_request(SourceKind.NPM if scheme == "npm" else SourceKind.PYPI, name, rest)
    if _NPM_SCOPED.fullmatch(first):
        return _package_request(SourceKind.NPM, first, rest)
    if _PINNED.fullmatch(first):
        return _package_request(SourceKind.PYPI, first, rest)
    return None


def _package_request(
    source: SourceKind, requirement: str, arguments: tuple[str, ...]
) -> InstallRequest:
    return InstallRequest(
        source, requirement=requirement, command=arguments, kind=BundleKind.MCP_STDIO
    )


def _path(text: str, directory: str) -> str | None:
    """Return the absolute path that is meant, or None where a name stands for something else."""
    path = os.path.normpath(os.path.join(directory, os.path.expanduser(text)))
    if "/" in text or text in (".", "..", "~"):
        return path
    is_config = text.lower().endswith((*_ARCHIVES, *_CONFIGS))
    if is_config or os.path.isdir(path):
        return path if os.path.exists(path) or is_config else None
    return None


def _from_path(path: str, typed: str, rest: tuple[str, ...], entry: str | None) -> InstallRequest:
    kind = path.lower()
    if os.path.isdir(path):
        _refuse_rest(typed, rest, "a folder")
        return _from_folder(path)
    if not os.path.isfile(path):
        raise BadInput(f"there is nothing at {path}; check the path")
    if kind.endswith(_ARCHIVES):
        _refuse_rest(typed, rest, "an archive")
        return InstallRequest(SourceKind.MCPB, path=path, kind=BundleKind.MCP_STDIO)
    if kind.endswith(_CONFIGS):
        return _from_config(path, typed, rest, entry)
    if os.access(path, os.X_OK):
        return _command(path, rest)
    raise BadInput(
        f"{path} is no archive, no configuration and no program; start it by its interpreter, such "
        f"as `python3 {typed}`, or make it executable"
    )


def _from_config(path: str, typed: str, rest: tuple[str, ...], entry: str | None) -> InstallRequest:
    if entry is None and rest:
        entry, *rest_words = rest
        rest = tuple(rest_words)
    _refuse_rest(typed, rest, "an entry of a configuration")
    return InstallRequest(SourceKind.MCP_SERVERS, path=path, entry=entry, kind=BundleKind.MCP_STDIO)


def _from_folder(path: str) -> InstallRequest:
    if _has_manifest(path):
        return InstallRequest(SourceKind.MCPB, path=path, kind=BundleKind.MCP_STDIO)
    with os.scandir(path) as listing:
        if any(found.name.endswith(".py") for found in listing):
            return InstallRequest(SourceKind.APP, path=path, kind=BundleKind.MCP_STDIO)
    raise BadInput(
        f"{path} has no {_MANIFEST} of a bundle and no Python file of an app; give the folder that "
        "has one, or the command that starts what lies there"
    )


def _has_manifest(folder: str) -> bool:
    """Whether a folder is a bundle: web apps have a file of this name too."""
    try:
        with open(os.path.join(folder, _MANIFEST), "rb") as file:
            return _MANIFEST_MARK.search(file.read(_MANIFEST_HEAD_BYTES)) is not None
    except OSError:
        return False


def _command(program: str, arguments: tuple[str, ...]) -> InstallRequest:
    """Return the request for a command; what looks like an MCP server is taken for one."""
    words = (os.path.basename(program), *arguments)
    is_server = words[0] in _FETCHERS or any("mcp" in word.lower() for word in words)
    kind = BundleKind.MCP_STDIO if is_server else BundleKind.COMMAND
    return InstallRequest(SourceKind.COMMAND, command=(program, *arguments), kind=kind)


def _refuse_rest(typed: str, rest: list[str] | tuple[str, ...], what: str) -> None:
    if rest:
        raise BadInput(f"{typed} is {what} and takes no arguments; leave out what stands behind it")


def _unknown(first: str) -> str:
    if _PACKAGE.fullmatch(first):
        return (
            f"{first!r} is no file here and no program; for a package write npm:{first} or "
            f"pypi:{first}, for a folder ./{first}"
        )
    return (
        f"{first!r} is no file, folder, URL, package or program; check how it is written, or give "
        "its full path"
    )
