"""Python projects as bundles: what of `uv run` can be run by an environment made beforehand."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roost.bundles.wrapper_options import Options, split_options

PYPROJECT = "pyproject.toml"

_OWN_DIRECTORY = ("${__dirname}", "${__dirname}/")
_PYTHON = "${prepared}/bin/python"
_WITHOUT_CACHES = "-B"
"""Python would write its caches beside the bundle's own modules."""
_PYTHON_PROGRAMS = ("python", "python3")
_INLINE_METADATA = re.compile(rb"^# /// script\s*$", re.MULTILINE)
_PYTHON_MINOR = re.compile(r"3\.\d+")
_MINOR_BOUND = re.compile(r"(>=|<)\s*3\.(\d+)(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class ProjectRun:
    """How a project is run without uv, as templates."""

    command: str
    args: tuple[str, ...]
    requirements: tuple[str, ...] = ()
    """What is installed beside the project."""
    python: str | None = None


@dataclass(frozen=True, slots=True)
class ProjectNeeds:
    """What installing a project takes, where it is done by pip."""

    is_package: bool
    """Whether it says how it is built."""
    dependencies: tuple[str, ...]
    only_uv: str | None
    """Why nothing but uv can install it, for people; None when pip can."""


def project_run(command: str, args: tuple[str, ...], folder: Path) -> ProjectRun | None:
    """Return what a `uv run` line of a bundle runs, or None when that is not certain.

    Args:
        command: as the manifest has it.
        args: as the manifest has them.
        folder: where the bundle lies now.
    """
    if command != "uv" or args[:1] != ("run",) or not (folder / PYPROJECT).is_file():
        return None
    is_module, line = _split(args[1:])
    if line is None or not line.words or not _is_own(line):
        return None
    start = _module(line) if is_module else _program(line, folder)
    requirements, python = line.requirements("--with"), line.last("--python")
    is_known = python is None or _PYTHON_MINOR.fullmatch(python)
    if start is None or requirements is None or not is_known:
        return None
    return ProjectRun(*start, requirements, python)


def read_needs(root: Path, *, minor: int) -> ProjectNeeds:
    """Read what a project needs; one that cannot be read is left to uv.

    Args:
        root: the project.
        minor: of the Python that pip would install for.
    """
    table = _read(root)
    project, tool = _table(table, "project"), _table(_table(table, "tool"), "uv")
    if not project:
        return ProjectNeeds(False, (), "it has no project table that can be read")
    if refused := sorted({"sources", "index", "workspace", "override-dependencies"} & set(tool)):
        return ProjectNeeds(False, (), f"its {PYPROJECT} holds tool.uv.{refused[0]}")
    wanted = project.get("requires-python", "")
    if not _allows(wanted if isinstance(wanted, str) else "", minor):
        return ProjectNeeds(False, (), f"it wants Python {wanted}")
    given = project.get("dependencies", [])
    dependencies = tuple(each for each in given if isinstance(each, str) and each[:1] != "-")
    return ProjectNeeds("build-system" in table, dependencies, None)


def _split(args: tuple[str, ...]) -> tuple[bool, Options | None]:
    """Split the options of `uv run`, of which ``-m`` says that a module is run."""
    for option in ("-m", "--module"):
        if option in args:
            at = args.index(option)
            line = split_options("uv run", args[:at])
            if line is not None and not line.words:
                return True, Options(line.given, args[at + 1 :])
    return False, split_options("uv run", args)


def _is_own(line: Options) -> bool:
    places = (*line.all("--directory"), *line.all("--project"))
    return all(place in _OWN_DIRECTORY for place in places)


def _module(line: Options) -> tuple[str, tuple[str, ...]]:
    return _PYTHON, (_WITHOUT_CACHES, "-m", *line.words)


def _program(line: Options, folder: Path) -> tuple[str, tuple[str, ...]] | None:
    name, rest = line.words[0], line.words[1:]
    if name in _PYTHON_PROGRAMS:
        return _PYTHON, (_WITHOUT_CACHES, *rest)
    if name in _table(_table(_read(folder), "project"), "scripts"):
        return f"${{prepared}}/bin/{name}", rest
    inside = name.removeprefix("${__dirname}/").removeprefix("./")
    if not inside.endswith(".py") or "${" in inside or not _is_plain_script(folder, inside):
        return None
    return _PYTHON, (_WITHOUT_CACHES, "${__dirname}/" + inside, *rest)


def _is_plain_script(folder: Path, inside: str) -> bool:
    """Tell whether a script runs in the environment of its project, not in one of its own."""
    path = os.path.normpath(folder / inside)
    if inside.startswith("/") or ".." in inside.split("/") or not os.path.isfile(path):
        return False
    return _INLINE_METADATA.search(Path(path).read_bytes()) is None


def _read(folder: Path) -> dict[str, Any]:
    try:
        return tomllib.loads((folder / PYPROJECT).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}


def _table(table: dict[str, Any], key: str) -> dict[str, Any]:
    found = table.get(key)
    return found if isinstance(found, dict) else {}


def _allows(wanted: str, minor: int) -> bool:
    bounds = [(sign, int(number)) for sign, number in _MINOR_BOUND.findall(wanted)]
    return all(minor >= bound if sign == ">=" else minor < bound for sign, bound in bounds)
