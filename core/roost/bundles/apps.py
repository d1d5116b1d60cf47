"""Apps written with the SDK, as bundles: the command that starts one, and what one says of itself.

To know an app its code is loaded, by the very launcher that starts it later, in a process of its
own; nothing of it is started. This module knows the command and reads its answer.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from roost.errors import BadApp
from roost.models import BundleKind, InstallRequest

LAUNCHER = "roost.app"
"""Module that starts an app by its directory, by hand and as a bundle."""

DESCRIBE = "--describe"

_KINDS = {"web": BundleKind.WEB, "command": BundleKind.COMMAND}


@dataclass(frozen=True, slots=True)
class AppDescription:
    """What an app says of itself without being started."""

    name: str
    kind: BundleKind


@dataclass(frozen=True, slots=True)
class LauncherOutput:
    """What the launcher left when it ended, or was ended at its bound."""

    stdout: str
    stderr: str
    ended: str
    """How it ended, in words: ``exit 1``, ``SIGKILL``."""


def app_arguments(request: InstallRequest) -> tuple[str, ...]:
    """Return the interpreter's arguments that start the app of this request.

    Raises:
        BadApp: its directory cannot be used.
    """
    entry = () if request.entry is None else (request.entry,)
    return ("-m", LAUNCHER, *entry, "--directory", _directory(request))


def read_description(output: LauncherOutput, directory: str) -> AppDescription:
    """Read what the launcher answered when it was asked to describe an app.

    Raises:
        BadApp: the app could not be loaded; the sentence says what failed, where it is known.
    """
    answer = _last_object(output.stdout)
    if answer is None:
        raise BadApp(directory, _told(output))
    if isinstance(error := answer.get("error"), dict):
        raise BadApp(directory, str(error.get("message", output.ended)))
    name, kind = answer.get("name"), _KINDS.get(str(answer.get("kind")))
    if not isinstance(name, str) or not name or kind is None:
        raise BadApp(directory, "its launcher is of another version of Roost; install the same one")
    return AppDescription(name, kind)


def _directory(request: InstallRequest) -> str:
    path = request.path or ""
    if not os.path.isabs(path) or "\0" in path or not os.path.isdir(path):
        raise BadApp(path, "there is no such directory; give the full path of the app's own")
    if "${" in path:
        raise BadApp(path, "its path holds ${, which stands for values; rename the directory")
    return path


def _last_object(text: str) -> dict[str, Any] | None:
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        found = json.loads(lines[-1]) if lines else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _told(output: LauncherOutput) -> str:
    said = next((line.strip() for line in reversed(output.stderr.splitlines()) if line.strip()), "")
    if "No module named" in said and LAUNCHER in said:
        return "its interpreter has no Roost; install Roost there, or choose another interpreter"
    return f"its launcher ended with {output.ended}: {said[:300] or 'it said nothing'}"
