"""`Key`: everything a snapshot was made from, and the quick look whether all of it is as it was."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass, field

from roost.models import Reason
from roost.models.codec import to_json
from roost.models.snapshot import SnapshotPart
from roost.snapshots.backend import FORMAT
from roost.snapshots.entry import Entry, EntryKind
from roost.snapshots.environment import (
    counted_reads,
    digest_value,
    is_startup_name,
    whole_environment,
)
from roost.snapshots.interpreter import Interpreter
from roost.snapshots.looks import Look, Looks
from roost.snapshots.packages import Distribution, counted_entries, owning_distributions
from roost.snapshots.stamps import FileStamp, first_change, first_other_content, stamps

_LOCKFILES = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "requirements.txt")
"""Beside a bundle they say which packages it is meant to have."""

_INSTALLED = ("/site-packages/", "/dist-packages/")


@dataclass(frozen=True, slots=True)
class Key:
    """Everything a snapshot was made from; no value of a variable is in it."""

    entry: Entry
    version: str
    """Of the interpreter, as it says it itself."""
    paths: tuple[str, ...]
    """`sys.path` without what the entry puts first."""
    interpreter: tuple[FileStamp, ...]
    startup: tuple[FileStamp, ...]
    """Files that the interpreter reads before the program: ``.pth``."""
    names: tuple[str, ...]
    """Names without a dot of everything that was loaded."""
    entries: tuple[str, ...]
    """What the directories of the path hold under these names."""
    packages: tuple[Distribution, ...]
    records: tuple[FileStamp, ...]
    """The lists of files of `packages`."""
    lockfiles: tuple[FileStamp, ...]
    sources: tuple[FileStamp, ...]
    """Every file that a module was loaded from; those of the bundle itself with their content."""
    variables: Mapping[str, str]
    """Digests of variables that work before any module does, those that were set."""
    reads: Mapping[str, str]
    """Digests of variables that were read while modules were loaded, set or not."""
    exclude: tuple[str, ...]
    allowed: tuple[str, ...] = ()
    """Modules that were allowed to copy the whole environment, whether they do or not."""
    copied_by: tuple[str, ...] = ()
    """Those of them that do, so that the whole environment counts."""
    whole: Mapping[str, str] = field(default_factory=dict)
    """Digests of all variables where one of `copied_by` has seen them."""
    format: int = FORMAT

    @property
    def digest(self) -> str:
        """One digest of it all, as hex."""
        return hashlib.sha256(to_json(self)).hexdigest()


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What a key is made from."""

    entry: Entry
    interpreter: Interpreter
    cwd: str
    env: Mapping[str, str]
    credentials: frozenset[str]
    """Names of variables that hold one: a new value of these changes nothing in a template."""
    modules: tuple[str, ...]
    """That the template loads, and that are excluded from it."""
    files: tuple[str, ...]
    """Of these modules."""
    reads: tuple[str, ...]
    exclude: tuple[str, ...]
    allowed: tuple[str, ...] = ()
    copied_by: tuple[str, ...] = ()


def make_key(facts: KeyFacts, digest_key: bytes) -> Key:
    """Look at everything and return the key; blocks, for it reads files of the bundle.

    Args:
        facts: what to look at.
        digest_key: of the data directory; keys the digests of variables.
    """
    files = tuple(sorted({_on_disk(path) for path in facts.files}))
    own = [path for path in files if _is_own(path, facts.interpreter)]
    others = [path for path in files if not _is_own(path, facts.interpreter)]
    packages = owning_distributions(files, facts.interpreter.paths)
    names = tuple(sorted({module.partition(".")[0] for module in facts.modules}))
    entries = counted_entries(_places(facts.entry, facts.interpreter.paths), set(names))
    return Key(
        entry=facts.entry,
        version=facts.interpreter.version,
        paths=facts.interpreter.paths,
        interpreter=stamps(_interpreter_files(facts.entry.interpreter)),
        startup=stamps(path for path in entries if path.endswith(".pth")),
        names=names,
        entries=entries,
        packages=packages,
        records=stamps(package.record for package in packages),
        lockfiles=stamps(_lockfiles(facts), with_content=True),
        sources=stamps(others) + stamps(own, with_content=True),
        variables=_variables(facts.env, facts.credentials, digest_key),
        reads={
            name: digest_value(digest_key, name, facts.env.get(name))
            for name in counted_reads(facts.reads, facts.credentials)
        },
        exclude=facts.exclude,
        allowed=facts.allowed,
        copied_by=facts.copied_by,
        whole=whole_environment(facts.env, facts.credentials, digest_key)
        if facts.copied_by
        else {},
    )


def key_change(
    key: Key,
    entry: Entry,
    env: Mapping[str, str],
    credentials: frozenset[str],
    digest_key: bytes,
    allowed: tuple[str, ...] = (),
    looks: Looks | None = None,
) -> Reason | None:
    """Return what is not as it was, cheapest first; blocks for the look at every file.

    Args:
        key: of the snapshot.
        entry: of the start in question.
        env: its whole environment.
        credentials: names in it that hold one.
        digest_key: of the data directory.
        allowed: modules that may copy the whole environment, sorted.
        looks: what other starts look with, to share what each of them finds.
    """
    if key.entry != entry:
        return _entry_change(key.entry, entry)
    if key.allowed != allowed:
        was, now = (", ".join(names) or "none" for names in (key.allowed, allowed))
        told = f"allowed: modules that may copy the environment were {was}, and are {now}"
        return Reason("allowed", told)
    variable = _other_variable(key, env, credentials, digest_key)
    if variable is not None:
        return Reason("environment", f"environment: {variable}")
    with (looks or Looks()).look() as look:
        return _file_change(key, look)


def _file_change(key: Key, look: Look) -> Reason | None:
    for part, before in _stamped(key):
        if (change := first_change(before, look.stat)) is not None:
            return Reason(part, f"{part}: {change}")
    entries = counted_entries(_places(key.entry, key.paths), set(key.names), look.names)
    if new := sorted(set(entries) - set(key.entries)):
        return Reason("paths", f"paths: {new[0]} is new, and decides what is loaded")
    return None


def content_change(key: Key) -> Reason | None:
    """Return which of the bundle's own files holds something else; reads all of them."""
    change = first_other_content(key.lockfiles + key.sources)
    return None if change is None else Reason("sources", f"sources: {change}")


def key_parts(key: Key) -> tuple[SnapshotPart, ...]:
    """Return the parts of a key as people are shown them."""
    own = sum(each.content is not None for each in key.sources)
    if key.entry.kind is EntryKind.NODE:
        return tuple(part for part in _parts(key, len(key.records), own) if part.what != "paths")
    return _parts(key, len(key.packages), own)


def _parts(key: Key, packages: int, own: int) -> tuple[SnapshotPart, ...]:
    told = ", ".join(key.variables) or "none is set"
    read = ", ".join(key.reads) or "none"
    if key.copied_by:
        read += f", and no other is set, because {', '.join(key.copied_by)} copied all of them"
    locked = ", ".join(each.path for each in key.lockfiles) or "there is none"
    return (
        SnapshotPart("entry", str(key.entry)),
        SnapshotPart("interpreter", f"{key.entry.interpreter}, {key.version.split()[0]}"),
        SnapshotPart("sources", f"{_counted(key.sources, 'file')}, {own} of them the bundle's own"),
        SnapshotPart("packages", _counted(range(packages), "package")),
        SnapshotPart("lockfile", locked),
        SnapshotPart("paths", f"{':'.join(key.paths)}, with {_counted(key.startup, '.pth file')}"),
        SnapshotPart("environment", f"set before the start: {told}; read while loading: {read}"),
    )


def _counted(things: Sized, noun: str) -> str:
    return f"{len(things)} {noun}" if len(things) == 1 else f"{len(things)} {noun}s"


def _stamped(key: Key) -> tuple[tuple[str, tuple[FileStamp, ...]], ...]:
    return (
        ("interpreter", key.interpreter),
        ("sources", key.sources),
        ("packages", key.records),
        ("lockfile", key.lockfiles),
        ("paths", key.startup),
    )


def _entry_change(before: Entry, now: Entry) -> Reason:
    if before.interpreter != now.interpreter or before.flags != now.flags:
        was, is_now = (" ".join((e.interpreter, *e.flags)) for e in (before, now))
        return Reason("interpreter", f"interpreter: it was {was}, and is {is_now}")
    if before.path0 != now.path0:
        return Reason("entry", f"entry: it ran in {before.path0}, and runs in {now.path0}")
    return Reason("entry", f"entry: it was the {before}, and is the {now}")


def _other_variable(
    key: Key, env: Mapping[str, str], credentials: frozenset[str], digest_key: bytes
) -> str | None:
    now = _variables(env, credentials, digest_key)
    for name in sorted({*key.variables, *now}):
        if key.variables.get(name) != now.get(name):
            return f"{name} has another value"
    if key.copied_by and (change := _whole_change(key, env, credentials, digest_key)):
        return f"{change}, and {', '.join(key.copied_by)} copied all of it while it was loaded"
    for name, digest in key.reads.items():
        if name not in credentials and digest_value(digest_key, name, env.get(name)) == digest:
            continue
        return f"{name}, which is read while it is loaded, has another value"
    return None


def _whole_change(
    key: Key, env: Mapping[str, str], credentials: frozenset[str], digest_key: bytes
) -> str | None:
    """Return the first variable that is more, less or another than in the whole environment."""
    now = whole_environment(env, credentials, digest_key)
    for name in sorted({*key.whole, *now}):
        if name not in now:
            return f"{name} is not set any more"
        if name not in key.whole:
            return f"{name} is set now"
        if now[name] != key.whole[name]:
            return f"{name} has another value"
    return None


def _variables(
    env: Mapping[str, str], credentials: frozenset[str], digest_key: bytes
) -> dict[str, str]:
    counted = sorted(name for name in env if is_startup_name(name) and name not in credentials)
    return {name: digest_value(digest_key, name, env[name]) for name in counted}


def _places(entry: Entry, paths: tuple[str, ...]) -> tuple[str, ...]:
    return paths if entry.path0 is None else (entry.path0, *paths)


def _interpreter_files(path: str) -> Iterable[str]:
    home = os.path.dirname(os.path.dirname(path))
    return (path, os.path.join(home, "pyvenv.cfg"))


def _lockfiles(facts: KeyFacts) -> Iterable[str]:
    places = {facts.cwd, facts.entry.path0 or facts.cwd}
    return (os.path.join(place, name) for place in places for name in _LOCKFILES)


def _is_own(path: str, interpreter: Interpreter) -> bool:
    if any(part in path for part in _INSTALLED):
        return False
    return not path.startswith(f"{interpreter.library}/")


def _on_disk(path: str) -> str:
    """Return the file that holds a module: for one in an archive, the archive."""
    while not os.path.exists(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    return path
