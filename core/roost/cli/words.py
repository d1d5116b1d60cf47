"""States, times and sizes as short text, from the wire form of the models.

Works on plain mappings: importing the models costs several times what a whole verb does. The words
and glyphs are those of the screen's plain set.
"""

from __future__ import annotations

import time

from roost.cli.table import Cell
from roost.client.amounts import (
    NOTHING,
    clock_time,
    countdown,
    duration,
    latency,
    percent,
    plural,
    size,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = [
    "NOTHING",
    "STATES",
    "STATUSES",
    "clock_time",
    "countdown",
    "date_time",
    "duration",
    "is_process_shown",
    "kind_text",
    "latency",
    "now_ms",
    "percent",
    "plural",
    "size",
    "spaced",
    "start_text",
    "state_cell",
    "status_cell",
]

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


def spaced(name: object) -> str:
    """Return a code as words: ``stop_old`` becomes ``stop old``."""
    return str(name).replace("_", " ")


def date_time(at: int | None) -> str:
    """Return the local date and time of an epoch millisecond."""
    if at is None:
        return NOTHING
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at / 1000))


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


def kind_text(view: Mapping[str, Any]) -> str:
    """Return a bundle's kind with its runtime, which a server elsewhere does not have."""
    kind = "mcp http" if view["kind"] == "mcp-http" else str(view["kind"])
    return kind if view["runtime"] == "elsewhere" else f"{kind} {view['runtime']}"
