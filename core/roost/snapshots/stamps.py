"""`FileStamp`: what tells cheaply that a file is still the one a snapshot was made from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class FileStamp:
    """A file as it was."""

    path: str
    mtime_ns: int
    size: int
    inode: int
    content: str | None = None
    """SHA-256 of its content, for the few files whose content counts by itself."""


def stamp(path: str, *, with_content: bool = False) -> FileStamp | None:
    """Return a file as it is; None when nothing is there."""
    try:
        found = os.stat(path)
        content = _content(path) if with_content else None
    except OSError:
        return None
    return FileStamp(path, found.st_mtime_ns, found.st_size, found.st_ino, content)


def stamps(paths: Iterable[str], *, with_content: bool = False) -> tuple[FileStamp, ...]:
    """Return those of the files that are there, sorted by path and each once."""
    found = (stamp(path, with_content=with_content) for path in sorted(set(paths)))
    return tuple(each for each in found if each is not None)


def first_change(
    before: Sequence[FileStamp], stat: Callable[[str], os.stat_result] = os.stat
) -> str | None:
    """Return what happened to the first file that is not as it was, in words.

    Args:
        before: the files as they were.
        stat: looks at one.
    """
    for each in before:
        try:
            now = stat(each.path)
        except OSError:
            return f"{each.path} is gone"
        if now.st_mtime_ns != each.mtime_ns or now.st_size != each.size:
            return f"{each.path} was changed at {_told(now.st_mtime_ns)}"
        if now.st_ino != each.inode:
            return f"{each.path} was replaced at {_told(now.st_ctime_ns)}"
    return None


def first_other_content(before: Sequence[FileStamp]) -> str | None:
    """Return the first file whose content is another, in words; reads every file that has one."""
    for each in before:
        if each.content is None:
            continue
        try:
            content = _content(each.path)
        except OSError:
            return f"{each.path} cannot be read"
        if content != each.content:
            return f"{each.path} holds something else, though its times are the same"
    return None


def _content(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _told(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns / 1e9, UTC):%Y-%m-%d %H:%M:%S} UTC"
