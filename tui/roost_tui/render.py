"""Numbers, times and states as short text: pure functions, no widgets."""

from __future__ import annotations

from dataclasses import dataclass

from roost.client.amounts import (
    NOTHING,
    clock_time,
    countdown,
    duration,
    elapsed,
    grouped,
    latency,
    percent,
    plural,
    size,
)
from roost.models import (
    BundleKind,
    BundleView,
    GenerationView,
    RunProgress,
    RunStatus,
    Runtime,
    RunView,
    SlotState,
    StartMode,
)
from roost_tui.glyphs import Glyphs
from roost_tui.spans import Tone

__all__ = [
    "NOTHING",
    "Face",
    "bar",
    "clock_minute",
    "clock_time",
    "countdown",
    "duration",
    "elapsed",
    "grouped",
    "is_down",
    "is_faulty",
    "is_handing_over",
    "kind_text",
    "latency",
    "percent",
    "plural",
    "progress_count",
    "run_face",
    "run_place",
    "run_remark",
    "run_time",
    "short_reasons",
    "size",
    "start_text",
    "state_face",
    "status_face",
    "uptime",
]


def clock_minute(at: int) -> str:
    """Return the local time of day without seconds, for where room is short."""
    return clock_time(at)[:5]


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


def run_face(run: RunView, glyphs: Glyphs) -> Face:
    """Return how a run's status looks; a run of a task that waits says so."""
    if run.status is not RunStatus.PENDING or run.waits is None:
        return status_face(run.status, glyphs)
    if run.waits == "user":
        return Face(glyphs.ask, "suspended", Tone.WARN)
    return Face(glyphs.waiting, "waiting", Tone.BUSY)


def is_faulty(bundle: BundleView) -> bool:
    """Say whether a bundle is down or not what was configured."""
    return is_down(bundle) or bool(bundle.stale) or bundle.restart_pending


def is_down(bundle: BundleView) -> bool:
    """Say whether a bundle should run and does not, other than while it starts."""
    return bundle.state in (SlotState.DEAD, SlotState.BACKING_OFF, SlotState.NEEDS_CREDENTIALS)


def kind_text(bundle: BundleView) -> str:
    """Return the kind with its runtime, which a server that runs elsewhere does not have."""
    kind = "mcp http" if bundle.kind is BundleKind.MCP_HTTP else str(bundle.kind)
    return kind if bundle.runtime is Runtime.ELSEWHERE else f"{kind} {bundle.runtime}"


def short_reasons(bundle: BundleView, now: int) -> tuple[str, ...]:
    """Return the few words beside a bundle's state, longest first; none when all is said."""
    if bundle.waits_for and bundle.state is not SlotState.RUNNING:
        first, more = bundle.waits_for[0], len(bundle.waits_for) - 1
        short = f"waits for {first} +{more}" if more else f"waits for {first}"
        return f"waits for {', '.join(bundle.waits_for)}", short, "waits"
    match bundle.state:
        case SlotState.STARTING if bundle.step:
            return (_words(bundle.step),)
        case SlotState.RUNNING:
            return _running_words(bundle)
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


def is_handing_over(bundle: BundleView) -> bool:
    """Say whether its next generation is being started beside the running one."""
    is_under_way = bundle.step is not None and bundle.reason is None
    return bundle.state is SlotState.RUNNING and (bundle.candidate is not None or is_under_way)


def _running_words(bundle: BundleView) -> tuple[str, ...]:
    if is_handing_over(bundle):
        step = f" {_words(bundle.step)}" if bundle.step else ""
        number = f" to {bundle.candidate.number}" if bundle.candidate else ""
        return f"handover{number}{step}", f"handover{step}", "handover"
    failed = f"{_words(bundle.step)} failed" if bundle.step and bundle.reason else ""
    stale = f"stale {', '.join(bundle.stale)}" if bundle.stale else ""
    if bundle.restart_pending:
        # A change that waits for its respawn is what it lags behind in.
        pending = "restart pending"
        return (f"{pending}, {failed}", pending) if failed else (pending,)
    if stale:
        longest = (f"{stale}, {failed}",) if failed else ()
        return *longest, stale, "stale"
    return (failed,) if failed else ()


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


_START_WORDS = {
    StartMode.COLD: "cold",
    StartMode.ZYGOTE: "zygote",
    StartMode.CODE_CACHE: "cache",
    StartMode.HEAP: "snap",
    StartMode.STANDBY: "standby",
}


def start_text(generation: GenerationView | None) -> str:
    """Return how a generation was started and how long that took: ``zygote 22ms``."""
    if generation is None:
        return NOTHING
    mode = _START_WORDS[generation.start_mode]
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
    if run.status.is_active and run.progress is not None:
        return run.progress.message or ""
    return ""


def run_place(run: RunView) -> str:
    """Return the scope of a run, or a dash."""
    return run.scope or NOTHING
