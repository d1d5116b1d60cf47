"""What is kept of a bundle's snapshot on disk, so that it outlives the daemon.

A record is one file below ``snapshots/WORKSPACE/BUNDLE``, replaced as a whole. It holds names,
paths and digests, and no value of a variable; a file that is damaged, of another format or not
this user's own is no record, and nothing is started because of it.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from roost.models import Reason, is_valid_name
from roost.models.codec import WireError, from_json, to_json
from roost.models.snapshot import GuardFinding, SnapshotBackend, SnapshotPhase, SnapshotState
from roost.snapshots.backend import FORMAT
from roost.snapshots.key import Key
from roost.snapshots.stamps import FileStamp

LARGEST_BYTES = 16 << 20
"""Ten thousand modules with long paths take a quarter of this."""

_FILE = "record.json"
_DIGEST_KEY = "digest-key"
_DIGEST_KEY_BYTES = 32

_ONLY_MINE = 0o600
_ONLY_MY_DIRECTORY = 0o700


@dataclass(frozen=True, slots=True)
class Made:
    """A snapshot that passed its verification: all that is needed to make its template again."""

    backend: SnapshotBackend
    version: str
    """Of the bundle."""
    key: Key
    modules: tuple[str, ...]
    """To load, in this order."""
    loaded: int
    """How many modules the template had in the end."""
    built_at: int
    build_ms: int
    phases_ms: tuple[tuple[SnapshotPhase, int], ...] = ()
    findings: tuple[GuardFinding, ...] = ()
    template_bytes: int | None = None
    """Memory of the template when it was built."""
    problems: tuple[tuple[str, str | None], ...] = ()
    """Guard and module of what the checks found in the template and did not refuse."""
    answers: tuple[tuple[str, str], ...] = ()
    """Digests of what a cold start answered, by question."""
    files: tuple[FileStamp, ...] = ()
    """What lies on disk beside the record and starts are made from."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The newest build that made nothing, or the end of a snapshot that did not work."""

    state: SnapshotState
    """``refused`` or ``failed``."""
    reason: Reason
    at: int
    phase: SnapshotPhase | None = None
    findings: tuple[GuardFinding, ...] = ()
    phases_ms: tuple[tuple[SnapshotPhase, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """The content of a record."""

    workspace: str
    name: str
    made: Made | None = None
    attempt: Attempt | None = None
    digest: str = ""
    """Of the key of `made`."""
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class _Header:
    """What is read first: the rest of another format cannot be."""

    format: int = field(default=-1)


class RecordStore:
    """The records of a data directory. Its methods block.

    Args:
        directory: ``snapshots`` in the data directory; made on the first write.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def digest_key(self) -> bytes:
        """Return the key of the digests of variables, made on first use."""
        path = os.path.join(self._directory, _DIGEST_KEY)
        with suppress(OSError):
            kept = _read_own(path)
            if len(kept) == _DIGEST_KEY_BYTES:
                return kept
        key = secrets.token_bytes(_DIGEST_KEY_BYTES)
        _replace(path, key)
        return key

    def load(self, workspace: str, name: str) -> Kept | Reason | None:
        """Return a bundle's record, why its file is none, or None where there is no file."""
        path = self._path(workspace, name)
        try:
            data = _read_own(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            return _no_record(path, error.strerror or str(error))
        return _decode(path, data, workspace, name)

    def save(self, kept: Kept) -> None:
        """Replace a bundle's record as a whole.

        Raises:
            OSError: it cannot be written; the earlier record is as it was.
        """
        _replace(self._path(kept.workspace, kept.name), to_json(kept))

    def remove(self, workspace: str, name: str) -> None:
        """Forget a bundle's record; there need be none."""
        shutil.rmtree(os.path.dirname(self._path(workspace, name)), ignore_errors=True)

    def tidy(self) -> None:
        """Remove what writes that were cut off have left; call it before anything is written."""
        here = Path(self._directory)
        for draft in (*here.glob(f"{_DIGEST_KEY}.*"), *here.glob(f"*/*/{_FILE}.*")):
            with suppress(OSError):
                draft.unlink()

    def all(self) -> tuple[tuple[str, str], ...]:
        """Return workspace and name of every bundle that has a record."""
        return tuple(sorted(self._found()))

    def prune(self, versions: Mapping[tuple[str, str], frozenset[str]]) -> int:
        """Remove the records of bundles and versions that are gone, and return how many.

        Args:
            versions: every bundle there is, with the versions of it that are kept.
        """
        gone = [key for key in self._found() if not self._is_wanted(key, versions.get(key))]
        for workspace, name in gone:
            self.remove(workspace, name)
        for workspace in _directories(self._directory):
            with suppress(OSError):  # it holds records of others
                os.rmdir(os.path.join(self._directory, workspace))
        return len(gone)

    def _is_wanted(self, key: tuple[str, str], versions: frozenset[str] | None) -> bool:
        if versions is None:
            return False
        kept = self.load(*key)
        return not isinstance(kept, Kept) or kept.made is None or kept.made.version in versions

    def _found(self) -> Iterator[tuple[str, str]]:
        for workspace in _directories(self._directory):
            for name in _directories(os.path.join(self._directory, workspace)):
                yield workspace, name

    def _path(self, workspace: str, name: str) -> str:
        if not (is_valid_name(workspace) and is_valid_name(name)):
            raise ValueError(f"{workspace!r} and {name!r} are no names of a bundle")
        return os.path.join(self._directory, workspace, name, _FILE)


def _decode(path: str, data: bytes, workspace: str, name: str) -> Kept | Reason:
    try:
        if from_json(data, _Header).format != FORMAT:
            return _no_record(path, "it was written by another version of Roost")
        kept = from_json(data, Kept)
    except (WireError, RecursionError):
        return _no_record(path, "it is damaged")
    if (kept.workspace, kept.name) != (workspace, name):
        return _no_record(path, "it is of another bundle")
    if kept.made is not None and kept.made.key.digest != kept.digest:
        return _no_record(path, "it is damaged")
    return kept


def _no_record(path: str, why: str) -> Reason:
    return Reason("no_record", f"the record {path} is not used: {why}; build the snapshot again")


def _read_own(path: str) -> bytes:
    """Read a file that nobody else can have put there.

    Raises:
        OSError: there is none, or it is not this user's own.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, "it is no file of this user")
        if found.st_mode & 0o022:
            raise PermissionError(errno.EPERM, "others may write it")
        if found.st_size > LARGEST_BYTES:
            raise OSError(errno.EFBIG, "it is too large")
        return file.read(LARGEST_BYTES)


def _replace(path: str, data: bytes) -> None:
    _make_private(os.path.dirname(path))
    draft = f"{path}.{secrets.token_hex(4)}"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with open(os.open(draft, flags, _ONLY_MINE), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft)
        raise


def _make_private(directory: str) -> None:
    """Make a directory, and those above it that are missing, for this user alone."""
    if not os.path.isdir(directory):
        _make_private(os.path.dirname(directory))
        with suppress(FileExistsError):
            os.mkdir(directory, _ONLY_MY_DIRECTORY)


def _directories(path: str) -> list[str]:
    """Return the names below a directory that can be a workspace's or a bundle's."""
    try:
        with os.scandir(path) as entries:
            return [
                e.name for e in entries if e.is_dir(follow_symlinks=False) and is_valid_name(e.name)
            ]
    except OSError:
        return []
