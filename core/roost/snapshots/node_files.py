"""`NodeFiles`: the files on disk that starts of Node programs are made from.

They lie beside the record of their bundle, in one directory for each snapshot, which is written
before the record names it and removed when nothing does any more.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from roost.snapshots.stamps import FileStamp, first_change, first_other_content, stamps

_SHORTEST_SECRET = 4
"""Characters: a shorter one stands in any file by chance."""


@dataclass(slots=True)
class NodeFiles:
    """The files of a data directory. Its methods block."""

    root: str
    """``snapshots`` in the data directory."""
    _drafts: set[str] = field(default_factory=set)

    def begin(self, workspace: str, bundle: str, kind: str) -> str:
        """Make an empty directory of this user alone for a snapshot that is built."""
        place = os.path.join(self.root, workspace, bundle)
        os.makedirs(place, mode=0o700, exist_ok=True)
        directory = os.path.join(place, f"{kind}-{secrets.token_hex(6)}")
        os.mkdir(directory, 0o700)
        self._drafts.add(directory)
        return directory

    def finish(self, directory: str, *, is_kept: bool) -> None:
        """Say how a build ended; what is not kept is removed."""
        self._drafts.discard(directory)
        if not is_kept:
            shutil.rmtree(directory, ignore_errors=True)

    def sweep(self, workspace: str, bundle: str, kept: Iterable[FileStamp]) -> None:
        """Remove what earlier snapshots of a bundle and builds that broke off have left.

        Args:
            workspace: of the bundle.
            bundle: whose files.
            kept: those of the snapshot that is in use.
        """
        used = {os.path.dirname(each.path) for each in kept} | self._drafts
        for directory in _directories(os.path.join(self.root, workspace, bundle)):
            if directory not in used:
                shutil.rmtree(directory, ignore_errors=True)


def stamp_files(directory: str) -> tuple[FileStamp, ...]:
    """Return the files of a snapshot, with their content."""
    names = sorted(os.listdir(directory))
    return stamps((os.path.join(directory, name) for name in names), with_content=True)


def files_change(files: tuple[FileStamp, ...], *, contents: bool) -> str | None:
    """Return in words which file of a snapshot is not as it was made."""
    if not files:
        return "there are none"
    change = first_change(files)
    return first_other_content(files) if change is None and contents else change


def file_with_secret(directory: str, secrets_: Iterable[str]) -> str | None:
    """Return the name of a file that holds one of these values, in any encoding that V8 uses."""
    wanted = [value for value in secrets_ if len(value) >= _SHORTEST_SECRET]
    needles = {value.encode(coding) for value in wanted for coding in ("utf-8", "utf-16-le")}
    for name in sorted(os.listdir(directory)):
        with open(os.path.join(directory, name), "rb") as file:
            content = file.read()
        if any(needle in content for needle in needles):
            return name
    return None


def _directories(place: str) -> Iterator[str]:
    try:
        with os.scandir(place) as entries:
            yield from [e.path for e in entries if e.is_dir(follow_symlinks=False)]
    except OSError:
        return
