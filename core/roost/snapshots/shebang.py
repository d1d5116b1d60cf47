"""Which interpreter an executable text file names in its first lines."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Mapping

HEAD_BYTES = 4096
"""A first line longer than this names no interpreter that a system would start."""

_RE_EXEC = re.compile(r"^'''exec' (?P<command>.+?) \"\$0\" \"\$@\"\s*$")
"""The second line by which installers start an interpreter whose path is too long, or lies beside
the script: the shell runs it, and Python reads it as the beginning of a text."""

_BESIDE = '"$(dirname -- "$(realpath -- "$0")")"'
"""How such a line names the script's own directory."""


def interpreter_line(path: str, env: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return the words that start a script: interpreter and its arguments.

    Args:
        path: an executable file.
        env: where ``/usr/bin/env NAME`` looks for it.

    Returns:
        None when the file is no text with an interpreter, as binaries are.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(HEAD_BYTES)
    if not head.startswith(b"#!"):
        return None
    lines = head.decode("utf-8", "replace").splitlines()
    words = tuple(lines[0][2:].strip().split(None, 1))  # the system splits no further
    if not words:
        return None
    if os.path.basename(words[0]) == "env":
        return _through_env(words[1:], env)
    if os.path.basename(words[0]) == "sh" and len(lines) > 1:
        return _through_shell(lines[1], path) or words
    return words


def _through_env(arguments: tuple[str, ...], env: Mapping[str, str]) -> tuple[str, ...] | None:
    if not arguments:
        return None
    rest = arguments[0]
    words = shlex.split(rest[2:]) if rest.startswith("-S") else [rest]
    if not words or words[0].startswith("-") or "=" in words[0]:
        return None
    found = shutil.which(words[0], path=env.get("PATH"))
    return (found or words[0], *words[1:])


def _through_shell(line: str, path: str) -> tuple[str, ...] | None:
    matched = _RE_EXEC.match(line)
    if matched is None:
        return None
    command = matched["command"].replace(
        _BESIDE, shlex.quote(os.path.dirname(os.path.realpath(path)))
    )
    return None if "$" in command else tuple(shlex.split(command))
