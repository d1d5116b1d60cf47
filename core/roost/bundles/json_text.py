"""JSON as people and programs write it into files, with errors that give the place."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import Any, NoReturn

from roost.errors import BadInput

FILE_LIMIT_BYTES = 8 * 2**20
"""Manifests and client configurations have some kilobytes."""

# An unfinished string or comment matches up to its end too: giving up and trying again at every
# character behind it would take quadratic time.
_STRING = r'"(?:\\.|[^"\\\n])*+"?'
_STRING_OR_COMMENT = re.compile(_STRING + r"|//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_STRING_OR_COMMA = re.compile(_STRING + r"|,(?=\s*[}\]])")


def read_json(
    path: Path, error: type[BadInput], *, with_comments: bool = False, called: str | None = None
) -> Any:
    """Read a JSON file.

    Args:
        path: file to read, as UTF-8 with or without a byte order mark.
        error: class of the error raised.
        with_comments: also accept comments and trailing commas, as editors do.
        called: what messages call the file; None takes its path.

    Raises:
        BadInput: of the class `error`; the file cannot be read or is not JSON. Neither the message
            nor the chain of errors holds any of its text, which may be secret.
    """
    called = called or str(path)
    data = read_file(path, error, called=called)
    return parse_json(data, error, with_comments=with_comments, called=called)


def read_file(
    path: Path, error: type[BadInput], *, called: str, limit_bytes: int = FILE_LIMIT_BYTES
) -> bytes:
    """Read a regular file whole; a pipe or a device is refused and never waited for.

    Args:
        path: file to read.
        error: class of the error raised.
        called: what messages call the file.
        limit_bytes: most that is read.

    Raises:
        BadInput: of the class `error`; the file cannot be read or is too large.
    """
    try:
        # Opening a pipe that nobody writes to would block, and so hold up everything behind it.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY), "rb") as file:
            is_file = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            data = file.read(limit_bytes + 1) if is_file else b""
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or "its path holds a NUL"
        raise error(f"{called} cannot be read: {reason}; check the path") from problem
    if not is_file:
        raise error(f"{called} cannot be read: it is not a file; check the path")
    if len(data) > limit_bytes:
        raise error(f"{called} has more than {limit_bytes} bytes; is it the right file?")
    return data


def parse_json(
    data: bytes, error: type[BadInput], *, called: str, with_comments: bool = False
) -> Any:
    """Parse the bytes of a JSON file; see `read_json`.

    Raises:
        BadInput: of the class `error`; they are not JSON.
    """
    try:
        return _parsed(data.decode("utf-8-sig"), with_comments)
    except json.JSONDecodeError as problem:
        found = f"{problem.msg.lower()} at line {problem.lineno}, column {problem.colno}"
    except UnicodeDecodeError:
        found = "it is not UTF-8"
    except RecursionError:
        found = "it is nested too deep"
    except _SameKeyTwice as twice:
        raise error(
            f"{called} has the key {twice.key!r} twice in one object, and programs disagree which "
            "counts; remove one"
        ) from None
    except ValueError:
        found = "it holds a number that JSON does not have"
    raise error(f"{called} is not valid JSON: {found}; correct it and try again")


def _parsed(text: str, with_comments: bool) -> Any:
    if with_comments:
        text = _STRING_OR_COMMA.sub(_blanked(","), _STRING_OR_COMMENT.sub(_blanked("/"), text))
    return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_object)


def _blanked(start: str) -> Any:
    """Return a replacement that turns matches beginning with `start` into as many spaces."""

    def replacement(match: re.Match[str]) -> str:
        found = match[0]
        return re.sub(r"[^\n]", " ", found) if found.startswith(start) else found

    return replacement


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


class _SameKeyTwice(Exception):
    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key if len(key) <= 80 else key[:79] + "…"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _SameKeyTwice(key)
            seen.add(key)
    return found
