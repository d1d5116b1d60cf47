"""Words about tasks and schedules: how their runs stand, when they fire, why they do not."""

from __future__ import annotations

from roost.models import Recovery, RetryPolicy, ScheduleView, TaskSpec
from roost_tui import render
from roost_tui.spans import Span, Tone

RECOVERIES = {
    Recovery.RESUME: "after a crash it goes on behind the steps that are done",
    Recovery.RERUN: "after a crash it begins anew",
    Recovery.NEVER: "after a crash it fails",
}


def retry_text(policy: RetryPolicy) -> str:
    """Return how often a failed run is tried again."""
    return f"{render.plural(policy.attempts, 'more attempt')} after an error that may pass"


def limits_text(spec: TaskSpec) -> str:
    """Return what bounds a task's runs: ``2 slots, 3 retries``."""
    slots = "no limit" if spec.slots is None else render.plural(spec.slots, "slot")
    return f"{slots}, {spec.retry.attempts} retries" if spec.retry.attempts else slots


def next_fire(view: ScheduleView, now: int) -> Span:
    """Return when it fires next, or why it does not."""
    if view.disabled is not None:
        return "disabled", Tone.FAULT
    if view.is_paused:
        return "paused", Tone.WARN
    if view.next_at is None:
        return "no worker", Tone.WARN
    left = render.countdown(view.next_at, now)
    return ("now" if left == "now" else f"in {_longer(view.next_at - now, left)}"), Tone.TEXT


def _longer(milliseconds: int, left: str) -> str:
    """Return a wait; one of hours or days reads as such."""
    return left if milliseconds < 7_200_000 else render.duration(milliseconds)


def last_fire(view: ScheduleView, ended: str | None, now: int) -> str:
    """Return when it fired last, and how that run ended where that is known."""
    if view.last_at is None:
        return "not yet"
    run = f", {view.last_run} {ended or ''}".rstrip() if view.last_run else ""
    return f"{render.duration(now - view.last_at)} ago{run}"


def why_not(view: ScheduleView) -> str:
    """Return why a schedule does not fire, or what an operator should know; empty for neither."""
    if view.disabled is not None:
        return view.disabled.sentence
    if view.failures:
        return f"{view.failures} failed in a row"
    if view.next_at is None and not view.is_paused:
        return f"no worker offers {view.spec.task}"
    return ""
