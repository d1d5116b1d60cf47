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
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO, BinaryIO

from roost.bundles.names_on_disk import NameCollisions
from roost.bundles.signature import cut_off, find_signature, signer_of
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


@dataclass(frozen=True, slots=True)
class ReadArchive:
    """What an archive was when it was unpacked."""

    sha256: str
    """Of the file, as hex."""
    content_sha256: str | None = None
    """Of a signed file without its signature block, as hex."""
    signed_by: str | None = None
    """Who its signature block names, unchecked; empty when nobody can be made out."""


_CHUNK = 64 * 1024
_COPY_CHUNK = 1024 * 1024
_LONGEST_NAME_BYTES = 255
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


def unpack(archive: Path, destination: Path, limits: Limits = LIMITS) -> ReadArchive:
    """Unpack an archive into a new directory; nothing is left of it when that fails.

    It is copied first, so that what is hashed and what is unpacked are the same bytes whoever
    writes to the file meanwhile.

    Args:
        archive: MCPB, DXT or zip file, with or without a signature block behind it.
        destination: directory to make; it must not exist.

    Raises:
        BadArchive: the archive is broken, unsafe or too large, or cannot be read or written.
    """
    try:
        with (
            _new_directory(destination),
            _opened(archive, limits) as source,
            tempfile.TemporaryFile(dir=destination) as file,
        ):
            found = _copied(source, file, archive, limits)
            _check_ending(file, archive, limits)
            with zipfile.ZipFile(file) as opened:
                _Unpacker(archive, destination, limits, file.seek(0, os.SEEK_END)).run(opened)
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
    return found


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
            raise _too_long(archive, found.st_size, limits)
        yield file


def _too_long(archive: Path, size: int, limits: Limits) -> BadArchive:
    return BadArchive(
        f"{archive} has {size} bytes, more than the {limits.archive_bytes} an archive may have; "
        "leave out what the server does not need and pack it again"
    )


def _copied(source: BinaryIO, copy: IO[bytes], archive: Path, limits: Limits) -> ReadArchive:
    """Copy the archive without its signature block, and tell what the file was."""
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(_COPY_CHUNK):
        digest.update(chunk)
        size += len(chunk)
        if size > limits.archive_bytes:  # it has grown
            raise _too_long(archive, size, limits)
        copy.write(chunk)
    block = find_signature(copy)
    if block is None:
        return ReadArchive(digest.hexdigest())
    cut_off(copy, block)
    copy.seek(0)
    content = hashlib.file_digest(copy, "sha256").hexdigest()  # type: ignore[arg-type]
    return ReadArchive(digest.hexdigest(), content, signer_of(block) or "")


def _check_ending(file: IO[bytes], archive: Path, limits: Limits) -> None:
    """Look at the end record before `zipfile` reads the whole table of contents into memory."""
    end = file.seek(0, os.SEEK_END)
    tail_start = max(0, end - (22 + 65535 + 76))  # end record, longest comment, ZIP64 records
    file.seek(tail_start)
    tail = file.read()
    file.seek(0)
    at = tail.rfind(b"PK\5\6")
    if at < 0 or at + 22 > len(tail):
        return  # `zipfile` says what is wrong
    if _endings(tail) > 1:
        raise BadArchive(
            f"{archive} is refused: it has two tables of contents, and programs disagree which "
            "counts; download it again, or pack it again with `mcpb pack`"
        )
    (size,) = struct.unpack_from("<L", tail, at + 12)
    if at >= 76 and tail[at - 20 : at - 16] == b"PK\6\7":
        (size,) = struct.unpack_from("<Q", tail, at - 36)
    if size > limits.directory_bytes:
        raise BadArchive(
            f"the table of contents of {archive} has {size} bytes, which no bundle needs; "
            "download it again, or pack it again with `mcpb pack`"
        )


def _endings(tail: bytes) -> int:
    """Count the end records that lead exactly to the end of the file."""
    count, at = 0, tail.find(b"PK\5\6")
    while 0 <= at <= len(tail) - 22:
        (comment,) = struct.unpack_from("<H", tail, at + 20)
        count += at + 22 + comment == len(tail)
        at = tail.find(b"PK\5\6", at + 1)
    return count


class _Unpacker:
    """Checks all entries of one archive, then writes them."""

    def __init__(self, archive: Path, destination: Path, limits: Limits, size: int) -> None:
        self._archive = archive
        self._destination = destination
        self._limits = limits
        by_ratio = max(limits.ratio_from_bytes, limits.ratio * size)
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
        if entries and min(entry.header_offset for entry in entries) > 0:
            raise BadArchive(
                f"{self._archive} is refused: other data stands before its first entry; download "
                "it again, or pack it again with `mcpb pack`"
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
        # An extra field may give an entry another name than its header; newer Pythons take it.
        names = (entry.orig_filename, entry.filename)
        problem = next(filter(None, map(_name_problem, names)), None) or _kind_problem(entry)
        if problem:
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
            f"{self._archive} is refused: its entry {_shown(entry.orig_filename)!r} {problem}; get "
            "the archive from its author again, or pack it again with `mcpb pack`",
            entry=_shown(entry.orig_filename),
        )

    def _too_large(self) -> BadArchive:
        return BadArchive(
            f"{self._archive} is refused: it unpacks to more than {self._limits.unpacked_bytes} "
            f"bytes or to more than {self._limits.ratio} times its size; leave out what the server "
            "does not need and pack it again"
        )


def _shown(name: str) -> str:
    return name if len(name) <= 120 else name[:119] + "…"


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
    parts = name.split("/")
    if ".." in parts:
        return "leads out of the archive"
    return next(filter(None, map(_part_problem, parts)), None)


def _part_problem(part: str) -> str | None:
    if len(part.encode("utf-8", "surrogatepass")) > _LONGEST_NAME_BYTES:
        return f"has a name of more than {_LONGEST_NAME_BYTES} bytes"
    if part.endswith((" ", ".")) and part != ".":
        return "has a name that ends in a space or dot, which some systems drop"
    return None
