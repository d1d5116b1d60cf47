"""Finding the programs that definitions name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from roost.bundles.compiled import own_python, python_for
from roost.errors import BadManifest, CommandNotFound

_PYTHON_NAMES = ("python", "python3")


@dataclass(frozen=True, slots=True)
class Programs:
    """Where programs are found at install time."""

    python: str
    """Absolute path of Roost's own interpreter."""
    which: Callable[[str], str | None]

    def find(self, name: str) -> str:
        """Return the absolute path of a program given by name or absolute path.

        Raises:
            CommandNotFound: there is none that can be executed.
        """
        if os.path.isabs(name):
            return executable(name)
        found = None if "/" in name or not name else self.which(name)
        if found is None:
            raise CommandNotFound(name)
        return os.path.abspath(found)

    def recorded(self, name: str, root: Path) -> str:
        """Return the program a manifest means, with `python` standing for Roost's interpreter.

        Args:
            name: command of the manifest.
            root: the bundle's directory, whose compiled modules may need another interpreter.

        Raises:
            CommandNotFound: there is none that can be executed.
            BadManifest: no Python here can load its compiled modules.
        """
        if name not in _PYTHON_NAMES:
            return self.find(name)
        wanted = python_for(root)
        if not wanted or own_python() in wanted:
            return self.python
        for version in wanted:
            with suppress(CommandNotFound):
                return self.find(f"python{version}")
        raise BadManifest(
            f"its compiled modules were built for Python {' or '.join(wanted)}, which is not on "
            f"the PATH: install python{wanted[0]}, then add the bundle again"
        )


def executable(path: str) -> str:
    """Return `path` if it can be executed.

    Raises:
        CommandNotFound: it does not exist, is not a file, or may not be executed.
    """
    if not os.path.isfile(path) or not os.access(path, os.X_OK):
        raise CommandNotFound(path)
    return path


def find_for_launch(command: str, env: Mapping[str, str]) -> str:
    """Return the absolute path of a program as a child with this environment would find it.

    Raises:
        CommandNotFound: there is none that can be executed.
    """
    if os.path.isabs(command):
        return executable(command)
    if not command or "/" in command:
        raise CommandNotFound(command)
    found = shutil.which(command, path=env.get("PATH", ""))
    if found is None:
        raise CommandNotFound(command)
    return os.path.abspath(found)
