"""The key of a snapshot of a Node program: what it was made from, and the look whether it is so."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping

from roost.models import Reason
from roost.snapshots.cold_start import ColdStart
from roost.snapshots.entry import Entry
from roost.snapshots.environment import digest_value
from roost.snapshots.key import Key
from roost.snapshots.stamps import first_change, stamps

_STARTUP = ("NODE_", "LD_", "LC_", "V8_", "UV_", "OPENSSL_", "SSL_")
"""Read by Node and the libraries in it, before the program and below it."""

_STARTUP_NAMES = frozenset({"LANG", "LANGUAGE", "TZ"})

ALL_NAMES = "the names of all variables"
"""Stands among the variables that were read for a look through their names."""

_LOCKFILES = (
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "bun.lock",
    "node_modules/.package-lock.json",
)
"""The last one is written by every install of npm, whatever it changes."""


def is_node_startup_name(name: str) -> bool:
    """Whether a variable may work before the program does."""
    return name in _STARTUP_NAMES or name.startswith(_STARTUP)


def make_node_key(
    start: ColdStart,
    entry: Entry,
    version: str,
    sources: Iterable[str],
    digest_key: bytes,
    reads: Collection[str] = (),
) -> Key:
    """Look at everything and return the key; blocks, for it reads the bundle's own files.

    Args:
        start: the bundle's cold start.
        entry: what it starts.
        version: of its Node.
        sources: every file that is in the bundled script.
        digest_key: of the data directory; keys the digests of variables.
        reads: names of variables that were read while packages were loaded early.
    """
    files = sorted(set(sources))
    own = [path for path in files if not _is_installed(path)]
    others = [path for path in files if _is_installed(path)]
    node = entry.interpreter
    return Key(
        entry=entry,
        version=version,
        paths=(),
        interpreter=stamps((node, os.path.realpath(node))),
        startup=(),
        names=(),
        entries=(),
        packages=(),
        records=stamps(_descriptions(files)),
        lockfiles=stamps(_lockfiles(entry.target), with_content=True),
        sources=stamps((*others, entry.target)) + stamps(own, with_content=True),
        variables=_variables(start.launch.env, start.credentials, digest_key),
        reads={
            name: digest_value(digest_key, name, _read(start.launch.env, name))
            for name in sorted(set(reads) - start.credentials)
        },
        exclude=(),
    )


def node_key_change(key: Key, entry: Entry, start: ColdStart, digest_key: bytes) -> Reason | None:
    """Return what is not as it was, cheapest first; blocks for the look at every file.

    Args:
        key: of the snapshot.
        entry: of the start in question.
        start: its environment counts.
        digest_key: of the data directory.
    """
    if key.entry != entry:
        was, now = (" ".join((e.interpreter, *e.flags, e.target)) for e in (key.entry, entry))
        return Reason("entry", f"entry: it was {was}, and is {now}")
    if variable := _other_variable(key, start, digest_key):
        return Reason("environment", f"environment: {variable}")
    for part, before in (
        ("interpreter", key.interpreter),
        ("sources", key.sources),
        ("packages", key.records),
        ("lockfile", key.lockfiles),
    ):
        if (change := first_change(before)) is not None:
            return Reason(part, f"{part}: {change}")
    return None


def _other_variable(key: Key, start: ColdStart, digest_key: bytes) -> str | None:
    env = start.launch.env
    now = _variables(env, start.credentials, digest_key)
    for name in sorted({*key.variables, *now}):
        if key.variables.get(name) != now.get(name):
            return f"{name} has another value"
    for name, digest in key.reads.items():
        if name not in start.credentials and digest_value(digest_key, name, _read(env, name)) == (
            digest
        ):
            continue
        if name == ALL_NAMES:
            return "others are set, and their names are looked through while it is loaded"
        return f"{name}, which is read while it is loaded, has another value"
    return None


def _read(env: Mapping[str, str], name: str) -> str | None:
    if name != ALL_NAMES:
        return env.get(name)
    return " ".join(sorted(each for each in env if not each.startswith("ROOST_")))


def _variables(
    env: Mapping[str, str], credentials: frozenset[str], digest_key: bytes
) -> dict[str, str]:
    counted = sorted(name for name in env if is_node_startup_name(name) and name not in credentials)
    return {name: digest_value(digest_key, name, env[name]) for name in counted}


def _is_installed(path: str) -> bool:
    return "/node_modules/" in path


def _descriptions(files: Iterable[str]) -> Iterator[str]:
    """Yield the package.json by which each file was found."""
    for directory in sorted({os.path.dirname(path) for path in files}):
        yield from (os.path.join(place, "package.json") for place in _upwards(directory))


def _lockfiles(script: str) -> Iterator[str]:
    for place in _upwards(os.path.dirname(os.path.realpath(script))):
        yield from (os.path.join(place, name) for name in _LOCKFILES)


def _upwards(directory: str) -> Iterator[str]:
    """Yield a directory and those above it, to the first that is a package by itself."""
    while True:
        yield directory
        above = os.path.dirname(directory)
        if above == directory or os.path.basename(directory) == "node_modules":
            return
        directory = above
