"""MCPB manifests, versions 0.1 to 0.4, become definitions."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from roost.bundles.forbidden import why_forbidden
from roost.bundles.json_text import read_json
from roost.bundles.manifest_table import ManifestTable, refuse
from roost.bundles.programs import Programs
from roost.bundles.projects import project_run
from roost.bundles.templates import (
    misplaced_list,
    refuse_sensitive_arguments,
    unknown_placeholder,
)
from roost.bundles.user_config import displayed, read_fields
from roost.errors import BadManifest, CommandNotFound
from roost.models import BundleKind, ConfigField, Definition, Runtime, Source, slug

MANIFEST_NAME = "manifest.json"

MANIFEST_VERSIONS = ("0.1", "0.2", "0.3", "0.4")

_RUNTIMES = {
    "python": Runtime.PYTHON,
    "node": Runtime.NODE,
    "binary": Runtime.BINARY,
    "uv": Runtime.UV,
}
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DIRNAME = "${__dirname}/"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest says, with its programs found."""

    name: str
    """Valid bundle name made from the manifest's name."""
    definition: Definition
    executables: tuple[str, ...]
    """Files inside the bundle that are started as programs."""


@dataclass(frozen=True, slots=True)
class _Start:
    command: str
    args: tuple[str, ...]
    env: dict[str, str]


def read_manifest(
    folder: Path,
    *,
    called: str,
    root: str,
    source: Source,
    programs: Programs,
    platform: str = sys.platform,
    secret_arguments: bool = False,
) -> Manifest:
    """Read the manifest of an unpacked bundle.

    Args:
        folder: where the bundle lies now.
        called: what its user knows it as: the path of the archive or folder.
        root: absolute path where it will lie when it runs.
        source: where it came from.
        programs: finds the interpreters.
        platform: name of this platform, as Python and MCPB call it.
        secret_arguments: whether the operator allows sensitive fields in its command line.

    Raises:
        BadManifest: it is missing, not JSON, incomplete or contradicts itself.
        CommandNotFound: its program does not exist here.
        SensitiveInArguments: it would show a sensitive field in its command line.
    """
    path = folder / MANIFEST_NAME
    if not path.is_file():
        raise BadManifest(
            f"there is no {MANIFEST_NAME} at the top of {called}; pack the folder that holds it "
            "with `mcpb pack`"
        )
    data = read_json(path, BadManifest, called=f"the {MANIFEST_NAME} of {called}")
    try:
        return manifest_from(
            data,
            folder,
            root=root,
            source=source,
            programs=programs,
            platform=platform,
            secret_arguments=secret_arguments,
        )
    except BadManifest as error:
        raise BadManifest(f"{called}: {error.message}", **error.details) from error


def manifest_from(
    data: Any,
    folder: Path,
    *,
    root: str,
    source: Source,
    programs: Programs,
    platform: str,
    secret_arguments: bool = False,
) -> Manifest:
    """Turn a parsed manifest into a definition; see `read_manifest`."""
    table = ManifestTable(data)
    _check_header(table, platform)
    server = table.table("server")
    runtime = _runtime(server)
    entry_point = _entry_point(server, folder)
    fields = read_fields(table.optional_table("user_config"))
    start = _start(server, runtime, entry_point, platform)
    _check_start(server, start, fields)
    name = table.text("name")
    own_program = _file_of_the_bundle(start.command, folder)
    definition = Definition(
        kind=BundleKind.MCP_STDIO,
        runtime=runtime,
        title=displayed(table.text("display_name", name)) or slug(name),
        version=_version(table),
        command=_recorded_program(start.command, own_program, folder, programs),
        source=source,
        args=start.args,
        env=start.env,
        description=displayed(table.text("description")),
        fields=fields,
        root=root,
        secret_arguments=secret_arguments,
    )
    if misplaced := misplaced_list(definition):
        refuse(
            server.place("mcp_config"),
            f"puts the several values of {misplaced[0]!r} inside the text {misplaced[1]!r}; they "
            "can only be an argument of their own",
        )
    if runtime is Runtime.UV:
        definition = _without_uv(definition, start, folder)
    refuse_sensitive_arguments(slug(name), definition)
    executables = {own_program} if own_program else set()
    if runtime is Runtime.BINARY:
        executables.add(entry_point)
    return Manifest(slug(name), definition, tuple(sorted(executables)))


def _check_header(table: ManifestTable, platform: str) -> None:
    key = "manifest_version" if "manifest_version" in table else "dxt_version"
    if key not in table:
        refuse("manifest_version", "is missing")
    version = table.text(key)
    if version not in MANIFEST_VERSIONS:
        refuse(key, f"is {version!r} and must be one of {', '.join(MANIFEST_VERSIONS)}")
    table.text("name")
    table.text("description")
    table.table("author").text("name")
    platforms = table.optional_table("compatibility").texts("platforms")
    if platforms and platform not in platforms:
        raise BadManifest(
            f"this bundle is made for {', '.join(platforms)} and not for {platform}; get the one "
            "for this platform"
        )


def _version(table: ManifestTable) -> str:
    version = table.text("version")
    if not _VERSION.fullmatch(version):
        refuse("version", f"{version!r} cannot name a directory; use one like 1.2.3")
    return version


def _runtime(server: ManifestTable) -> Runtime:
    name = server.text("type")
    if name not in _RUNTIMES:
        refuse(server.place("type"), f"is {name!r} and must be one of {', '.join(_RUNTIMES)}")
    return _RUNTIMES[name]


def _entry_point(server: ManifestTable, folder: Path) -> str:
    found = server.text("entry_point").removeprefix("./")
    place = server.place("entry_point")
    if found.startswith("/") or "\\" in found or ".." in found.split("/"):
        refuse(place, f"{found!r} leads out of the bundle")
    resolved = os.path.realpath(folder / found)
    if not resolved.startswith(os.path.realpath(folder) + "/") or not os.path.isfile(resolved):
        refuse(place, f"names {found!r}, which is no file of the bundle")
    return found


def _start(server: ManifestTable, runtime: Runtime, entry_point: str, platform: str) -> _Start:
    if runtime is Runtime.UV and "mcp_config" not in server:
        return _Start("uv", ("run", "--directory", "${__dirname}", entry_point), {})
    config = server.table("mcp_config")
    override = config.optional_table("platform_overrides").optional_table(platform)

    def chosen(key: str) -> ManifestTable:
        return override if key in override else config

    return _Start(
        chosen("command").text("command"),
        chosen("args").texts("args"),
        chosen("env").text_map("env"),
    )


def _check_start(server: ManifestTable, start: _Start, fields: tuple[ConfigField, ...]) -> None:
    place = server.place("mcp_config")
    for template in (start.command, *start.args, *start.env.values()):
        if (name := unknown_placeholder(template, fields)) is not None:
            refuse(place, f"uses ${{{name}}}, which stands for nothing")
    for name, template in start.env.items():
        if not _ENV_NAME.fullmatch(name):
            refuse(place + ".env", f"has the name {name!r}, which is no name of a variable")
        if (reason := why_forbidden(name, template)) is not None:
            refuse(place + ".env", f"sets {name}, which it may not: {reason}")


def _without_uv(definition: Definition, start: _Start, folder: Path) -> Definition:
    """Return the definition whose environment is made beforehand, where its line is certain."""
    run = project_run(start.command, start.args, folder)
    if run is None:
        return definition
    return replace(
        definition,
        command=run.command,
        args=run.args,
        requirements=run.requirements,
        python=run.python,
        is_project=True,
    )


def _file_of_the_bundle(command: str, folder: Path) -> str | None:
    """Return the path inside the bundle of a command that lies there, or None."""
    is_relative = "/" in command and not command.startswith(("/", "${"))
    if not is_relative and not command.startswith(_DIRNAME):
        return None
    inside = command.removeprefix(_DIRNAME).removeprefix("./")
    if "${" in inside:
        return None  # known at each start only
    if ".." in inside.split("/") or inside.startswith("/"):
        refuse("server.mcp_config.command", f"{command!r} leads out of the bundle")
    if not os.path.isfile(folder / inside):
        raise CommandNotFound(inside)
    return inside


def _recorded_program(command: str, inside: str | None, folder: Path, programs: Programs) -> str:
    if inside is not None:
        return _DIRNAME + inside
    return command if "${" in command else programs.recorded(command, folder)
