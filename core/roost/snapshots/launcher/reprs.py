"""Digests of the simple values in modules and classes, to compare two builds of one template.

What differs between two builds with the same hash seed would be the same in every process started
from one template, though it is meant to be new in each: an id, a time, a token. Digests only, so
that no value leaves the process. Values inside other objects are not looked at.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from itertools import islice

SIMPLE = frozenset({str, bytes, int, float, complex, bool, bytearray})
CONTAINERS = frozenset({tuple, list, set, frozenset, dict})
NAMED = frozenset(
    {
        ("uuid", "UUID"),
        ("datetime", "datetime"),
        ("datetime", "date"),
        ("datetime", "time"),
        ("decimal", "Decimal"),
        ("pathlib", "PosixPath"),
        ("pathlib._local", "PosixPath"),
        ("ipaddress", "IPv4Address"),
    }
)
"""Classes of the standard library whose `repr` tells their whole value."""

MOST_ITEMS = 5_000
"""Of a container: longer ones are tables that were written into the code."""

DEPTH = 3

PER_LOAD = frozenset(
    {"__builtins__", "__cached__", "__file__", "__loader__", "__spec__", "__path__", "__doc__"}
)
"""The import system's own."""


def collect(modules: list[str]) -> dict[str, str]:
    """Return digests by dotted name, of the modules named that are loaded.

    Args:
        modules: names, of which those that are not loaded are left out.
    """
    found: dict[str, str] = {}
    for name in modules:
        space = getattr(sys.modules.get(name), "__dict__", None)
        if isinstance(space, dict):
            found.update(_of_module(name, space))
    return found


def _of_module(name: str, space: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for key, value in list(space.items()):
        if not isinstance(key, str) or key in PER_LOAD:
            continue
        if isinstance(value, type):
            if getattr(value, "__module__", None) == name:
                yield from _of_space(f"{name}:{key}", dict(vars(value)))
        elif (text := _text(value, DEPTH)) is not None:
            yield f"{name}:{key}", _digest(text)


def _of_space(prefix: str, space: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for key, value in space.items():
        if key not in PER_LOAD and (text := _text(value, DEPTH)) is not None:
            yield f"{prefix}.{key}", _digest(text)


def _text(value: object, depth: int) -> str | None:
    """Return a simple value's text; None for what may have an address or hidden state in it."""
    kind = type(value)
    if kind in SIMPLE or (kind.__module__, kind.__qualname__) in NAMED:
        return _bounded(value)
    if kind not in CONTAINERS or not depth:
        return None
    assert isinstance(value, (tuple, list, set, frozenset, dict))
    if len(value) > MOST_ITEMS:
        return None
    items = value.items() if isinstance(value, dict) else value
    texts = [_text(item, depth - 1) for item in islice(items, MOST_ITEMS)]
    if None in texts:
        return None
    ordered = sorted(map(str, texts)) if isinstance(value, (set, frozenset)) else map(str, texts)
    return f"{kind.__name__}({', '.join(ordered)})"


def _bounded(value: object) -> str | None:
    try:
        return repr(value)
    except ValueError:
        # An integer of more digits than Python likes to write.
        return None


def _digest(text: str) -> str:
    # Same in both builds, which have one hash seed; 64 bits are enough to tell two values apart.
    return format(hash(text) & 0xFFFF_FFFF_FFFF_FFFF, "x")
