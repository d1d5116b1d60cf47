"""What differs between two templates that were made in the same way, with one hash seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MOST_NAMED = 3
"""Values that a sentence names; the rest is a number."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Values of one module that were not the same in both."""

    module: str
    values: tuple[str, ...]
    """Names inside the module: ``SESSION_ID``, ``Client.started_at``."""

    @property
    def what(self) -> str:
        """Part of a sentence."""
        named = ", ".join(self.values[:MOST_NAMED])
        more = len(self.values) - MOST_NAMED
        tail = f" and {more} more" if more > 0 else ""
        return f"made values that should differ in each process: {named}{tail}"


def differences(
    first: Mapping[str, str] | None, second: Mapping[str, str] | None
) -> tuple[Difference, ...]:
    """Return what differs, by module.

    Args:
        first: digests of simple values by ``module:name``.
        second: those of another template of the same plan. A value that only one of them has
            counts as different.
    """
    one, other = first or {}, second or {}
    by_module: dict[str, list[str]] = {}
    for key in sorted(one.keys() | other.keys()):
        if one.get(key) != other.get(key):
            module, _, name = key.partition(":")
            by_module.setdefault(module, []).append(name)
    return tuple(Difference(module, tuple(names)) for module, names in by_module.items())
