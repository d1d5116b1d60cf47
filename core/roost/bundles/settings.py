"""What the settings of a bundle may be, and changing them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace

from roost.errors import BadInput
from roost.models import (
    BundleSettings,
    Definition,
    ResourceLimits,
    SettingsChange,
    is_valid_name,
)

LONGEST_S = 365 * 86_400.0
"""Durations beyond a year are slips of the keyboard."""

HIGHEST_LIMIT = 2**62
"""Above it a limit is none to any kernel."""

_MORE_THAN_ZERO = frozenset({"start_budget_s", "call_idle_s", "call_cap_s"})
"""Durations of which none at all would let nothing succeed."""

_COUNTS = frozenset({"probe_misses", "max_calls"})

MOST_CALLS = 100_000
"""More tool calls at a time than that is no limit."""

MOST_ALLOWED = 100
"""Modules that an operator has looked at; a longer list was not looked at."""

_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")

_LONGEST_MODULE = 200

_SETTINGS = tuple(entry.name for entry in fields(BundleSettings) if entry.name != "limits")

_LEAST_LIMIT = {"open_files": 16, "memory_bytes": 1 << 20, "processes": 1, "core_bytes": 0}
"""Below these no program of any kind starts."""


def check_settings(settings: BundleSettings) -> None:
    """Refuse settings that cannot be meant.

    Raises:
        BadInput: one is out of its range.
    """
    for entry in fields(settings):
        value = getattr(settings, entry.name)
        if isinstance(value, float | int) and not isinstance(value, bool):
            _check_number(entry.name, value)
    if settings.max_calls > MOST_CALLS:
        raise BadInput(f"max_calls may be {MOST_CALLS} at most, and 0 means no limit; correct it")
    if settings.probe_misses < 1:
        raise BadInput("probe_misses must be at least 1; set probe_interval_s to 0 to never probe")
    for entry in fields(settings.limits):
        _check_limit(entry.name, getattr(settings.limits, entry.name))
    _check_allowed(settings.snapshot_allow)


def _check_allowed(modules: tuple[str, ...]) -> None:
    for name in modules:
        if len(name) > _LONGEST_MODULE or _MODULE.fullmatch(name) is None:
            raise BadInput(
                f"snapshot_allow takes names of Python modules such as git.cmd, not "
                f"{name[:_LONGEST_MODULE]!r}; `roost snapshot show` names those that were found"
            )
    if len(modules) > MOST_ALLOWED:
        raise BadInput(f"snapshot_allow may name {MOST_ALLOWED} modules at most; correct it")


def _check_number(name: str, value: float) -> None:
    unit = "" if name in _COUNTS else " of seconds"
    if not (math.isfinite(value) and value >= 0):
        raise BadInput(f"{name} must be a number{unit} from 0 on; correct it")
    if value == 0 and name in _MORE_THAN_ZERO:
        raise BadInput(f"{name} must be more than 0 seconds; correct it")
    if value > LONGEST_S:
        raise BadInput(f"{name} may be {LONGEST_S:.0f} at most; correct it")


def _check_limit(name: str, value: int | None) -> None:
    least = _LEAST_LIMIT[name]
    if value is not None and not least <= value <= HIGHEST_LIMIT:
        raise BadInput(
            f"the limit {name} must be a whole number from {least} to {HIGHEST_LIMIT}, or none; "
            "correct it"
        )


def check_after(name: str, after: tuple[str, ...], known: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse an order of starts that cannot be kept.

    Args:
        name: the bundle that waits.
        after: what it is to wait for.
        known: for every bundle of the workspace, what that one waits for.

    Raises:
        BadInput: it names a bundle that is not there, or itself by whatever way.
    """
    for other in after:
        if other == name:
            raise BadInput(f"{name!r} cannot wait for itself; leave it out of its --after")
        if not is_valid_name(other) or other not in known:
            raise BadInput(
                f"there is no bundle {other!r} in this workspace to wait for; `roost ps` lists "
                "those that exist"
            )
    if ring := _ring(name, {**known, name: after}):
        raise BadInput(
            f"{' waits for '.join(repr(step) for step in ring)}, so none of them could ever "
            "start; leave one of these out"
        )


def _ring(name: str, known: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the way on which a bundle would wait for itself, or nothing."""
    ways: list[tuple[str, ...]] = [(name,)]
    seen = {name}
    while ways:
        way = ways.pop()
        for other in known.get(way[-1], ()):
            if other == name:
                return (*way, other)
            if other not in seen:
                seen.add(other)
                ways.append((*way, other))
    return ()


def changed_definition(definition: Definition, change: SettingsChange) -> Definition:
    """Return a definition with these changes made.

    Raises:
        BadInput: a setting is out of its range, or there is no such limit.
    """
    given = {name: getattr(change, name) for name in _SETTINGS}
    wanted = {name: value for name, value in given.items() if value is not None}
    limits = _changed_limits(definition.settings.limits, change.limits)
    if change.snapshot_how is not None:
        wanted["snapshot_how"] = change.snapshot_how.backend
    if change.snapshot_allow is not None:
        wanted["snapshot_allow"] = tuple(sorted(set(change.snapshot_allow)))
    settings = replace(definition.settings, **wanted, limits=limits)
    check_settings(settings)
    after = definition.after if change.after is None else tuple(dict.fromkeys(change.after))
    return replace(definition, settings=settings, after=after)


def _changed_limits(limits: ResourceLimits, change: Mapping[str, int | None]) -> ResourceLimits:
    names = [entry.name for entry in fields(limits)]
    for name in change:
        if name not in names:
            raise BadInput(f"there is no limit {name!r}; there are {', '.join(names)}")
    return replace(limits, **change)


def differences(before: Definition, after: Definition) -> Iterator[tuple[str, object, object]]:
    """Yield every setting that differs: its name, its former and its new value."""
    former, present = _flat(before), _flat(after)
    for name, value in present.items():
        if value != former[name]:
            yield name, former[name], value


def _flat(definition: Definition) -> dict[str, object]:
    settings = definition.settings
    limits = {f"limits.{e.name}": getattr(settings.limits, e.name) for e in fields(settings.limits)}
    own: dict[str, object] = {name: getattr(settings, name) for name in _SETTINGS}
    return own | limits | {"after": definition.after}
