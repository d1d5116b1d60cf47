"""`read_bundle`: what a client asks to install becomes a definition and values for the vault."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from roost.bundles.apps import AppDescription, app_arguments
from roost.bundles.archive import unpack
from roost.bundles.client_config import read_entry
from roost.bundles.folder import copy_folder
from roost.bundles.literals import LiteralEnvironment, take_apart
from roost.bundles.manifest import read_manifest
from roost.bundles.programs import Programs
from roost.bundles.settings import check_settings
from roost.bundles.templates import refuse_sensitive_arguments
from roost.bundles.unpacked import BundleFolders
from roost.bundles.user_config import displayed
from roost.bundles.web import read_web, refuse_web
from roost.errors import AlreadyExists, BadArchive, BadConfigFile, BadInput, InvalidName
from roost.models import (
    BundleKind,
    Definition,
    FieldValue,
    InstallRequest,
    Runtime,
    Source,
    SourceKind,
    is_valid_name,
    slug,
)

PREPARED_BIN = "${prepared}/bin/"
"""Where the prepare step puts console scripts."""

_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?:\[[A-Za-z0-9._, -]+\])?"
    r"==(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)"
)
_SCRIPT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_COMMAND_KINDS = (BundleKind.COMMAND, BundleKind.WEB, BundleKind.MCP_STDIO)
_RUNTIME_OF_PROGRAM = (
    (re.compile(r"python[0-9.]*|pipx"), Runtime.PYTHON),
    (re.compile(r"node|npx|npm|bun|deno"), Runtime.NODE),
    (re.compile(r"uv|uvx"), Runtime.UV),
)


DescribeApp = Callable[[tuple[str, ...]], AppDescription]
"""Loads an app with the command that starts it, and returns what it says of itself; blocks."""


def _describe_nothing(command: tuple[str, ...]) -> AppDescription:
    raise BadInput("apps cannot be loaded here; install its command instead")


@dataclass(frozen=True, slots=True)
class InstalledBundle:
    """A bundle that can be added to the store."""

    name: str
    definition: Definition
    values: dict[str, FieldValue] = field(default_factory=dict, repr=False)
    """Literal values found at the source, to be written to the vault."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an install goes and what it may use."""

    workspace: str
    folders: BundleFolders
    programs: Programs
    taken: Container[str]
    describe: DescribeApp

    def name(self, asked: str | None, derived: str) -> str:
        name = asked if asked is not None else slug(derived)
        if name in self.taken:
            raise AlreadyExists("bundle", name)
        return name


def read_bundle(
    request: InstallRequest,
    *,
    workspace: str,
    bundles_dir: Path,
    python: str,
    which: Callable[[str], str | None],
    taken: Container[str] = (),
    describe: DescribeApp = _describe_nothing,
) -> InstalledBundle:
    """Read what is to be installed, and unpack it where it is an MCPB bundle.

    Blocks on the disk: call it in a thread. Nothing is left behind when it raises.

    Args:
        request: what to install.
        workspace: where it will belong.
        bundles_dir: root of the unpacked versions.
        python: absolute path of the interpreter that `python` in a manifest means.
        which: finds a program by name.
        taken: bundle names in use in this workspace.
        describe: loads an app in a process of its own.

    Raises:
        InvalidName, AlreadyExists, BadInput, BadApp, BadArchive, BadManifest, BadConfigFile,
        BadPort, CommandNotFound, SensitiveInArguments, StoreUnavailable: nothing was installed.
    """
    for name in (workspace, *([] if request.name is None else [request.name])):
        if not is_valid_name(name):
            raise InvalidName(name)
    check_settings(request.settings)
    programs = Programs(python, which)
    place = _Place(workspace, BundleFolders(bundles_dir), programs, taken, describe)
    if request.name is not None:
        place.name(request.name, "")
    if request.python is not None and request.source is not SourceKind.APP:
        raise BadInput("an interpreter is chosen for apps only; leave it out")
    readers = {
        SourceKind.MCPB: _read_mcpb,
        SourceKind.MCP_SERVERS: _read_entry,
        SourceKind.COMMAND: _read_command,
        SourceKind.PYPI: _read_pypi,
        SourceKind.APP: _read_app,
    }
    found = readers[request.source](request, place)
    return replace(found, definition=replace(found.definition, after=request.after))


def _read_mcpb(request: InstallRequest, place: _Place) -> InstalledBundle:
    refuse_web(request)
    path = _given_path(request, BadArchive)
    with place.folders.partial() as partial:
        digest = copy_folder(path, partial) if os.path.isdir(path) else unpack(path, partial)
        found = read_manifest(
            partial,
            called=str(path),
            root=str(partial),
            source=Source(SourceKind.MCPB, str(path), digest),
            programs=place.programs,
        )
        for inside in found.executables:
            (partial / inside).chmod(0o755)
        name = place.name(request.name, found.name)
        version = found.definition.version
        final = place.folders.new_dir(place.workspace, name, version, digest)
        place.folders.publish(partial, final)
    definition = replace(found.definition, root=str(final), settings=request.settings)
    return InstalledBundle(name, definition)


def _read_entry(request: InstallRequest, place: _Place) -> InstalledBundle:
    refuse_web(request)
    path = _given_path(request, BadConfigFile)
    entry = read_entry(path, request.entry)
    literal = take_apart(entry.env, BadConfigFile)
    _check_program(entry.command, literal, place.programs)
    name = place.name(request.name, entry.name)
    definition = Definition(
        kind=BundleKind.MCP_STDIO,
        runtime=_runtime(entry.command),
        title=displayed(entry.name) or name,
        version="",
        command=entry.command,
        source=Source(SourceKind.MCP_SERVERS, f"{path}#{entry.name}"),
        args=entry.args,
        env=literal.env,
        fields=literal.fields,
        settings=request.settings,
    )
    return InstalledBundle(name, definition, literal.values)


def _read_command(request: InstallRequest, place: _Place) -> InstalledBundle:
    if not request.command or not request.command[0]:
        raise BadInput("there is no command to install; give the program and its arguments")
    if request.kind not in _COMMAND_KINDS:
        raise BadInput("HTTP servers are not supported yet; install a command that serves on stdio")
    _check_texts(request.command)
    program, *args = request.command
    web = read_web(request, request.kind)
    literal = take_apart(web.env, BadInput)
    _check_program(program, literal, place.programs)
    name = place.name(request.name, os.path.basename(program))
    definition = Definition(
        kind=request.kind,
        runtime=_runtime(program),
        title=name,
        version="",
        command=program,
        source=Source(SourceKind.COMMAND, program),
        args=tuple(args),
        env=literal.env,
        fields=literal.fields,
        port=web.port,
        ready_path=web.ready_path,
        settings=request.settings,
    )
    refuse_sensitive_arguments(name, definition)
    return InstalledBundle(name, definition, literal.values)


def _read_app(request: InstallRequest, place: _Place) -> InstalledBundle:
    args = app_arguments(request)
    _check_texts(args)
    programs = place.programs
    python = programs.python if request.python is None else programs.find(request.python)
    app = place.describe((python, *args))
    web = read_web(request, app.kind)
    literal = take_apart(web.env, BadInput)
    name = place.name(request.name, app.name)
    definition = Definition(
        kind=app.kind,
        runtime=Runtime.PYTHON,
        title=displayed(app.name) or name,
        version="",
        command=python,
        source=Source(SourceKind.APP, str(request.path)),
        args=args,
        env=literal.env,
        fields=literal.fields,
        port=web.port,
        ready_path=web.ready_path,
        settings=request.settings,
    )
    return InstalledBundle(name, definition, literal.values)


def _read_pypi(request: InstallRequest, place: _Place) -> InstalledBundle:
    refuse_web(request)
    requirement = (request.requirement or "").strip()
    pinned = _REQUIREMENT.fullmatch(requirement)
    if pinned is None:
        raise BadInput(
            f"{requirement!r} is not a pinned requirement; write it as NAME==VERSION, such as "
            "mcp-server-time==2026.10.19"
        )
    script = pinned["name"] if request.script is None else request.script
    if not _SCRIPT.fullmatch(script):
        raise BadInput(f"{script!r} cannot be the name of a console script; give only its name")
    _check_texts(request.command)
    literal = take_apart(request.env, BadInput)
    name = place.name(request.name, pinned["name"])
    definition = Definition(
        kind=BundleKind.MCP_STDIO,
        runtime=Runtime.PYTHON,
        title=pinned["name"],
        version=pinned["version"],
        command=PREPARED_BIN + script,
        source=Source(SourceKind.PYPI, requirement),
        args=request.command,
        env=literal.env,
        fields=literal.fields,
        requirements=(requirement,),
        settings=request.settings,
    )
    refuse_sensitive_arguments(name, definition)
    return InstalledBundle(name, definition, literal.values)


def _given_path(request: InstallRequest, error: type[BadInput]) -> Path:
    if not request.path or not os.path.isabs(request.path) or not _is_passable(request.path):
        raise error(f"{request.path!r} is not an absolute path; give the full path of the file")
    return Path(request.path)


def _check_texts(texts: Iterable[str]) -> None:
    if not all(map(_is_passable, texts)):
        raise BadInput("an argument holds characters no process can receive; correct it")


def _is_passable(text: str) -> bool:
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def _check_program(program: str, literal: LiteralEnvironment, programs: Programs) -> None:
    """Make sure that the program exists, also where only the entry's own PATH leads to it."""
    own_path = literal.values.get("PATH")
    if isinstance(own_path, str) and "/" not in program and shutil.which(program, path=own_path):
        return
    if "${" not in program:
        programs.find(program)


def _runtime(program: str) -> Runtime:
    name = os.path.basename(program)
    for pattern, runtime in _RUNTIME_OF_PROGRAM:
        if pattern.fullmatch(name):
            return runtime
    return Runtime.BINARY
