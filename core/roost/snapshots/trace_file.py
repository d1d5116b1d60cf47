"""Reads what a traced start wrote: lines from a process that runs foreign code.

The file may end anywhere, because that process is killed when it is ready, and the app could write
to it as well. A line that is no entry is left out; a name is taken only in the shape it can have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from roost.snapshots.backend import EnvironmentRead, Hazard, Trace, TracedModule
from roost.snapshots.guards import Guard

LONGEST_LINE = 1 << 20
"""Bytes: the longest honest one has the names of everything a module imports."""

MOST_ENTRIES = 200_000
"""The largest apps known write some ten thousand."""

LONGEST_TEXT = 500
"""Characters of a name or of a part of a sentence."""

LONGEST_PATH = 4096

_MODULE_NAME = re.compile(r"[\w-]+(\.[\w-]+)*")
"""Compilers of modules make names that begin with a digit."""

_GUARDS = frozenset(str(guard) for guard in Guard)


class _Bad(ValueError):
    """A line says something that no trace says."""


class _Reading:
    """What was read so far, each thing once."""

    def __init__(self) -> None:
        self.modules: dict[str, TracedModule] = {}
        self.imports: dict[tuple[str, str], None] = {}
        self.hazards: dict[Hazard, None] = {}
        self.environment: dict[tuple[str, str], EnvironmentRead] = {}

    def take(self, entry: Mapping[str, Any]) -> None:
        match entry.get("ev"):
            case "module":
                module = TracedModule(
                    _module(entry.get("name")),
                    _optional(_text, entry.get("file"), LONGEST_PATH),
                    _optional(_module, entry.get("parent")),
                )
                self.modules.setdefault(module.name, module)
            case "imports":
                by = _module(entry.get("by"))
                for name in _names(entry.get("names")):
                    self.imports[by, name] = None
            case "hazard":
                self._take_hazard(entry)
            case "env":
                read = EnvironmentRead(_module(entry.get("module")), _text(entry.get("name")))
                self.environment.setdefault((read.module, read.name), read)

    def _take_hazard(self, entry: Mapping[str, Any]) -> None:
        guard = _text(entry.get("guard"))
        if guard not in _GUARDS:
            raise _Bad
        module = _optional(_module, entry.get("module"))
        self.hazards[Hazard(guard, module, _text(entry.get("what")))] = None


def read_trace(content: bytes) -> Trace:
    """Return what a trace says, as far as it can be understood.

    Args:
        content: the whole file.
    """
    reading = _Reading()
    for entry in _entries(content.split(b"\n")[:MOST_ENTRIES]):
        try:
            reading.take(entry)
        except _Bad:
            continue
    return Trace(
        tuple(reading.modules.values()),
        tuple(reading.imports),
        tuple(reading.hazards),
        tuple(reading.environment.values()),
    )


def _entries(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if not line or len(line) > LONGEST_LINE:
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict):
            yield entry


def _text(value: object, longest: int = LONGEST_TEXT) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
        raise _Bad
    return value


def _module(value: object) -> str:
    name = _text(value)
    if not _MODULE_NAME.fullmatch(name):
        raise _Bad
    return name


def _names(value: object) -> list[str]:
    if not isinstance(value, list):
        raise _Bad
    return [name for name in value if isinstance(name, str) and _MODULE_NAME.fullmatch(name)]


def _optional(read: Any, value: object, *bounds: int) -> str | None:
    return None if value is None else str(read(value, *bounds))
