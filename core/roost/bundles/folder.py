"""Copying of an unpacked bundle that lies in a folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from roost.bundles.archive import LIMITS, Limits
from roost.errors import BadArchive

_SKIPPED = frozenset({".git"})
_CHUNK = 1024 * 1024


def copy_folder(folder: Path, destination: Path, limits: Limits = LIMITS) -> str:
    """Copy a folder into a new directory; nothing is left of it when that fails.

    Relative links that stay inside the folder are kept, because package managers build on them.

    Args:
        folder: directory to copy; `.git` is left out.
        destination: directory to make; it must not exist.

    Returns:
        SHA-256 over the names, modes and contents, as hex.

    Raises:
        BadArchive: the folder is too large, or holds something that is no file, directory or
            inner link, or cannot be read.
    """
    if Path(os.path.realpath(destination)).is_relative_to(os.path.realpath(folder)):
        raise BadArchive(f"{folder} holds the data directory; give the folder of one bundle")
    try:
        destination.mkdir()
        try:
            destination.chmod(0o755)
            return _FolderCopy(folder, destination, limits).run()
        except BaseException:
            shutil.rmtree(destination, ignore_errors=True)
            raise
    except OSError as error:
        raise BadArchive(
            f"{error.filename or folder} cannot be copied: {error.strerror or error}; check the "
            "folder, the free space and the permissions"
        ) from error


class _FolderCopy:
    def __init__(self, folder: Path, destination: Path, limits: Limits) -> None:
        self._folder = folder
        self._destination = destination
        self._limits = limits
        self._bytes_left = limits.unpacked_bytes
        self._digest = hashlib.sha256()

    def run(self) -> str:
        for count, (path, found) in enumerate(self._walk(self._folder, 0), start=1):
            if count > self._limits.entries:
                raise self._too_large()
            self._copy(path, found, path.relative_to(self._folder))
        return self._digest.hexdigest()

    def _walk(self, folder: Path, depth: int) -> Iterator[tuple[Path, os.stat_result]]:
        if depth > self._limits.depth:
            raise BadArchive(
                f"{folder} lies more than {self._limits.depth} directories deep; flatten the folder"
            )
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
        for entry in entries:
            if entry.name in _SKIPPED:
                continue
            path, found = Path(entry.path), entry.stat(follow_symlinks=False)
            yield path, found
            if stat.S_ISDIR(found.st_mode):
                yield from self._walk(path, depth + 1)

    def _copy(self, path: Path, found: os.stat_result, inside: Path) -> None:
        target = self._destination / inside
        if stat.S_ISDIR(found.st_mode):
            self._note(b"d", inside)
            target.mkdir()
            target.chmod(0o755)
        elif stat.S_ISLNK(found.st_mode):
            link = self._inner_link(path, inside)
            self._note(b"l", inside, os.fsencode(link))
            os.symlink(link, target)
        elif stat.S_ISREG(found.st_mode):
            self._copy_file(path, target, inside, bool(found.st_mode & 0o111))
        else:
            raise BadArchive(
                f"{path} is a device, pipe or socket; a bundle holds files and directories only"
            )

    def _copy_file(self, path: Path, target: Path, inside: Path, is_program: bool) -> None:
        mode = 0o755 if is_program else 0o644
        content = hashlib.sha256()
        source_fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(source_fd, "rb") as source, target.open("xb") as copy:
            while chunk := source.read(_CHUNK):
                self._bytes_left -= len(chunk)
                if self._bytes_left < 0:
                    raise self._too_large()
                content.update(chunk)
                copy.write(chunk)
        target.chmod(mode)
        self._note(b"f%o" % mode, inside, content.digest())

    def _inner_link(self, path: Path, inside: Path) -> str:
        """Return where a link points to, which must be below the folder wherever that lies."""
        link = os.readlink(path)
        parts = [part for part in link.split("/") if part not in ("", ".")]
        climbs = next((at for at, part in enumerate(parts) if part != ".."), len(parts))
        # A climb behind a name could start from wherever another link leads.
        is_inner = climbs <= len(inside.parent.parts) and ".." not in parts[climbs:]
        if os.path.isabs(link) or not is_inner:
            raise BadArchive(
                f"{path} is a link that leads out of the folder; replace it by what it points to"
            )
        return link

    def _note(self, kind: bytes, inside: Path, content: bytes = b"") -> None:
        for part in (kind, os.fsencode(inside), content):
            self._digest.update(len(part).to_bytes(8, "big") + part)

    def _too_large(self) -> BadArchive:
        return BadArchive(
            f"{self._folder} has more than {self._limits.entries} files or "
            f"{self._limits.unpacked_bytes} bytes; leave out what the server does not need"
        )
