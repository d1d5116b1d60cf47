"""Numbers, times and states as short text: pure functions, no widgets."""

from __future__ import annotations

import time
from dataclasses import dataclass

from roost.models import (
    BundleView,
    GenerationView,
    RunProgress,
    RunStatus,
    RunView,
    SlotState,
    StartMode,
)
from roost_tui.glyphs import Glyphs
from roost_tui.spans import Tone

NOTHING = "-"
"""Stands where a value does not apply."""


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


def elapsed(milliseconds: int) -> str:
    """Return how long work took: like `duration`, finer below ten seconds."""
    milliseconds = max(milliseconds, 0)
    if milliseconds < 100:
        return f"{milliseconds}ms"
    if milliseconds < 10_000:
        return f"{milliseconds / 1000:.1f}s"
    return duration(milliseconds)


def latency(milliseconds: int | None) -> str:
    """Return a response or start time: ``18ms``, ``1.2s``."""
    if milliseconds is None:
        return NOTHING
    return f"{milliseconds}ms" if milliseconds < 1000 else elapsed(milliseconds)


def countdown(until: int | None, now: int) -> str:
    """Return what is left of a wait, rounded up: ``12s``, ``4m``; ``now`` once it is over."""
    left = -(-((until or now) - now) // 1000)
    if left <= 0:
        return "now"
    return f"{left}s" if left < 120 else f"{left // 60}m"


def size(count: int) -> str:
    """Return bytes with a binary unit in at most four characters: ``512B``, ``61M``, ``1.2G``."""
    if count < 1024:
        return f"{max(count, 0)}B"
    value = float(count)
    for unit in "KMGTP":
        value /= 1024
        if value < 9.95:
            return f"{value:.1f}{unit}" if unit in "GTP" else f"{value:.0f}{unit}"
        if value < 1023.5:
            return f"{value:.0f}{unit}"
    return f"{value:.0f}P"


def percent(value: float) -> str:
    """Return a percentage: one decimal below ten, none above."""
    return f"{value:.1f}%" if value < 9.95 else f"{value:.0f}%"


def clock_time(at: int) -> str:
    """Return the local time of day of an epoch millisecond."""
    return time.strftime("%H:%M:%S", time.localtime(at / 1000))


def clock_minute(at: int) -> str:
    """Return the local time of day without seconds, for where room is short."""
    return clock_time(at)[:5]


def grouped(count: int) -> str:
    """Return a count with thin groups of thousands: ``12 400``."""
    return f"{count:,}".replace(",", " ")


def plural(count: int, noun: str) -> str:
    """Return ``1 run``, ``2 runs``."""
    return f"{grouped(count)} {noun}" if count == 1 else f"{grouped(count)} {noun}s"


@dataclass(frozen=True, slots=True)
class Face:
    """How a state looks: always a glyph, a word and a tone together."""

    glyph: str
    word: str
    tone: Tone


def state_face(state: SlotState, glyphs: Glyphs) -> Face:
    """Return how a bundle's state looks."""
    faces = {
        SlotState.RUNNING: Face(glyphs.up, "running", Tone.OK),
        SlotState.STARTING: Face(glyphs.busy, "starting", Tone.BUSY),
        SlotState.STOPPING: Face(glyphs.busy, "stopping", Tone.BUSY),
        SlotState.STOPPED: Face(glyphs.off, "stopped", Tone.MUTED),
        SlotState.BACKING_OFF: Face(glyphs.waiting, "backing off", Tone.WARN),
        SlotState.NEEDS_CREDENTIALS: Face(glyphs.ask, "needs credentials", Tone.WARN),
        SlotState.DEAD: Face(glyphs.down, "dead", Tone.FAULT),
    }
    return faces[state]


def status_face(status: RunStatus, glyphs: Glyphs) -> Face:
    """Return how a run's status looks."""
    faces = {
        RunStatus.PENDING: Face(glyphs.run_pending, "pending", Tone.BUSY),
        RunStatus.RUNNING: Face(glyphs.run_active, "running", Tone.BUSY),
        RunStatus.SUCCEEDED: Face(glyphs.run_done, "succeeded", Tone.OK),
        RunStatus.FAILED: Face(glyphs.run_failed, "failed", Tone.FAULT),
        RunStatus.ABORTED: Face(glyphs.run_aborted, "aborted", Tone.MUTED),
    }
    return faces[status]


def is_faulty(bundle: BundleView) -> bool:
    """Say whether a bundle is down or not what was configured."""
    return is_down(bundle) or bool(bundle.stale) or bundle.restart_pending


def is_down(bundle: BundleView) -> bool:
    """Say whether a bundle should run and does not, other than while it starts."""
    return bundle.state in (SlotState.DEAD, SlotState.BACKING_OFF, SlotState.NEEDS_CREDENTIALS)


def short_reasons(bundle: BundleView, now: int) -> tuple[str, ...]:
    """Return the few words beside a bundle's state, longest first; none when all is said."""
    match bundle.state:
        case SlotState.STARTING if bundle.step:
            return (_words(bundle.step),)
        case SlotState.RUNNING if bundle.restart_pending:
            return ("restart pending",)
        case SlotState.RUNNING if bundle.stale:
            return f"stale {', '.join(bundle.stale)}", "stale"
        case SlotState.BACKING_OFF:
            word = "parked" if bundle.parked else "retry"
            return (f"{word} {countdown(bundle.retry_at, now)}",)
        case SlotState.NEEDS_CREDENTIALS if bundle.missing_fields:
            count = len(bundle.missing_fields)
            return ", ".join(bundle.missing_fields), plural(count, "field"), str(count)
        case SlotState.DEAD:
            return (_why_dead(bundle),)
        case _:
            return ()


def _why_dead(bundle: BundleView) -> str:
    if bundle.crash is not None:
        return bundle.crash.exit
    if bundle.step is not None:
        return f"{_words(bundle.step)} failed"
    return _words(bundle.reason.code) if bundle.reason else ""


def _words(name: str) -> str:
    return name.replace("_", " ")


def uptime(bundle: BundleView, now: int) -> str:
    """Return how long the present process has been up or starting."""
    generation = bundle.generation
    if bundle.state is SlotState.STARTING:
        return duration(now - bundle.since)
    if generation is None or generation.ended_at is not None:
        return NOTHING
    if bundle.state not in (SlotState.RUNNING, SlotState.STOPPING):
        return NOTHING
    return duration(now - (generation.ready_at or generation.spawned_at))


def start_text(generation: GenerationView | None) -> str:
    """Return how a generation was started and how long that took: ``cold 1.2s``."""
    if generation is None:
        return NOTHING
    mode = "snap" if generation.start_mode is StartMode.SNAPSHOT else "cold"
    return mode if generation.ready_ms is None else f"{mode} {latency(generation.ready_ms)}"


def bar(progress: RunProgress, width: int, glyphs: Glyphs) -> str:
    """Return a progress bar of `width` cells; without a total there is nothing to fill."""
    if not progress.total or progress.total <= 0:
        return ""
    share = min(max(progress.current / progress.total, 0.0), 1.0)
    full = int(share * width)
    return glyphs.bar_full * full + glyphs.bar_empty * (width - full)


def progress_count(progress: RunProgress) -> str:
    """Return ``7/10``, or ``7`` without a total."""
    current = f"{progress.current:g}"
    return current if progress.total is None else f"{current}/{progress.total:g}"


def run_time(run: RunView, now: int) -> str:
    """Return how long a run took, or has taken so far."""
    if run.started_at is None:
        return NOTHING
    end = run.finished_at if run.finished_at is not None else now
    return elapsed(end - run.started_at) if run.finished_at else duration(end - run.started_at)


def run_remark(run: RunView) -> str:
    """Return the words at the end of a run's row: why it ended badly, or its last message."""
    if run.error is not None:
        return run.error.sentence
    if run.status.is_active and run.stop_requested_at is not None:
        return "stop requested"
    if run.status.is_active and run.progress is not None:
        return run.progress.message or ""
    return ""


def run_place(run: RunView) -> str:
    """Return the scope of a run, or a dash."""
    return run.scope or NOTHING
