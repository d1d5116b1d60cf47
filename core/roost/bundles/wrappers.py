"""Commands that fetch a package at each start: npx, npm exec, uvx, uv run and pipx run.

Reads command lines only. What cannot be told for certain from the line alone is no fetched package:
then the command stays as it is.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace

from roost.bundles.package_specs import (
    is_exact_npm_version,
    is_exact_pypi_version,
    normal_name,
    npm_requirement,
    pypi_requirement,
)
from roost.bundles.shell_lines import behind_shell_and_env
from roost.bundles.wrapper_options import Options, split_npm_exec, split_options
from roost.models import Definition, PinnedCopy, PlanNote, SourceKind

_INSTALLER_PREFIXES = ("NPM_CONFIG_", "UV_", "PIP_", "PIPX_")
"""Variables that change where a package comes from: a copy could be another package."""

_PYTHON_MINOR = re.compile(r"(?:python|cpython@?)?(3\.\d+)(?:\.\d+)?")
_PROGRAM = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class FetchedPackage:
    """The package that a command line fetches and runs."""

    registry: SourceKind
    """`NPM` or `PYPI`."""
    wrapper: str
    """The program that fetches it, as people call it: ``npx``, ``uv run``."""
    name: str
    """Without extras: ``@scope/name`` or ``mcp-server-time``."""
    spec: str
    """Version as the line has it: ``1.2.3``, ``^1``, ``latest`` of npm, ``==1.2``, ``>=2`` of PyPI;
    empty when it names none."""
    is_pinned: bool
    """Whether it names exactly one version."""
    program: str | None
    """Program of the package that is run; None means its only one, or the one of its name."""
    args: tuple[str, ...]
    """What the program is given."""
    extras: str = ""
    """Of PyPI, with brackets: ``[cli]``."""
    with_requirements: tuple[str, ...] = ()
    """Further requirements installed beside it."""
    python: str | None = None
    """Interpreter minor the line asks for, such as ``3.12``."""
    env: dict[str, str] = field(default_factory=dict)
    """Variables that the line sets by `env`."""

    @property
    def requirement(self) -> str:
        """The package as its own package manager takes it."""
        if self.registry is SourceKind.NPM:
            return f"{self.name}@{self.spec}" if self.spec else self.name
        return f"{self.name}{self.extras}{self.spec}"


def fetched_package(command: str, args: tuple[str, ...]) -> FetchedPackage | None:
    """Return the package that this command line fetches at each start, or None.

    Args:
        command: program as the definition names it, by name or path.
        args: its arguments; templates may stand in those of the package's own program.
    """
    line = behind_shell_and_env((command, *args))
    if line is None or not line.words:
        return None
    program, *rest = line.words
    found = _read(os.path.basename(program), tuple(rest))
    return None if found is None else replace(found, env=line.env)


def wrapper_notes(definition: Definition) -> tuple[PlanNote, ...]:
    """Return what is worth knowing of a command that fetches its package at each start."""
    found = fetched_package(definition.command, definition.args)
    if found is None:
        return ()
    network = PlanNote(
        "network",
        f"{found.wrapper} asks the registry at each start: without a network it may not start.",
        is_warning=False,
    )
    processes = PlanNote(
        "several_processes",
        f"{found.wrapper} stays beside the server: {_processes(found)} processes for one server.",
        is_warning=False,
    )
    if found.is_pinned:
        return (network, processes)
    unpinned = PlanNote(
        "unpinned",
        f"{found.name} is not pinned: any start may run a newer version than the one before, "
        "without a review.",
    )
    return (unpinned, network, processes)


def pinned_copy_of(definition: Definition) -> PinnedCopy | None:
    """Return the installed copy that can stand in for the command of a definition, or None."""
    found = pinnable_package(definition)
    if found is None:
        return None
    return PinnedCopy(
        found.name,
        f"An installed, pinned copy of {found.name} {_gain(found)}; its first start installs it.",
    )


def pinnable_package(definition: Definition) -> FetchedPackage | None:
    """Return the package that a definition fetches at each start if a copy would be the same."""
    found = fetched_package(definition.command, definition.args)
    if found is None or _has_own_modules(definition, found):
        return None
    is_redirected = any(
        name.upper().startswith(_INSTALLER_PREFIXES) for name in (*definition.env, *found.env)
    )
    return None if is_redirected else found


def _processes(found: FetchedPackage) -> str:
    return "three" if found.registry is SourceKind.NPM else "two"


def _gain(found: FetchedPackage) -> str:
    memory = "40 %" if found.registry is SourceKind.NPM else "50 %"
    measured = "server-memory" if found.registry is SourceKind.NPM else "mcp-server-time"
    return (
        f"starts in half the time or less, as one process instead of {_processes(found)} with "
        f"about {memory} less memory, and needs no network at start (measured on {measured})"
    )


def _has_own_modules(definition: Definition, found: FetchedPackage) -> bool:
    """Tell whether npx would take the package from the directory that it is started in."""
    directory = definition.directory
    is_npm = found.registry is SourceKind.NPM
    return is_npm and directory is not None and os.path.isdir(f"{directory}/node_modules")


def _read(wrapper: str, args: tuple[str, ...]) -> FetchedPackage | None:
    match wrapper, args:
        case "npx", _:
            return _npm("npx", split_options("npx", args))
        case "npm", ("exec" | "x", *rest):
            return _npm("npm exec", split_npm_exec(tuple(rest)))
        case "uvx", _:
            return _uv_tool("uvx", split_options("uvx", args))
        case "uv", ("tool", "run", *rest):
            return _uv_tool("uv tool run", split_options("uvx", tuple(rest)))
        case "uv", ("run", *rest):
            return _uv_run(split_options("uv run", tuple(rest)))
        case "pipx", ("run", *rest):
            return _pipx(split_options("pipx run", tuple(rest)))
        case _:
            return None


def _npm(wrapper: str, line: Options | None) -> FetchedPackage | None:
    if line is None or not line.words:
        return None
    packages = line.all("--package")
    if len(packages) > 1:
        return None
    named = packages[0] if packages else line.words[0]
    parsed = npm_requirement(named)
    program = line.words[0] if packages else None
    if parsed is None or (program is not None and not _PROGRAM.fullmatch(program)):
        return None
    name, spec = parsed
    return FetchedPackage(
        registry=SourceKind.NPM,
        wrapper=wrapper,
        name=name,
        spec=spec,
        is_pinned=is_exact_npm_version(spec),
        program=program,
        args=line.words[1:],
    )


def _uv_tool(wrapper: str, line: Options | None) -> FetchedPackage | None:
    if line is None or not line.words:
        return None
    source = line.last("--from")
    if source is None:
        return _python_package(wrapper, line, line.words[0], None)
    return _python_package(wrapper, line, source, line.words[0])


def _pipx(line: Options | None) -> FetchedPackage | None:
    if line is None or not line.words:
        return None
    source = line.last("--spec")
    if source is None:
        return _python_package("pipx run", line, line.words[0], None)
    return _python_package("pipx run", line, source, line.words[0])


def _uv_run(line: Options | None) -> FetchedPackage | None:
    """Read `uv run --with PACKAGE PROGRAM`, where the program is the one of the package's name."""
    if line is None or not line.words or line.last("--directory") or line.last("--project"):
        return None
    wanted = normal_name(line.words[0])
    for requirement in line.requirements("--with") or ():
        parsed = pypi_requirement(requirement)
        if parsed is not None and normal_name(parsed[0]) == wanted:
            return _python_package("uv run", line, requirement, line.words[0])
    return None


def _python_package(
    wrapper: str, line: Options, requirement: str, program: str | None
) -> FetchedPackage | None:
    parsed = pypi_requirement(requirement)
    others = line.requirements("--with")
    python = _python(line.last("--python"))
    if parsed is None or others is None or python is None:
        return None
    name, extras, spec = parsed
    if not _PROGRAM.fullmatch(program or name) or (program or "").endswith((".py", ".pyw")):
        return None
    return FetchedPackage(
        registry=SourceKind.PYPI,
        wrapper=wrapper,
        name=name,
        spec=spec,
        is_pinned=is_exact_pypi_version(spec),
        program=name if program is None else program,
        args=line.words[1:],
        extras=extras,
        with_requirements=tuple(other for other in others if other != requirement),
        python=python or None,
    )


def _python(asked: str | None) -> str | None:
    """Return the minor that was asked for, an empty text for none, or None for one unknown."""
    if asked is None:
        return ""
    match = _PYTHON_MINOR.fullmatch(asked)
    return None if match is None else match[1]
