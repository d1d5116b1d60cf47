"""Sees which variables of the environment modules read and change while they are imported."""

from __future__ import annotations

import os
from typing import Any, Protocol


class Journal(Protocol):
    def add(self, **entry: object) -> None: ...
    def hazard(self, guard: str, module: str, what: str) -> None: ...


class Imports(Protocol):
    def innermost(self) -> str | None: ...


class EnvironWatch:
    """Stands in the methods of `os.environ` and `os.environb`, through which all else goes."""

    def __init__(self, journal: Journal, imports: Imports) -> None:
        self._journal = journal
        self._imports = imports
        self._seen: set[tuple[str, str]] = set()
        self._at_start = dict(_data())
        self._claimed: dict[bytes, bytes | None] = {}
        self._below: dict[bytes, str] = {}
        self._is_writing = False

    def install(self) -> None:
        kind: Any = os._Environ
        self._wrap_read(kind)
        for method in ("__setitem__", "__delitem__"):
            self._wrap_write(kind, method)
        for method in ("__iter__", "copy"):
            self._wrap_whole(kind, method)

    def begin(self) -> dict[bytes, bytes]:
        """Return what is set before a module begins."""
        return dict(_data())

    def end(self, module: str, before: dict[bytes, bytes]) -> None:
        """Report what a module leaves changed; what it puts back is none of anybody's business."""
        now = _data()
        # Nearly always nothing; there are many modules.
        names = sorted(before.keys() | now.keys()) if before != now else ()
        for name in names:
            value = now.get(name)
            if before.get(name) != value and self._claimed.get(name, b"=") != value:
                self._claimed[name] = value
                verb = "removed" if value is None else "set"
                self._journal.hazard("environ_changed", module, f"{verb} {os.fsdecode(name)}")

        for name in [name for name, by in self._below.items() if by == module]:
            del self._below[name]
            what = f"changed {os.fsdecode(name)} below os.environ"
            self._journal.hazard("environ_changed", module, what)

    def changed_below(self, args: tuple[Any, ...]) -> None:
        """Take note of a change to the process's own environment, as an audit event tells it.

        What is put back to what `os.environ` says is harmless: libraries do that for an import.
        """
        name, value = args[0], args[1] if len(args) > 1 else None
        module = self._imports.innermost()
        if self._is_writing or module is None:
            return
        self._below.setdefault(name, module)
        if _data().get(name) == value:
            del self._below[name]

    def _wrap_read(self, kind: Any) -> None:
        plain = kind.__getitem__

        def __getitem__(mapping: Any, key: Any) -> Any:
            module = self._imports.innermost()
            encoded = _encoded(key)
            if module is not None and encoded is not None:
                self._read(module, encoded)
            return plain(mapping, key)

        kind.__getitem__ = __getitem__

    def _wrap_write(self, kind: Any, method: str) -> None:
        plain = getattr(kind, method)

        def wrapped(mapping: Any, *args: Any) -> Any:
            self._is_writing = True
            try:
                return plain(mapping, *args)
            finally:
                self._is_writing = False

        wrapped.__name__ = method
        setattr(kind, method, wrapped)

    def _wrap_whole(self, kind: Any, method: str) -> None:
        plain = getattr(kind, method)

        def wrapped(mapping: Any) -> Any:
            module = self._imports.innermost()
            if module is not None:
                self._copied(module)
            return plain(mapping)

        wrapped.__name__ = method
        setattr(kind, method, wrapped)

    def _read(self, module: str, encoded: bytes) -> None:
        name = os.fsdecode(encoded)
        value = _data().get(encoded)
        if value != self._at_start.get(encoded):
            self._journal.hazard(
                "environ_changed", module, f"read {name}, which was changed since the start"
            )
        if (module, name) not in self._seen:
            self._seen.add((module, name))
            self._journal.add(ev="env", module=module, name=name)

    def _copied(self, module: str) -> None:
        self._journal.hazard("environ_copy", module, "copied the whole environment")
        for encoded in list(_data()):
            self._read(module, encoded)


def _data() -> dict[bytes, bytes]:
    held: Any = os.environ
    data: dict[bytes, bytes] = held._data
    return data


def _encoded(text: object) -> bytes | None:
    return os.fsencode(text) if isinstance(text, (str, bytes)) else None
