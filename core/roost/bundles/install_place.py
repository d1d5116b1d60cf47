"""`InstallPlace`: where an install goes, and what every way of reading one checks."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from roost.bundles.apps import AppDescription
from roost.bundles.literals import LiteralEnvironment
from roost.bundles.programs import Programs
from roost.bundles.unpacked import BundleFolders
from roost.errors import AlreadyExists, BadInput
from roost.models import Definition, FieldValue, InstallRequest, Runtime, slug

_RUNTIME_OF_PROGRAM = (
    (re.compile(r"python[0-9.]*|pipx"), Runtime.PYTHON),
    (re.compile(r"node|npx|npm|bun|deno"), Runtime.NODE),
    (re.compile(r"uv|uvx"), Runtime.UV),
)


DescribeApp = Callable[[tuple[str, ...]], AppDescription]
"""Loads an app with the command that starts it, and returns what it says of itself; blocks."""


def describe_nothing(command: tuple[str, ...]) -> AppDescription:
    raise BadInput("apps cannot be loaded here; install its command instead")


@dataclass(frozen=True, slots=True)
class InstalledBundle:
    """A bundle that can be added to the store."""

    name: str
    definition: Definition
    values: dict[str, FieldValue] = field(default_factory=dict, repr=False)
    """Literal values found at the source, to be written to the vault."""
    signed_by: str | None = None
    """Who the signature block of an archive names, unchecked; None when it has none."""


@dataclass(frozen=True, slots=True)
class InstallPlace:
    """Where an install goes and what it may use."""

    workspace: str
    folders: BundleFolders
    programs: Programs
    taken: Container[str]
    describe: DescribeApp
    home: str = field(default_factory=lambda: os.path.expanduser("~"))
    """Home directory of the daemon's user."""

    def name(self, asked: str | None, derived: str) -> str:
        name = asked if asked is not None else slug(derived)
        if name in self.taken:
            raise AlreadyExists("bundle", name)
        return name


def given_path(request: InstallRequest, error: type[BadInput]) -> Path:
    if not request.path or not os.path.isabs(request.path) or not _is_passable(request.path):
        raise error(f"{request.path!r} is not an absolute path; give the full path of the file")
    return Path(request.path)


def given_directory(request: InstallRequest) -> str | None:
    """Return the working directory that is asked for, or None.

    Raises:
        BadInput: it is no directory that a process can start in.
    """
    path = request.directory
    if path is None:
        return None
    if not os.path.isabs(path) or not _is_passable(path) or not os.path.isdir(path):
        raise BadInput(f"{path!r} is no directory; give the full path of one that exists")
    return path


def check_texts(texts: Iterable[str]) -> None:
    if not all(map(_is_passable, texts)):
        raise BadInput("an argument holds characters no process can receive; correct it")


def _is_passable(text: str) -> bool:
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def check_program(program: str, literal: LiteralEnvironment, programs: Programs) -> None:
    """Make sure that the program exists, also where only the entry's own PATH leads to it."""
    own_path = literal.values.get("PATH")
    if isinstance(own_path, str) and "/" not in program and shutil.which(program, path=own_path):
        return
    if "${" not in program:
        programs.find(program)


def runtime_of(program: str) -> Runtime:
    name = os.path.basename(program)
    for pattern, runtime in _RUNTIME_OF_PROGRAM:
        if pattern.fullmatch(name):
            return runtime
    return Runtime.BINARY
