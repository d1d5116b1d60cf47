"""Remapping: keys that an operator gives to actions, with conflicts reported instead of guessed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from roost.contract import Risk
from roost_tui.actions import KeyAction

NEVER_DESTRUCTIVE = frozenset({"ctrl+d", "ctrl+k"})
"""Keys that hands know from shells and editors; nothing that interrupts work may lie on them."""


def remap(
    entries: Sequence[KeyAction], keymap: Mapping[str, str]
) -> tuple[tuple[KeyAction, ...], tuple[str, ...]]:
    """Give actions other keys.

    Args:
        entries: the table.
        keymap: keys by action id, separated by commas; an empty text unbinds.

    Returns:
        The new table and a sentence per problem. What would collide keeps its old key.
    """
    by_id = {entry.id: entry for entry in entries}
    problems = [
        f"there is no action {unknown!r} to remap; the help lists them"
        for unknown in keymap
        if unknown not in by_id
    ]
    wanted = {name: _tidy(keys) for name, keys in keymap.items() if name in by_id}
    for name, keys in list(wanted.items()):
        if by_id[name].risk >= Risk.INTERRUPTS and NEVER_DESTRUCTIVE & set(keys.split(",")):
            problems.append(f"{keys} cannot be {name}: that key never interrupts work")
            del wanted[name]
    for first, second, key in _conflicts([_with_keys(entry, wanted) for entry in entries]):
        for name, other in ((first, second), (second, first)):
            if name in wanted:
                problems.append(f"{key} for {name} is taken by {other}; unbind that one first")
                del wanted[name]
                break
    return tuple(_with_keys(entry, wanted) for entry in entries), tuple(problems)


def _tidy(keys: str) -> str:
    return ",".join(part.strip() for part in keys.split(",") if part.strip())


def _with_keys(entry: KeyAction, wanted: Mapping[str, str]) -> KeyAction:
    return replace(entry, keys=wanted[entry.id]) if entry.id in wanted else entry


def _conflicts(entries: Sequence[KeyAction]) -> Iterator[tuple[str, str, str]]:
    owners: dict[tuple[str, str], str] = {}
    for entry in entries:
        for key in entry.keys.split(","):
            for place in entry.places:
                owner = owners.setdefault((place, key), entry.id)
                if key and owner != entry.id:
                    yield owner, entry.id, key
                    break


def conflicts(entries: Sequence[KeyAction]) -> tuple[str, ...]:
    """Return a sentence per key that two actions of one panel share."""
    return tuple(f"{key} is both {a} and {b}" for a, b, key in _conflicts(entries))
