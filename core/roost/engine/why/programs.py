"""Whether a program can be executed here: found, permitted, of this machine, its interpreter there.

The kernel answers most of these with the same "No such file or directory"; the file itself tells
them apart. Formats are only judged on Linux, and not where it was taught foreign ones.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from dataclasses import dataclass

from roost.engine.why.elf import ELF, knows_foreign_formats, trouble_with_elf
from roost.engine.why.steps import Trouble

_HEAD_BYTES = 65536
"""Headers stand at the beginning; the kernel reads 256 bytes of a script's first line."""

_INSTALLS = {
    "node": "install Node.js",
    "npx": "install Node.js, which brings npx",
    "npm": "install Node.js, which brings npm",
    "uv": "install uv (`pip install uv`)",
    "uvx": "install uv (`pip install uv`), which brings uvx",
    "docker": "install Docker",
    "python": "install Python",
    "python3": "install Python",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A program that can be executed, and through what."""

    path: str
    interpreter: str | None = None
    """Program that a script's first line names."""


def examine(command: str, path_variable: str) -> Found | Trouble:
    """Look for a program as a child with this PATH would, and into it.

    Args:
        command: absolute path, or a name that is looked for.
        path_variable: value of PATH.
    """
    if not os.path.isabs(command):
        found = None if "/" in command or not command else _which(command, path_variable)
        if found is None:
            return _not_found(command, path_variable)
        command = os.path.abspath(found)
    return trouble_with_file(command) or _examine_content(command, path_variable)


def trouble_with_file(path: str) -> Trouble | None:
    """Say what keeps a file from being executed, apart from its content."""
    if os.path.isfile(path):
        if os.access(path, os.X_OK):
            return None
        return Trouble(
            f"{path} may not be executed",
            f"`chmod +x {shlex.quote(path)}`, unless its disk is mounted without execution",
        )
    if os.path.islink(path):
        there = os.path.realpath(path)
        return Trouble(
            f"{path} leads to {there}, which is not there", f"{_install(path)}, or mend the link"
        )
    if os.path.isdir(path):
        return Trouble(
            f"{path} is a directory and not a program", "add the bundle again with the program"
        )
    return Trouble(f"there is no program {path}", f"{_install(path)}, or bring the file back")


def _examine_content(path: str, path_variable: str) -> Found | Trouble:
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return Found(path)  # may be executed and not read: the kernel will tell
    if head.startswith(b"#!"):
        return _examine_script(path, head, path_variable)
    if sys.platform != "linux" or knows_foreign_formats():
        return Found(path)
    if head.startswith(ELF):
        return trouble_with_elf(path, head) or Found(path)
    return Trouble(
        f"{path} is neither a program of this machine nor a script with an interpreter line",
        "give it a first line such as `#!/bin/sh`, or put its interpreter before it in the command",
    )


def _examine_script(path: str, head: bytes, path_variable: str) -> Found | Trouble:
    line = head[2:].split(b"\n", 1)[0].decode(errors="replace")
    if line.endswith("\r"):
        return Trouble(
            f"the first line of {path} ends in a carriage return, which becomes part of the "
            "interpreter's name",
            f"give the file Unix line ends (`sed -i 's/\\r$//' {shlex.quote(path)}`)",
            (f"#!{line!r}",),
        )
    words = line.split()
    if not words:
        return Found(path)  # an empty first line is left to the kernel
    interpreter = words[0]
    if os.path.basename(interpreter) == "env":
        name = next((w for w in words[1:] if not w.startswith("-") and "=" not in w), None)
        if name is None or os.path.isabs(name):
            interpreter = name or interpreter
        else:
            found = _which(name, path_variable)
            if found is None:
                return _interpreter_missing(path, name, path_variable)
            interpreter = found
    if trouble_with_file(interpreter):
        return _interpreter_missing(path, interpreter, path_variable)
    return Found(path, interpreter)


def _interpreter_missing(path: str, interpreter: str, path_variable: str) -> Trouble:
    return Trouble(
        f"{path} is a script for {interpreter}, which is not there",
        f"{_install(interpreter)}, or correct the first line of the script",
        _path_evidence(path_variable) if "/" not in interpreter else (),
    )


def _not_found(command: str, path_variable: str) -> Trouble:
    return Trouble(
        f"the program {command!r} is on no directory of the daemon's PATH",
        f"{_install(command)}, or where it is installed already: `roost down`, and start Roost "
        f"again from a shell that finds it",
        _path_evidence(path_variable),
    )


def _path_evidence(path_variable: str) -> tuple[str, ...]:
    return (f"PATH={path_variable}",)


def _install(program: str) -> str:
    name = os.path.basename(program)
    known = _INSTALLS.get(name)
    if known is None and name.startswith("python3."):
        known = f"install Python {name.removeprefix('python')}"
    return known or f"install {name or 'it'}"


def _which(name: str, path_variable: str) -> str | None:
    return shutil.which(name, path=path_variable)
