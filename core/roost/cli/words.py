"""States, times and sizes as short text, from the wire form of the models.

Works on plain mappings: importing the models costs several times what a whole verb does. The words
and glyphs are those of the screen's plain set.
"""

from __future__ import annotations

import time

from roost.cli.table import Cell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

NOTHING = "-"
"""Stands where a value does not apply."""

STATES = {
    "running": ("o", "running", "good"),
    "starting": ("~", "starting", "busy"),
    "stopping": ("~", "stopping", "busy"),
    "stopped": ("-", "stopped", "dim"),
    "backing_off": ("~", "backing off", "busy"),
    "needs_credentials": ("?", "needs credentials", "ask"),
    "dead": ("!", "dead", "bad"),
}
"""Glyph, word and meaning of a slot's state."""

STATUSES = {
    "pending": ("~", "pending", "busy"),
    "running": (">", "running", "busy"),
    "succeeded": ("+", "succeeded", "good"),
    "failed": ("!", "failed", "bad"),
    "aborted": ("x", "aborted", "dim"),
}
"""Glyph, word and meaning of a run's status."""


def now_ms() -> int:
    """Return the time in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def duration(milliseconds: int) -> str:
    """Return a length of time in two units at most: ``3s``, ``4m12``, ``2h11``, ``3d04``."""
    seconds = max(milliseconds, 0) // 1000
    if seconds < 60:
        return f"{seconds}s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes}m{seconds:02d}"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h{minutes:02d}"
    days, hours = divmod(hours, 24)
    return f"{days}d{hours:02d}"


def latency(milliseconds: int | None) -> str:
    """Return a response, start or run time: ``18ms``, ``1.2s``, ``4m12``."""
    if milliseconds is None:
        return NOTHING
    if milliseconds < 1000:
        return f"{max(milliseconds, 0)}ms"
    return f"{milliseconds / 1000:.1f}s" if milliseconds < 10_000 else duration(milliseconds)


def size(count: int) -> str:
    """Return bytes with a binary unit: ``512B``, ``61M``, ``1.2G``."""
    value = float(max(count, 0))
    for unit in "BKMGT":
        if value < 1023.5:
            return f"{value:.1f}{unit}" if unit in "GT" and value < 9.95 else f"{value:.0f}{unit}"
        value /= 1024
    return f"{value:.0f}P"


def percent(value: float) -> str:
    """Return a percentage: one decimal below ten, none above."""
    return f"{value:.1f}%" if value < 9.95 else f"{value:.0f}%"


def plural(count: int, noun: str) -> str:
    """Return ``1 run``, ``2 runs``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def spaced(name: object) -> str:
    """Return a code as words: ``stop_old`` becomes ``stop old``."""
    return str(name).replace("_", " ")


def clock_time(at: int) -> str:
    """Return the local time of day of an epoch millisecond."""
    return time.strftime("%H:%M:%S", time.localtime(at / 1000))


def date_time(at: int | None) -> str:
    """Return the local date and time of an epoch millisecond."""
    if at is None:
        return NOTHING
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at / 1000))


def countdown(until: int | None, now: int) -> str:
    """Return what is left of a wait, or ``now`` once it is over."""
    left = (until or now) - now
    return "now" if left <= 0 else duration(left + 999)


def state_cell(bundle: Mapping[str, Any], now: int) -> Cell:
    """Return a bundle's state with the few words that explain it."""
    state = bundle["state"]
    glyph, word, style = STATES.get(state, ("?", spaced(state), ""))
    beside = _beside_state(bundle, now)
    return Cell(f"{glyph} {word}{'  ' if beside else ''}{beside}", style)


def status_cell(run: Mapping[str, Any]) -> Cell:
    """Return a run's status."""
    status = run["status"]
    glyph, word, style = STATUSES.get(status, ("?", spaced(status), ""))
    return Cell(f"{glyph} {word}", style)


def is_process_shown(bundle: Mapping[str, Any]) -> bool:
    """Say whether the bundle has a process now."""
    generation = bundle.get("generation")
    return (
        bundle["state"] in ("running", "starting", "stopping")
        and generation is not None
        and generation.get("ended_at") is None
    )


def start_text(generation: Mapping[str, Any] | None) -> str:
    """Return how a generation was started and how long that took: ``cold 1.2s``."""
    if generation is None:
        return NOTHING
    ready_ms = generation.get("ready_ms")
    mode = str(generation.get("start_mode", ""))
    return mode if ready_ms is None else f"{mode} {latency(ready_ms)}"


def _beside_state(bundle: Mapping[str, Any], now: int) -> str:
    state = bundle["state"]
    if state == "starting":
        return spaced(bundle.get("step") or "")
    if state == "running" and bundle.get("restart_pending"):
        return "restart pending"
    if state == "running" and bundle.get("stale"):
        return f"stale {', '.join(bundle['stale'])}"
    if state == "backing_off":
        word = "parked" if bundle.get("parked") else "retry"
        return f"{word} {countdown(bundle.get('retry_at'), now)}"
    if state == "needs_credentials":
        return ", ".join(bundle.get("missing_fields") or ())
    return _why_dead(bundle) if state == "dead" else ""


def _why_dead(bundle: Mapping[str, Any]) -> str:
    if crash := bundle.get("crash"):
        return str(crash["exit"])
    if step := bundle.get("step"):
        return f"{spaced(step)} failed"
    reason = bundle.get("reason")
    return spaced(reason["code"]) if reason else ""
