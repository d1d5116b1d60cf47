"""The one resolver of an app's entry point: where its file or module is, and who said so.

An option wins; then the app's own file, `entry` in ``roost.toml`` or under ``[tool.roost]`` in
``pyproject.toml``; then the built-in names. Resolving imports nothing of the app.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roost.errors import BadConfigFile, EntryNotFound

OWN_FILE = "roost.toml"
PROJECT_FILE = "pyproject.toml"
BUILT_IN = ("app.py", "main.py")
"""The files that are tried when nobody names an entry."""

BY_OPTION = "option"
BY_DEFAULT = "built-in"


@dataclass(frozen=True, slots=True)
class Entry:
    """Where an app is found: a file or a module, and an attribute of it."""

    directory: Path
    """What relative paths and modules are looked for in."""
    module: str
    """The dotted name of the module; empty for a file."""
    path: Path | None
    """The file; None for a module."""
    attribute: str
    """The name, with dots, of what is wanted inside it; empty to look for it."""
    origin: str
    """Who named it: ``option``, the path of a file, or ``built-in``."""

    def __str__(self) -> str:
        source = self.module or str(self.path)
        return f"{source}:{self.attribute}" if self.attribute else source


def resolve_entry(option: str | None, directory: str | Path = ".") -> Entry:
    """Return where the app of a directory is.

    Args:
        option: ``module``, ``module:attribute`` or ``path/to/file.py[:attribute]``; None or empty
            to ask the directory's own files.
        directory: the app's directory.

    Raises:
        EntryNotFound: nothing was named and nothing is there, a file that was named is not there,
            or the text is no entry. The sentence names what was looked for.
        BadConfigFile: a file of the app cannot be read, or its entry is no text.
    """
    home = Path(directory).absolute()
    if option:
        return _parse(option, home, BY_OPTION)
    for file, table in ((home / OWN_FILE, ()), (home / PROJECT_FILE, ("tool", "roost"))):
        if text := _entry_in(file, table):
            return _parse(text, home, str(file))
    for name in BUILT_IN:
        if (home / name).is_file():
            return Entry(home, "", home / name, "", BY_DEFAULT)
    raise EntryNotFound(
        f"no app was found in {home}: looked for entry in {OWN_FILE}, for entry under [tool.roost] "
        f"in {PROJECT_FILE}, and for {' and '.join(BUILT_IN)}; name it as MODULE:ATTRIBUTE or "
        "FILE.py:ATTRIBUTE",
        directory=str(home),
    )


def _entry_in(file: Path, table: tuple[str, ...]) -> str:
    """Return the entry a file names; empty when there is no file, or none in it."""
    found: Any = _read(file)
    for key in table:
        found = found.get(key, {})
        if not isinstance(found, dict):
            raise BadConfigFile(
                f"{key!r} in {file} is no table; write it as [{'.'.join(table)}]", file=str(file)
            )
    text = found.get("entry", "")
    if not isinstance(text, str) or ("entry" in found and not text):
        raise BadConfigFile(
            f'the entry in {file} is no text; write it as entry = "module:attribute"',
            file=str(file),
        )
    return text


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BadConfigFile(
            f"{file} cannot be read ({error.strerror}); make it readable or remove it",
            file=str(file),
        ) from error
    except ValueError as error:  # of TOML, and of its encoding
        raise BadConfigFile(f"{file} is no valid TOML: {error}; correct it", file=str(file)) from (
            error
        )


def _parse(text: str, home: Path, origin: str) -> Entry:
    source, colon, attribute = text.partition(":")
    if not source or (colon and not _is_dotted(attribute)):
        raise _no_entry(text, origin)
    if source.endswith(".py") or "/" in source:
        path = home / source
        if not path.is_file():
            raise EntryNotFound(
                f"there is no file {path}, which {_said(origin)} names as the app; correct it, or "
                "give the app's directory",
                path=str(path),
            )
        return Entry(home, "", path, attribute, origin)
    if not _is_dotted(source):
        raise _no_entry(text, origin)
    return Entry(home, source, None, attribute, origin)


def _is_dotted(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))


def _said(origin: str) -> str:
    return "the option" if origin == BY_OPTION else origin


def _no_entry(text: str, origin: str) -> EntryNotFound:
    return EntryNotFound(
        f"{text!r}, which {_said(origin)} names as the app, is no entry; write MODULE, "
        "MODULE:ATTRIBUTE or FILE.py:ATTRIBUTE",
        entry=text,
    )
