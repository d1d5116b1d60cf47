"""Compiled Python modules of a bundle: which interpreter and which platform they were built for.

A manifest cannot say it, and the wrong interpreter dies with an obscure ImportError.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from roost.errors import BadManifest

_MODULE = re.compile(
    r"(?P<stem>.+?)\.(?:(?:cpython-|cp)3(?P<minor>\d+)(?P<flags>[a-z]*)(?:-(?P<tag>[^.]+))?"
    r"|(?P<stable>abi3)(?:-(?P<stable_tag>[^.]+))?)\.(?:so|pyd)"
)
_OWN = EXTENSION_SUFFIXES[0]
_MACHINES = {3: "i686", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64"}
_IMAGES = {
    b"MZ": "Windows",
    b"\xcf\xfa\xed\xfe": "macOS",
    b"\xce\xfa\xed\xfe": "macOS",
    b"\xca\xfe\xba\xbe": "macOS",
}


@dataclass(frozen=True, slots=True)
class CompiledModule:
    """One built file of an extension module."""

    path: str
    """Inside the bundle."""
    stem: str
    """What it is imported as; several builds of one module share it."""
    python: str | None
    """Interpreter it needs, such as ``3.12`` or ``3.13t``; None for the stable interface."""
    foreign: str | None
    """Platform it is built for, for people, where that is not this one."""


def python_for(root: Path) -> tuple[str, ...]:
    """Return the Pythons that can load every compiled module of a bundle, newest first.

    Empty when any can: there are none, or all use the stable interface.

    Raises:
        BadManifest: some module is for another platform, or no one Python can load them all.
    """
    builds: dict[str, list[CompiledModule]] = {}
    for module in _modules(root):
        builds.setdefault(module.stem, []).append(module)
    wanted: set[str] | None = None
    for found in builds.values():
        here = [module for module in found if module.foreign is None]
        if not here:
            raise _built_elsewhere(found[0])
        pythons = {module.python for module in here if module.python is not None}
        if any(module.python is None for module in here):
            continue
        both = pythons if wanted is None else wanted & pythons
        if not both:
            raise _at_odds(builds)
        wanted = both
    return tuple(sorted(wanted or (), key=_order, reverse=True))


def own_python() -> str:
    """Return the interpreter that runs Roost, as compiled modules name it."""
    return f"3.{sys.version_info.minor}{'t' if 't' in sys.abiflags else ''}"


def _modules(root: Path) -> Iterator[CompiledModule]:
    for directory, _, files in os.walk(root):
        for name in files:
            match = _MODULE.fullmatch(name)
            if match is not None:
                path = os.path.join(directory, name)
                inside = os.path.relpath(path, root)
                yield _module(inside, path, match)


def _module(inside: str, path: str, match: re.Match[str]) -> CompiledModule:
    stem = os.path.join(os.path.dirname(inside), match["stem"])
    free = "t" if "t" in (match["flags"] or "") else ""
    python = None if match["stable"] else f"3.{match['minor']}{free}"
    tag = match["tag"] or match["stable_tag"]
    foreign = _foreign_tag(tag) if tag else _foreign_image(path)
    return CompiledModule(inside, stem, python, foreign)


def _foreign_tag(tag: str) -> str | None:
    if f"-{tag}." in _OWN:
        return None
    if tag.startswith("darwin"):
        return "macOS"
    return f"Windows ({tag})" if tag.startswith("win") else tag


def _foreign_image(path: str) -> str | None:
    """Look into a file whose name tells no platform; one that is no image at all is left alone."""
    with open(path, "rb") as file:
        head = file.read(20)
    for magic, name in _IMAGES.items():
        if head.startswith(magic):
            return None if name == "macOS" and sys.platform == "darwin" else name
    if not head.startswith(b"\x7fELF") or len(head) < 20:
        return None
    machine = _MACHINES.get(int.from_bytes(head[18:20], "little" if head[5] == 1 else "big"))
    is_own = sys.platform == "linux" and machine in (None, platform.machine())
    return None if is_own else f"Linux ({machine})"


def _built_elsewhere(module: CompiledModule) -> BadManifest:
    return BadManifest(
        f"its compiled module {module.path} is built for {module.foreign} and not for this machine "
        f"({sys.platform}, {platform.machine()}); get the bundle for this platform"
    )


def _at_odds(builds: dict[str, list[CompiledModule]]) -> BadManifest:
    named = {module.python for found in builds.values() for module in found if module.python}
    return BadManifest(
        f"its compiled modules are built for Python {', '.join(sorted(named, key=_order))}, and no "
        "single one of these can load them all; get a bundle that is built for one"
    )


def _order(python: str) -> tuple[int, str]:
    digits = python.removeprefix("3.").rstrip("t")
    return int(digits), python
