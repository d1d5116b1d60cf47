"""The files of variables that entries name with `envFile`."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from roost.bundles.json_text import read_file
from roost.errors import BadConfigFile

_LIMIT_BYTES = 256 * 2**10
_LINE = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=(.*)", re.DOTALL)
_SINGLE = re.compile(r"'([^']*)'")
_DOUBLE = re.compile(r'"((?:\\.|[^"\\])*+)"')
_COMMENT = re.compile(r"[ \t]#")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$"}


@dataclass(frozen=True, slots=True)
class EnvFile:
    """Variables of a file, and the hash of what was read."""

    variables: dict[str, str] = field(default_factory=dict, repr=False)
    sha256: str = ""


def read_env_file(path: str) -> EnvFile:
    """Read a file of ``NAME=value`` lines; values are never expanded.

    Raises:
        BadConfigFile: it cannot be read, or a line of it is none. The sentence holds no value.
    """
    data = read_file(
        Path(path), BadConfigFile, called=f"its envFile {path}", limit_bytes=_LIMIT_BYTES
    )
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise BadConfigFile(f"its envFile {path} is not UTF-8; correct it") from None
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        value = None if match is None else _value(match[2].strip())
        if match is None or value is None:
            raise BadConfigFile(f"line {number} of its envFile {path} is no NAME=value; correct it")
        found[match[1]] = value
    return EnvFile(found, hashlib.sha256(data).hexdigest())


def _value(text: str) -> str | None:
    """Return what stands behind the equals sign; None when its quotes do not end."""
    if not text.startswith(("'", '"')):
        return _COMMENT.split(f" {text}", maxsplit=1)[0].strip()
    match = (_SINGLE if text[0] == "'" else _DOUBLE).match(text)
    if match is None or not _is_nothing(text[match.end() :]):
        return None
    if text[0] == "'":
        return match[1]
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), match[1])


def _is_nothing(rest: str) -> bool:
    return not rest.strip() or rest.lstrip().startswith("#")
