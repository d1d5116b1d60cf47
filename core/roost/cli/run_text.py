"""A run for people: its facts and the timeline of its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from roost.cli.run_outcome import counted
from roost.cli.runs import STOPPING, progress_text, took, waits_text
from roost.cli.words import NOTHING, countdown, date_time, latency, now_ms, spaced, status_cell


def run_facts(
    run: Mapping[str, Any], children: Sequence[Mapping[str, Any]]
) -> list[tuple[str, str]]:
    """Return names and values of a run; empty where one does not apply."""
    error = run["error"]
    return [
        ("run", f"{run['workspace']}/{run['id']}"),
        ("title", run["title"]),
        ("kind", spaced(run["kind"])),
        ("status", status_cell(run).text),
        ("error", f"{error['sentence']} ({error['code']})" if error else ""),
        ("stop", _stop_text(run)),
        ("progress", progress_text(run["progress"]) if run["progress"] else ""),
        ("output", run["link"] or ""),
        ("scope", run["scope"] or ""),
        ("parent", run["parent"] or ""),
        ("children", ", ".join(f"{child['id']} {child['status']}" for child in children)),
        ("trigger", run["trigger"]),
        ("begun by", run["created_by"]),
        ("for", run["on_behalf_of"] or ""),
        ("created", date_time(run["created_at"])),
        ("took", took(run, now_ms())),
        ("lease", _lease_text(run)),
        ("generation", str(run["generation"] or "")),
        ("attempt", str(run["attempt"])),
        ("waits", waits_text(run)),
        ("key", run["idempotency_key"] or ""),
    ]


def timeline(run: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for each event: when it came, counted from the start, and what it was."""
    start = run["started_at"] or run["created_at"]
    offsets = [f"+{latency(event['at'] - start)}" for event in events]
    width = max(map(len, offsets), default=0)
    return [
        f"{offset:>{width}} {event['kind']:<6} {counted(event)}"
        for offset, event in zip(offsets, events, strict=True)
    ]


def attempt_lines(attempts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for each attempt: who made it, how long it took and why it did not finish."""
    now = now_ms()
    return [
        f"{attempt['number']:>3}  {_worker(attempt):<24}  "
        f"{latency((attempt['ended_at'] or now) - attempt['started_at']):>8}  "
        + (attempt["error"]["sentence"] if attempt["error"] else "")
        for attempt in attempts
    ]


def _worker(attempt: Mapping[str, Any]) -> str:
    return f"{attempt['bundle'] or NOTHING} generation {attempt['generation'] or NOTHING}"


def journal_lines(journal: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for each named step: how it stands, how long it took, in which attempt."""
    now = now_ms()
    width = max((len(entry["name"]) for entry in journal), default=0)
    return [
        f"{entry['state']:<8} {entry['name']:<{width}}  "
        f"{latency((entry['ended_at'] or now) - entry['started_at']):>8}  "
        f"attempt {entry['attempt']}" + (", interrupted before" if entry["was_interrupted"] else "")
        for entry in journal
    ]


def _stop_text(run: Mapping[str, Any]) -> str:
    if run["stop_requested_at"] is None:
        return ""
    by = f" by {run['stop_requested_by']}" if run["stop_requested_by"] else ""
    told = f"asked{by} at {date_time(run['stop_requested_at'])}"
    phase = run["stop_phase"]
    return told if phase in (None, "asked") else f"{told}; {STOPPING.get(phase, spaced(phase))}"


def _lease_text(run: Mapping[str, Any]) -> str:
    if run["lease_until"] is None or run["finished_at"] is not None:
        return ""
    left = countdown(run["lease_until"], now_ms())
    return "ran out; it ends unless its program reports" if left == "now" else f"{left} left"
