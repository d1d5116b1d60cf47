"""The installed distributions that a bundle's modules come from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

_DIST_INFO = ".dist-info"

_MODULE_SUFFIXES = (".py", ".pyc", ".so")


@dataclass(frozen=True, slots=True)
class Distribution:
    """One installed package."""

    name: str
    version: str
    record: str
    """Path of its list of files."""
    digest: str
    """SHA-256 of that list, which holds a hash of every file."""


def owning_distributions(
    files: Collection[str], paths: Collection[str]
) -> tuple[Distribution, ...]:
    """Return the distributions that at least one of the files belongs to, sorted by name.

    Args:
        files: absolute paths of module files.
        paths: directories in which packages are installed.
    """
    found = [owner for path in paths for owner in _owners_in(path, files)]
    return tuple(sorted(found, key=lambda each: (each.name, each.record)))


def counted_entries(
    paths: Collection[str],
    modules: Collection[str],
    listed: Callable[[str], list[str]] = os.listdir,
) -> tuple[str, ...]:
    """Return what the directories of a path hold that decides what is loaded, sorted.

    That are ``.pth`` files, which the interpreter reads at every start, and whatever a module of
    one of these names could be loaded from.

    Args:
        paths: directories, or archives, in which nothing is looked for.
        modules: names of modules without a dot.
        listed: returns what one directory holds.
    """
    return tuple(
        os.path.join(path, name)
        for path in sorted(set(paths))
        for name in sorted(_names(path, listed))
        if name.endswith(".pth") or _may_be(name, modules)
    )


def _may_be(name: str, modules: Collection[str]) -> bool:
    stem, dot, _ = name.partition(".")
    return stem in modules and (not dot or name.endswith(_MODULE_SUFFIXES))


def _owners_in(directory: str, files: Collection[str]) -> Iterator[Distribution]:
    inside = {os.path.relpath(f, directory) for f in files if f.startswith(f"{directory}/")}
    if not inside:
        return
    for name in _names(directory):
        if name.endswith(_DIST_INFO):
            owner = _read(os.path.join(directory, name, "RECORD"), name, inside)
            if owner is not None:
                yield owner


def _read(record: str, info: str, inside: Collection[str]) -> Distribution | None:
    try:
        with open(record, "rb") as file:
            data = file.read()
    except OSError:
        return None
    lines = data.decode("utf-8", "replace").splitlines()
    if not any(line.rsplit(",", 2)[0].strip('"') in inside for line in lines):
        return None
    name, _, version = info.removesuffix(_DIST_INFO).partition("-")
    return Distribution(name, version, record, hashlib.sha256(data).hexdigest())


def _names(directory: str, listed: Callable[[str], list[str]] = os.listdir) -> list[str]:
    try:
        return listed(directory)
    except OSError:
        return []
