"""Unpacking of MCPB archives, which come from anywhere and are trusted in nothing.

Only plain files and directories are created, each of them new, below one directory of ours. Sizes
are counted as the bytes come out, never believed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from roost.bundles.names_on_disk import NameCollisions
from roost.errors import BadArchive


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive or folder may cost. The defaults are far above real bundles (40 MB)."""

    archive_bytes: int = 512 * 2**20
    unpacked_bytes: int = 2 * 2**30
    entries: int = 60_000
    ratio: int = 200
    """Unpacked bytes per archive byte; text packs about 10 to 1, bombs 1000 to 1."""
    ratio_from_bytes: int = 16 * 2**20
    """Less than this is never judged by its ratio."""
    depth: int = 40
    directory_bytes: int = 16 * 2**20
    """Size of the table of contents, which is read into memory as a whole."""


LIMITS = Limits()

_CHUNK = 64 * 1024
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
"""Others need unbounded memory to read, and no packer of bundles uses them."""
_ENCRYPTED = 0x1 | 0x40
_DRIVE = re.compile(r"[A-Za-z]:")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OverflowError,
    ValueError,
)
"""What `zipfile` and `zlib` raise for damaged archives, as the fuzz test of this module checks."""


def unpack(archive: Path, destination: Path, limits: Limits = LIMITS) -> str:
    """Unpack an archive into a new directory; nothing is left of it when that fails.

    Args:
        archive: MCPB, DXT or zip file; a signature block behind the zip is accepted and ignored.
        destination: directory to make; it must not exist.

    Returns:
        SHA-256 of the archive, as hex.

    Raises:
        BadArchive: the archive is broken, unsafe or too large, or cannot be read or written.
    """
    try:
        with _opened(archive, limits) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            _check_table_size(file, archive, limits)
            with zipfile.ZipFile(file) as opened, _new_directory(destination):
                _Unpacker(archive, destination, limits).run(opened)
    except OSError as error:
        raise BadArchive(
            f"{archive} cannot be unpacked: {error.strerror or error}; check the file, the free "
            "space and the permissions"
        ) from error
    except _ZIP_ERRORS as error:
        raise BadArchive(
            f"{archive} is not a readable MCPB archive ({error}); download it again, or pack it "
            "again with `mcpb pack`"
        ) from error
    return digest


@contextmanager
def _new_directory(path: Path) -> Iterator[None]:
    """Make a directory and remove it again when the body fails."""
    path.mkdir()
    try:
        path.chmod(0o755)
        yield
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise


@contextmanager
def _opened(archive: Path, limits: Limits) -> Iterator[BufferedReader]:
    descriptor = os.open(archive, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise BadArchive(f"{archive} is not a file; give the path of an MCPB archive")
        if found.st_size > limits.archive_bytes:
            raise BadArchive(
                f"{archive} has {found.st_size} bytes, more than the {limits.archive_bytes} an "
                "archive may have; leave out what the server does not need and pack it again"
            )
        yield file


def _check_table_size(file: BinaryIO, archive: Path, limits: Limits) -> None:
    """Look at the end record before `zipfile` reads the whole table of contents into memory."""
    end = file.seek(0, os.SEEK_END)
    tail_start = max(0, end - (22 + 65535 + 76))  # end record, longest comment, ZIP64 records
    file.seek(tail_start)
    tail = file.read()
    file.seek(0)
    at = tail.rfind(b"PK\5\6")
    if at < 0 or at + 22 > len(tail):
        return  # `zipfile` says what is wrong
    (size,) = struct.unpack_from("<L", tail, at + 12)
    if at >= 76 and tail[at - 20 : at - 16] == b"PK\6\7":
        (size,) = struct.unpack_from("<Q", tail, at - 36)
    if size > limits.directory_bytes:
        raise BadArchive(
            f"the table of contents of {archive} has {size} bytes, which no bundle needs; "
            "download it again, or pack it again with `mcpb pack`"
        )


class _Unpacker:
    """Checks all entries of one archive, then writes them."""

    def __init__(self, archive: Path, destination: Path, limits: Limits) -> None:
        self._archive = archive
        self._destination = destination
        self._limits = limits
        by_ratio = max(limits.ratio_from_bytes, limits.ratio * archive.stat().st_size)
        self._budget = min(limits.unpacked_bytes, by_ratio)

    def run(self, opened: zipfile.ZipFile) -> None:
        """Check, then write.

        Raises:
            BadArchive: an entry is refused; what was written so far is the caller's to remove.
        """
        entries = opened.infolist()
        if len(entries) > self._limits.entries:
            raise BadArchive(
                f"{self._archive} has {len(entries)} entries, more than the "
                f"{self._limits.entries} a bundle may have; leave out what the server does not need"
            )
        paths = NameCollisions()
        checked = [(entry, self._path_of(entry)) for entry in entries]
        for entry, parts in checked:
            if problem := paths.add(parts, is_directory=entry.is_dir()):
                raise self._refusal(entry, problem)
        for entry, parts in checked:
            self._write(opened, entry, self._destination.joinpath(*parts))

    def _path_of(self, entry: zipfile.ZipInfo) -> tuple[str, ...]:
        """Return the parts of an entry's path once everything about it is acceptable."""
        if problem := _name_problem(entry.orig_filename) or _kind_problem(entry):
            raise self._refusal(entry, problem)
        parts = tuple(part for part in entry.filename.split("/") if part not in ("", "."))
        if len(parts) > self._limits.depth:
            raise self._refusal(entry, f"lies more than {self._limits.depth} directories deep")
        if not parts and not entry.is_dir():
            raise self._refusal(entry, "has no name")
        return parts

    def _write(self, opened: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> None:
        if entry.is_dir():
            make_directories(path, self._destination)
            return
        make_directories(path.parent, self._destination)
        mode = 0o755 if (entry.external_attr >> 16) & 0o111 else 0o644
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as target:
            self._copy(opened, entry, target)
            os.fchmod(descriptor, mode)

    def _copy(self, opened: zipfile.ZipFile, entry: zipfile.ZipInfo, target: BinaryIO) -> None:
        written = 0
        with opened.open(entry) as source:
            while chunk := source.read(_CHUNK):
                written += len(chunk)
                self._budget -= len(chunk)
                if self._budget < 0:
                    raise self._too_large()
                target.write(chunk)
        if written != entry.file_size:
            raise self._refusal(
                entry, f"holds {written} bytes and claims to hold {entry.file_size}"
            )

    def _refusal(self, entry: zipfile.ZipInfo, problem: str) -> BadArchive:
        return BadArchive(
            f"{self._archive} is refused: its entry {entry.orig_filename!r} {problem}; get the "
            "archive from its author again, or pack it again with `mcpb pack`",
            entry=entry.orig_filename,
        )

    def _too_large(self) -> BadArchive:
        return BadArchive(
            f"{self._archive} is refused: it unpacks to more than {self._limits.unpacked_bytes} "
            f"bytes or to more than {self._limits.ratio} times its size; leave out what the server "
            "does not need and pack it again"
        )


def make_directories(path: Path, root: Path) -> None:
    """Make `path` and what is missing between it and `root`, with mode 0755 whatever the umask."""
    if path == root or path.is_dir():
        return
    make_directories(path.parent, root)
    path.mkdir()
    path.chmod(0o755)


def _kind_problem(entry: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if entry.compress_type not in _METHODS:
        return "is packed by a method other than store and deflate"
    if kind == stat.S_IFLNK:
        return "is a link"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a device, pipe or socket"
    if kind == stat.S_IFDIR and not entry.is_dir():
        return "is marked as a directory and named like a file"
    if entry.is_dir() and entry.file_size:
        return "is a directory that holds data"
    return None


def _name_problem(name: str) -> str | None:
    if not name:
        return "has no name"  # and `zipfile` cannot say whether it is a directory
    if _UNPRINTABLE.search(name):
        return "has a control character in its name"
    if "\\" in name:
        return "has a backslash in its name"
    if name.startswith("/") or _DRIVE.match(name):
        return "has an absolute path"
    if ".." in name.split("/"):
        return "leads out of the archive"
    return None
