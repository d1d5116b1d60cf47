"""Installs of packages from PyPI and npm, pinned to one version."""

from __future__ import annotations

import re

from roost.bundles.install_place import InstalledBundle, InstallPlace, check_texts
from roost.bundles.literals import take_apart
from roost.bundles.package_specs import (
    is_exact_npm_version,
    is_exact_pypi_version,
    npm_requirement,
    pypi_requirement,
)
from roost.bundles.templates import refuse_sensitive_arguments
from roost.bundles.web import refuse_web
from roost.bundles.wrappers import FetchedPackage, pinnable_package
from roost.errors import BadInput
from roost.models import BundleKind, Definition, InstallRequest, Runtime, Source, SourceKind

PREPARED_BIN = "${prepared}/bin/"
"""Where the prepare step puts console scripts."""

PREPARED_MODULES = "${prepared}/node_modules/"
"""Where the prepare step puts packages of npm."""

NPM_PROGRAMS = PREPARED_MODULES + ".bin/"
"""Where npm links the programs of packages; a pinned definition names the file itself."""

_SCRIPT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


def read_package(request: InstallRequest, place: InstallPlace) -> InstalledBundle:
    """Read a request for a package; without a version it still has to be looked up.

    Raises:
        BadInput, AlreadyExists, SensitiveInArguments: nothing was installed.
    """
    refuse_web(request)
    requirement = (request.requirement or "").strip()
    is_npm = request.source is SourceKind.NPM
    package, version = (_npm_package if is_npm else _pypi_package)(requirement)
    script = package.rpartition("/")[2] if request.script is None else request.script
    if not _SCRIPT.fullmatch(script):
        raise BadInput(f"{script!r} cannot be the name of a program; give only its name")
    check_texts(request.command)
    literal = take_apart(request.env, BadInput)
    name = place.name(request.name, package)
    definition = Definition(
        kind=BundleKind.MCP_STDIO,
        runtime=Runtime.NODE if is_npm else Runtime.PYTHON,
        title=package,
        version=version,
        command=(NPM_PROGRAMS if is_npm else PREPARED_BIN) + script,
        source=Source(request.source, requirement),
        args=request.command,
        env=literal.env,
        fields=literal.fields,
        requirements=(requirement,),
        secret_arguments=request.secret_arguments,
        settings=request.settings,
    )
    refuse_sensitive_arguments(name, definition)
    return InstalledBundle(name, definition, literal.values)


def needs_lookup(definition: Definition) -> bool:
    """Tell whether a registry has to be asked before a definition of a package can be kept."""
    if definition.source.kind is SourceKind.NPM:
        return definition.command.startswith(NPM_PROGRAMS)
    return definition.source.kind is SourceKind.PYPI and not definition.version


def package_to_find(definition: Definition) -> FetchedPackage | None:
    """Return the package that a registry is asked for to pin a definition, or None."""
    if not needs_lookup(definition):
        return pinnable_package(definition)
    registry, requirement = definition.source.kind, definition.requirements[0]
    if registry is SourceKind.NPM:
        (name, spec), extras = npm_requirement(requirement) or (requirement, ""), ""
    else:
        name, extras, spec = pypi_requirement(requirement) or (requirement, "", "")
    return FetchedPackage(
        registry=registry,
        wrapper="",
        name=name,
        spec=spec,
        is_pinned=False,
        program=definition.command.rpartition("/")[2],
        args=definition.args,
        extras=extras,
        with_requirements=definition.requirements[1:],
        python=definition.python,
    )


def _pypi_package(requirement: str) -> tuple[str, str]:
    parsed = pypi_requirement(requirement)
    if parsed is None:
        raise BadInput(
            f"{requirement!r} is not a package of PyPI; write it as NAME or NAME==VERSION, such as "
            "mcp-server-time==2026.10.19"
        )
    name, _, spec = parsed
    return name, spec.lstrip("= ") if is_exact_pypi_version(spec) else ""


def _npm_package(requirement: str) -> tuple[str, str]:
    parsed = npm_requirement(requirement)
    if parsed is None:
        raise BadInput(
            f"{requirement!r} is not a package of npm; write it as NAME or NAME@VERSION, such as "
            "@modelcontextprotocol/server-memory@2026.8.31"
        )
    name, spec = parsed
    return name, spec.lstrip("=v") if is_exact_npm_version(spec) else ""
