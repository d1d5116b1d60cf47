"""`read_bundle`: what a client asks to install becomes a definition and values for the vault."""

from __future__ import annotations

import os
from collections.abc import Callable, Container
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from roost.bundles.apps import app_arguments
from roost.bundles.http import read_http
from roost.bundles.install_place import (
    DescribeApp,
    InstalledBundle,
    InstallPlace,
    check_program,
    check_texts,
    describe_nothing,
    given_directory,
    given_path,
    runtime_of,
)
from roost.bundles.literals import take_apart
from roost.bundles.manifest import read_manifest
from roost.bundles.packages import read_package
from roost.bundles.programs import Programs
from roost.bundles.settings import check_settings
from roost.bundles.templates import refuse_sensitive_arguments
from roost.bundles.unpacked import BundleFolders
from roost.bundles.user_config import displayed
from roost.bundles.web import read_web, refuse_web
from roost.bundles.workers import read_worker
from roost.bundles.wrappers import fetched_package
from roost.errors import BadArchive, BadInput, Changed, InvalidName
from roost.models import (
    BundleKind,
    Definition,
    InstallRequest,
    Runtime,
    Source,
    SourceKind,
    is_valid_name,
)

if TYPE_CHECKING:
    from roost.bundles.archive import ReadArchive

_OWN_INTERPRETER = (SourceKind.APP, SourceKind.WORKER)
"""Sources of Python code, which may be installed for another interpreter than Roost's."""


def read_bundle(
    request: InstallRequest,
    *,
    workspace: str,
    bundles_dir: Path,
    python: str,
    which: Callable[[str], str | None],
    taken: Container[str] = (),
    describe: DescribeApp = describe_nothing,
    home: str | None = None,
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
        home: home directory of the daemon's user; None asks the system.

    Raises:
        InvalidName, AlreadyExists, BadInput, BadApp, BadArchive, BadManifest, BadConfigFile,
        BadPort, BadUrl, Changed, CommandNotFound, SensitiveInArguments, StoreUnavailable: nothing
            was installed.
    """
    for name in (workspace, *([] if request.name is None else [request.name])):
        if not is_valid_name(name):
            raise InvalidName(name)
    check_settings(request.settings)
    programs = Programs(python, which)
    home = home or os.path.expanduser("~")
    place = InstallPlace(workspace, BundleFolders(bundles_dir), programs, taken, describe, home)
    if request.name is not None:
        place.name(request.name, "")
    if request.python is not None and request.source not in _OWN_INTERPRETER:
        raise BadInput("an interpreter is chosen for apps and workers only; leave it out")
    readers = {
        SourceKind.MCPB: _read_mcpb,
        SourceKind.MCP_SERVERS: _read_client_entry,
        SourceKind.COMMAND: _read_command,
        SourceKind.PYPI: read_package,
        SourceKind.NPM: read_package,
        SourceKind.URL: read_http,
        SourceKind.APP: _read_app,
        SourceKind.WORKER: read_worker,
    }
    found = readers[request.source](request, place)
    return replace(found, definition=replace(found.definition, after=request.after))


def _read_mcpb(request: InstallRequest, place: InstallPlace) -> InstalledBundle:
    refuse_web(request)
    path = given_path(request, BadArchive)
    with place.folders.partial() as partial:
        read = _placed(path, partial)
        check_review(request, path, read.sha256)
        found = read_manifest(
            partial,
            called=str(path),
            root=str(partial),
            source=Source(SourceKind.MCPB, str(path), read.sha256, read.content_sha256),
            programs=place.programs,
            secret_arguments=request.secret_arguments,
        )
        for inside in found.executables:
            (partial / inside).chmod(0o755)
        name = place.name(request.name, found.name)
        version = found.definition.version
        final = place.folders.new_dir(place.workspace, name, version, read.sha256)
        place.folders.publish(partial, final)
    definition = replace(found.definition, root=str(final), settings=request.settings)
    return InstalledBundle(name, definition, signed_by=read.signed_by)


def _placed(path: Path, partial: Path) -> ReadArchive:
    """Put a folder or the content of an archive into a new directory."""
    # Here and below, loaded for the installs that need it: a daemon at rest does not.
    from roost.bundles.archive import ReadArchive, unpack
    from roost.bundles.folder import copy_folder

    if os.path.isdir(path):
        return ReadArchive(copy_folder(path, partial))
    return unpack(path, partial)


def _read_client_entry(request: InstallRequest, place: InstallPlace) -> InstalledBundle:
    from roost.bundles.clients.install import read_client_entry

    return read_client_entry(request, place)


def check_review(request: InstallRequest, path: Path, sha256: str) -> None:
    """Make sure that what was reviewed is what is there.

    Raises:
        Changed: it is something else.
    """
    if request.sha256 is not None and request.sha256.strip().lower() != sha256:
        raise Changed(
            f"{path} is not what was reviewed: its SHA-256 is {sha256}, not "
            f"{displayed(request.sha256)[:80]}; review it again, nothing was installed"
        )


def _read_command(request: InstallRequest, place: InstallPlace) -> InstalledBundle:
    if not request.command or not request.command[0]:
        raise BadInput("there is no command to install; give the program and its arguments")
    if request.kind is BundleKind.MCP_HTTP:
        return read_http(request, place)
    check_texts(request.command)
    program, *args = request.command
    directory = given_directory(request)
    web = read_web(request, request.kind)
    literal = take_apart(web.env, BadInput)
    check_program(program, literal, place.programs)
    name = place.name(request.name, _name_of(program, tuple(args)))
    definition = Definition(
        kind=request.kind,
        runtime=runtime_of(program),
        title=name,
        version="",
        command=program,
        source=Source(SourceKind.COMMAND, program),
        args=tuple(args),
        env=literal.env,
        fields=literal.fields,
        directory=directory,
        secret_arguments=request.secret_arguments,
        port=web.port,
        ready_path=web.ready_path,
        settings=request.settings,
    )
    refuse_sensitive_arguments(name, definition)
    return InstalledBundle(name, definition, literal.values)


def _name_of(program: str, args: tuple[str, ...]) -> str:
    """Return what a command is known by: the package it fetches, or else its program."""
    package = fetched_package(program, args)
    return os.path.basename(program if package is None else package.name)


def _read_app(request: InstallRequest, place: InstallPlace) -> InstalledBundle:
    args = app_arguments(request)
    check_texts(args)
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
