"""The options that are settings of a bundle, shared by ``roost add`` and ``roost set``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from roost.cli.arguments import Arguments, Option, usage_error
from roost.models import KeepArguments, RespawnStrategy, RestartPolicy, SnapshotHow, SnapshotPolicy

LIMITS = ("open_files", "memory_bytes", "processes", "core_bytes")

_RESTARTS = tuple(policy.value for policy in RestartPolicy)
_STRATEGIES = tuple(strategy.value for strategy in RespawnStrategy)
_KEPT = tuple(policy.value for policy in KeepArguments)
_SNAPSHOTS = tuple(policy.value for policy in SnapshotPolicy)

SNAPSHOT_HOWS = tuple(how.value for how in SnapshotHow)

OPTIONS = (
    Option(
        "--restart", "POLICY", f"when an ended process is started again: {', '.join(_RESTARTS)}"
    ),
    Option("--strategy", "STRATEGY", f"how a respawn replaces a process: {', '.join(_STRATEGIES)}"),
    Option("--after", "NAME", "wait for this bundle's readiness before a start; repeatable"),
    Option("--start-budget", "TIME", "from spawn to readiness, such as 30, 500ms or 2m"),
    Option("--settle", "TIME", "how long a plain command must live to count as ready"),
    Option("--stop-grace", "TIME", "between TERM and KILL"),
    Option("--drain", "TIME", "how long calls go on when their process is replaced"),
    Option("--call-idle", "TIME", "a tool call without progress for this long is timed out"),
    Option("--call-cap", "TIME", "longest tool call, whatever progress it reports"),
    Option("--max-calls", "N", "tool calls under way at a time, the others wait; 0 for no limit"),
    Option(
        "--keep-arguments", "POLICY", f"what a run keeps of a call's arguments: {', '.join(_KEPT)}"
    ),
    Option("--probe-interval", "TIME", "between two liveness probes; 0 never probes"),
    Option("--probe-misses", "N", "probes missed in a row after which the process is replaced"),
    Option("--snapshot", "POLICY", f"whether starts use a snapshot: {', '.join(_SNAPSHOTS)}"),
    Option("--snapshot-rebuild", "on|off", "build a stale snapshot again by itself"),
    Option("--snapshot-how", "HOW", f"what makes the snapshot: {', '.join(SNAPSHOT_HOWS)}"),
    Option(
        "--snapshot-allow",
        "MODULE,...",
        "modules that may copy the environment while a snapshot is loaded",
    ),
    Option("--limit", "NAME=VALUE", f"one of {', '.join(LIMITS)}; K, M and G, or none; repeatable"),
)

_TIMES = {
    "start-budget": "start_budget_s",
    "settle": "settle_s",
    "stop-grace": "stop_grace_s",
    "drain": "drain_s",
    "call-idle": "call_idle_s",
    "call-cap": "call_cap_s",
    "probe-interval": "probe_interval_s",
}

_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

_MULTIPLES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def read_settings(given: Arguments) -> dict[str, Any]:
    """Return the settings that were given, by their names in `BundleSettings`, but the limits.

    Raises:
        BadInput: a value is not of its kind.
    """
    found: dict[str, Any] = {
        name: read_time(key, str(given.one(key))) for key, name in _TIMES.items() if given.has(key)
    }
    if given.has("probe-misses"):
        found["probe_misses"] = given.whole("probe-misses", 1)
    if given.has("max-calls"):
        found["max_calls"] = given.whole("max-calls", 0, least=0)
    if (kept := given.one("keep-arguments")) is not None:
        found["keep_arguments"] = KeepArguments(_chosen("keep-arguments", kept, _KEPT))
    if (policy := given.one("restart")) is not None:
        found["restart"] = RestartPolicy(_chosen("restart", policy, _RESTARTS))
    if (strategy := given.one("strategy")) is not None:
        found["strategy"] = RespawnStrategy(_chosen("strategy", strategy, _STRATEGIES))
    if (snapshot := given.one("snapshot")) is not None:
        found["snapshot"] = SnapshotPolicy(_chosen("snapshot", snapshot, _SNAPSHOTS))
    if (rebuild := given.one("snapshot-rebuild")) is not None:
        found["snapshot_rebuild"] = _chosen("snapshot-rebuild", rebuild, ("on", "off")) == "on"
    if (allowed := given.one("snapshot-allow")) is not None:
        found["snapshot_allow"] = tuple(sorted({name.strip() for name in allowed.split(",")}))
    return found


def read_how(given: Arguments, key: str = "snapshot-how") -> SnapshotHow | None:
    """Return what is to make a bundle's snapshot; None where nobody says so.

    Raises:
        BadInput: nothing is called that.
    """
    how = given.one(key)
    return None if how is None else SnapshotHow(_chosen(key, how, SNAPSHOT_HOWS))


def read_limits(given: Arguments) -> dict[str, int | None]:
    """Return the limits that were given; None where one is lifted.

    Raises:
        BadInput: there is no such limit, or its value is no number.
    """
    return dict(_limit(text) for text in given.every("limit"))


def read_time(key: str, text: str) -> float:
    """Return a length of time in seconds: ``30``, ``500ms``, ``1.5s``, ``2m``, ``1h``.

    Raises:
        BadInput: it is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|)", text, re.ASCII)
    seconds = float(match[1]) * _UNITS[match[2]] if match else math.inf
    if not math.isfinite(seconds):
        raise usage_error(f"--{key} takes a length of time such as 10, 500ms or 2m, not {text!r}")
    return seconds


def _chosen(key: str, text: str, allowed: tuple[str, ...]) -> str:
    name = text.replace("-", "_")
    if name not in allowed:
        raise usage_error(f"--{key} is one of {', '.join(allowed)}, not {text!r}")
    return name


def _limit(text: str) -> tuple[str, int | None]:
    name, equals, value = text.partition("=")
    name = name.replace("-", "_")
    if not equals or name not in LIMITS:
        raise usage_error(f"--limit takes NAME=VALUE with NAME one of {', '.join(LIMITS)}")
    if value == "none":
        return name, None
    match = re.fullmatch(r"(\d{1,19})([kmg]?)", value.lower(), re.ASCII)
    if match is None:
        raise usage_error(
            f"--limit {name} takes a whole number such as 4096 or 512M, or none, not {value!r}"
        )
    return name, int(match[1]) * _MULTIPLES[match[2]]


def settings_facts(settings: dict[str, Any], after: list[str]) -> list[tuple[str, str]]:
    """Return what ``roost show`` tells of a bundle's settings, from their wire form."""
    probe = settings["probe_interval_s"]
    limits = {name: settings["limits"][name] for name in LIMITS if settings["limits"].get(name)}
    if settings["limits"].get("core_bytes") == 0:
        limits["core_bytes"] = 0
    return [
        ("strategy", settings["strategy"]),
        ("starts after", ", ".join(after)),
        ("time to", _times(settings, ("start_budget_s", "settle_s", "drain_s", "stop_grace_s"))),
        ("calls", ", ".join(_call_facts(settings))),
        ("probes", f"every {probe:g}s, {settings['probe_misses']} misses" if probe else "never"),
        ("snapshot", _snapshot(settings)),
        ("limits", ", ".join(f"{name} {value}" for name, value in limits.items())),
    ]


def _snapshot(settings: dict[str, Any]) -> str:
    rebuilt = ", built again when it is stale" if settings["snapshot_rebuild"] else ""
    how = f", by {settings['snapshot_how']}" if settings.get("snapshot_how") else ""
    allowed = ", ".join(settings.get("snapshot_allow", ()))
    copies = f", {allowed} may copy the environment" if allowed else ""
    return f"{settings['snapshot']}{how}{rebuilt}{copies}"


def _call_facts(settings: dict[str, Any]) -> Iterator[str]:
    yield _times(settings, ("call_idle_s", "call_cap_s"))
    if settings.get("max_calls"):
        yield f"{settings['max_calls']} at a time"
    if (kept := settings.get("keep_arguments", KeepArguments.ALL)) != KeepArguments.ALL:
        yield f"{'no' if kept == KeepArguments.NONE else 'only names of'} arguments kept"


_WORDS: dict[str, str] = {
    "start_budget_s": "start",
    "settle_s": "settle",
    "drain_s": "drain",
    "stop_grace_s": "stop",
    "call_idle_s": "idle",
    "call_cap_s": "at most",
}


def _times(settings: dict[str, Any], names: tuple[str, ...]) -> str:
    return ", ".join(f"{_WORDS[name]} {settings[name]:g}s" for name in names)
