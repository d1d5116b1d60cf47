"""Searches this process for a made-up credential that its environment was started with.

The template of such a build is thrown away. Reads by `os.environ` were found by the trace before;
this finds the ways below it: `getenv` in C, `posix.environ`, /proc/self/environ. A copy shows as a
place in memory that did not hold the value before the imports; a reference to the bytes that Python
made at its own start shows in an object that refers to them.
"""

from __future__ import annotations

import gc
import mmap
import os
import sys
from collections.abc import Iterator

CHUNK = 1 << 20
"""Bytes read at once; more is not faster."""

DEPTH = 4
"""Containers in each other that the collector does not track: only those of simple values."""


class Canary:
    """A made-up credential, and the places that held it before anything was imported."""

    def __init__(self, value: str) -> None:
        self._text = value
        self._needle = value.encode("utf-8", "surrogateescape")
        self._holders = frozenset(id(holder) for holder in self._referring())
        self._before = frozenset(self._places())

    def new_copies(self) -> int:
        """Return how many places in memory hold it now and did not before."""
        return len(frozenset(self._places()) - self._before)

    def new_holders(self) -> list[str | None]:
        """Return the modules that refer to it and did not before; None for other objects."""
        fresh = [holder for holder in self._referring() if id(holder) not in self._holders]
        spaces = {
            id(vars(module)): name
            for name, module in list(sys.modules.items())
            if _has_space(module)
        }
        return sorted({spaces.get(id(holder)) for holder in fresh}, key=str)

    def _places(self) -> list[int]:
        # Shared memory, so that what is searched for is not found again in the buffer.
        with mmap.mmap(-1, CHUNK + len(self._needle)) as buffer:
            memory = os.open("/proc/self/mem", os.O_RDONLY | os.O_CLOEXEC)
            try:
                return [
                    place
                    for start, end in _private_writable()
                    for place in self._search(memory, buffer, start, end)
                ]
            finally:
                os.close(memory)

    def _search(self, memory: int, buffer: mmap.mmap, start: int, end: int) -> Iterator[int]:
        for at in range(start, end, CHUNK):
            # A value may lie across two chunks; it is told of the first.
            wanted = min(CHUNK + len(self._needle) - 1, end - at)
            try:
                with memoryview(buffer) as view, view[:wanted] as part:
                    got = os.preadv(memory, [part], at)
            except OSError:
                continue
            place = buffer.find(self._needle, 0, got)
            while 0 <= place < CHUNK:
                yield at + place
                place = buffer.find(self._needle, place + 1, got)

    def _referring(self) -> list[object]:
        """Return the objects that refer to the value, directly or by simple containers."""
        gc.collect()
        mine = vars(self)
        return [
            holder
            for holder in gc.get_objects()
            if holder is not self and holder is not mine and self._is_in(holder, DEPTH)
        ]

    def _is_in(self, holder: object, depth: int) -> bool:
        for value in gc.get_referents(holder):
            kind = type(value)
            if (kind is str and self._text in value) or (kind is bytes and self._needle in value):
                return True
            if (
                depth
                and kind in (dict, tuple)
                and not gc.is_tracked(value)
                and self._is_in(value, depth - 1)
            ):
                return True
        return False


def _has_space(module: object) -> bool:
    return isinstance(getattr(module, "__dict__", None), dict)


def _private_writable() -> list[tuple[int, int]]:
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        bounds = [line.split()[0].split("-") for line in maps if line.split()[1].startswith("rw-p")]
    return [(int(start, 16), int(end, 16)) for start, end in bounds]
