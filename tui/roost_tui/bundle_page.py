"""The bundle screen as text: how it stands, what it uses, its generations and its moves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from roost.models import (
    BundleDetail,
    BundleView,
    FigureSample,
    GenerationView,
    InstalledVersion,
    SlotState,
    SnapshotView,
    Transition,
)
from roost_tui import bundle_text, render, snapshot_text, version_text
from roost_tui.glyphs import Glyphs
from roost_tui.notes import RowNote
from roost_tui.render import NOTHING
from roost_tui.spans import Span, Spans, Tone, width_of
from roost_tui.sparkline import sparkline
from roost_tui.text_blocks import blank, heading, pair, wrapped_pair
from roost_tui.text_blocks import sentence as wrapped

if TYPE_CHECKING:
    from roost_tui.worker_tasks import WorkerTasks  # loaded when a worker is first shown

SPARK_CELLS = 60
"""Cells of a sparkline at most; the daemon keeps twice as many samples, so a cell is a pair."""

BESIDE_SPARK = 50
"""Cells that a line of figures takes without its sparkline."""

ROOMY = 100
"""Cells from which on a table shows its columns beyond the needed ones."""

_ALIVE = (SlotState.STARTING, SlotState.RUNNING, SlotState.STOPPING)


class Presence(Enum):
    """What is known of the bundle beyond its row."""

    READING = auto()
    KNOWN = auto()
    REMOVED = auto()


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that the screen shows of one bundle."""

    bundle: BundleView
    detail: BundleDetail | None
    samples: tuple[FigureSample, ...]
    """Oldest first."""
    moves: Sequence[Transition]
    """Newest first."""
    note: RowNote | None = None
    presence: Presence = Presence.KNOWN
    problem: str = ""
    """Why no more could be read."""
    versions: Sequence[InstalledVersion] = ()
    """What is kept on this machine, newest first."""
    snapshot: SnapshotView | None = None
    """How its startup snapshot stands, once that is known."""
    work: WorkerTasks | None = None
    """What a worker offers, once that is known."""


def lines(page: Page, width: int, *, now: int, glyphs: Glyphs) -> list[Spans]:
    """Return the screen's lines.

    Args:
        page: what is known.
        width: cells of a line.
        now: epoch milliseconds.
        glyphs: the set of characters.
    """
    found = _standing(page, width, now, glyphs)
    if page.work is not None:
        found += [blank(), *page.work.lines(width, now)]
    found += [blank(), *_figures(page, width, glyphs)]
    if generations := _generations(page, width, now):
        found += [blank(), *generations]
    if page.versions:
        found += [blank(), *version_text.version_lines(page.versions, width)]
    if page.bundle.crash is not None:
        found += [blank(), *bundle_text.crash_lines(page.bundle.crash)]
    found += [blank(), *_moves(page, width, glyphs)]
    return [*found, blank(), *_about(page, width)]


# How it stands ------------------------------------------------------------------------------------


def _standing(page: Page, width: int, now: int, glyphs: Glyphs) -> list[Spans]:
    bundle = page.bundle
    title = bundle_text.title_line(bundle, now, glyphs)
    if page.presence is Presence.REMOVED:
        gone = "It was removed; this is how it stood last. Its logs and runs are kept."
        return [
            ((f"  {bundle.name}", Tone.STRONG), ("  removed", Tone.WARN)),
            *wrapped(gone, width),
        ]
    said = [(*title, *_note(page.note, bundle.state, now))]
    if bundle.reason is not None:
        said += wrapped(bundle.reason.sentence, width)
    attention = bundle_text.attention_lines(bundle, width)
    told = [snapshot_text.short_line(page.snapshot, glyphs)] if page.snapshot else []
    return [*said, *_under_way(bundle, now), *attention, *told, *_problem(page, width)]


def _note(note: RowNote | None, state: SlotState, now: int) -> Spans:
    if note is None or note.is_over(now):
        return ()
    return (("  ", Tone.TEXT), (note.wordings(beside=state)[0], note.tone))


def _under_way(bundle: BundleView, now: int) -> list[Spans]:
    """Return what happens next by itself, with its step and its countdown."""
    found: list[Spans] = []
    step = bundle.step.replace("_", " ") if bundle.step else ""
    if render.is_handing_over(bundle):
        found.append(pair("handover", *_handover(bundle, step, now)))
    elif step and bundle.state is SlotState.STARTING:
        found.append(pair("step", (step, Tone.BUSY)))
    elif step and bundle.reason is not None:
        found.append(pair("failed at", (step, Tone.FAULT)))
    if bundle.state is SlotState.BACKING_OFF and bundle.retry_at is not None:
        left = render.countdown(bundle.retry_at, now)
        when = "now" if left == "now" else f"in {left}"
        parked = ", parked after many failures" if bundle.parked else ""
        found.append(pair("next try", (when, Tone.WARN), (parked, Tone.MUTED)))
    return found


def _handover(bundle: BundleView, step: str, now: int) -> tuple[Span, ...]:
    candidate = bundle.candidate
    if candidate is None:
        return (("the next generation is prepared: ", Tone.TEXT), (step, Tone.BUSY))
    age = render.duration(now - candidate.spawned_at)
    serving = f"; generation {bundle.generation.number} serves" if bundle.generation else ""
    return (
        (f"generation {candidate.number} is verified: ", Tone.TEXT),
        (f"{step} for {age}" if step else f"for {age}", Tone.BUSY),
        (serving, Tone.MUTED),
    )


def _problem(page: Page, width: int) -> list[Spans]:
    if page.problem:
        return wrapped(f"No more could be read: {page.problem}", width, Tone.WARN)
    if page.presence is Presence.READING:
        return [(("  Reading its history", Tone.MUTED),)]
    return []


# Figures ------------------------------------------------------------------------------------------

_Count = Callable[[FigureSample], float | None]


@dataclass(frozen=True, slots=True)
class _Figure:
    label: str
    of: _Count
    text: Callable[[float], str]
    now: str
    is_relative: bool = True
    """Whether it is drawn between its least and its most; what is a share is drawn from zero."""


def _figures(page: Page, width: int, glyphs: Glyphs) -> list[Spans]:
    samples = page.samples
    if not samples and page.bundle.figures is None:
        return [heading("FIGURES"), (("  Nothing was measured yet.", Tone.MUTED),)]
    span = f" of the last {render.duration(samples[-1].at - samples[0].at)}" if samples else ""
    room = max(min(SPARK_CELLS, width - BESIDE_SPARK), 8)
    shown = [_figure(entry, samples, room, glyphs) for entry in _rows(page.bundle)]
    return [heading(f"FIGURES{span if len(samples) > 1 else ''}"), *shown]


def _rows(bundle: BundleView) -> Iterable[_Figure]:
    figures = bundle.figures if bundle.state in _ALIVE else None
    descriptors = figures.descriptors if figures else None
    return (
        _Figure(
            "CPU",
            lambda sample: sample.cpu_percent,
            render.percent,
            render.percent(figures.cpu_percent) if figures else NOTHING,
            is_relative=False,
        ),
        _Figure(
            "memory",
            lambda sample: sample.rss_bytes,
            lambda value: render.size(round(value)),
            render.size(figures.rss_bytes) if figures else NOTHING,
        ),
        _Figure(
            "descriptors",
            lambda sample: sample.descriptors,
            lambda value: render.grouped(round(value)),
            NOTHING if descriptors is None else render.grouped(descriptors),
        ),
        _Figure(
            "threads",
            lambda sample: sample.threads,
            lambda value: render.grouped(round(value)),
            render.grouped(figures.threads) if figures else NOTHING,
        ),
    )


def _figure(entry: _Figure, samples: Sequence[FigureSample], room: int, glyphs: Glyphs) -> Spans:
    values = [entry.of(sample) for sample in samples]
    known = [value for value in values if value is not None]
    least = min(known, default=0.0) if entry.is_relative else 0.0
    drawn = f"{sparkline(values, room, glyphs.spark, least=least):<{room}}"
    most = f"  most {entry.text(max(known))}" if known else ""
    fewest = f"  least {entry.text(min(known))}" if known else ""
    return pair(
        entry.label,
        (drawn, Tone.ACCENT),
        (f"  {entry.now:>6}", Tone.STRONG),
        (most + fewest, Tone.MUTED),
    )


# Generations --------------------------------------------------------------------------------------


def _generations(page: Page, width: int, now: int) -> list[Spans]:
    entries = _newest(page)
    if not entries:
        return []
    is_roomy = width >= ROOMY
    begun = f"  {'SPAWNED':<8}" if is_roomy else ""
    titles = (
        f"{'GEN':>3}  {'VERSION':<10}  {'CONFIG':<8}  {'CRED':>4}{begun}  {'START':<8}  "
        f"{'READY':>6}  {'LIVED':>6}  ENDED"
    )
    return [
        heading(titles),
        *(_generation(entry, page.bundle, now, is_roomy=is_roomy) for entry in entries),
    ]


def _newest(page: Page) -> list[GenerationView]:
    """Return the generations, newest first, each as it was last told."""
    known = {entry.number: entry for entry in page.detail.generations} if page.detail else {}
    for told in (page.bundle.generation, page.bundle.candidate):
        if told is not None:
            known[told.number] = told
    return [known[number] for number in sorted(known, reverse=True)]


def _generation(entry: GenerationView, bundle: BundleView, now: int, *, is_roomy: bool) -> Spans:
    lived = render.duration((entry.ended_at or now) - entry.spawned_at)
    ready = NOTHING if entry.ready_ms is None else render.latency(entry.ready_ms)
    begun = f"  {render.clock_time(entry.spawned_at)}" if is_roomy else ""
    left = (
        f"{entry.version or NOTHING:<10.10}  {entry.config_hash:<8.8}  "
        f"{entry.credential_revision:>4}{begun}  {entry.start_mode:<8}  {ready:>6}  {lived:>6}  "
    )
    number: Span = (f"  {entry.number:>3}  ", Tone.STRONG)
    return (number, (left, Tone.TEXT), _end(entry, bundle))


def _end(entry: GenerationView, bundle: BundleView) -> Span:
    if entry.ended_at is not None:
        return entry.exit or "ended", Tone.MUTED
    if bundle.candidate is not None and entry.id == bundle.candidate.id:
        return "candidate", Tone.BUSY
    if bundle.generation is None or entry.id != bundle.generation.id:
        return "ending", Tone.MUTED
    words = {SlotState.STARTING: "starting", SlotState.STOPPING: "stopping"}
    if bundle.state in words:
        return words[bundle.state], Tone.BUSY
    return ("up", Tone.OK) if bundle.state is SlotState.RUNNING else ("ended", Tone.MUTED)


# History ------------------------------------------------------------------------------------------


def _moves(page: Page, width: int, glyphs: Glyphs) -> list[Spans]:
    found = [heading("HISTORY")]
    for move in page.moves:
        found += _move(move, width, glyphs)
    return found if page.moves else [*found, (("  Nothing has happened yet.", Tone.MUTED),)]


def _move(move: Transition, width: int, glyphs: Glyphs) -> list[Spans]:
    face = render.state_face(move.after, glyphs)
    before = render.state_face(move.before, glyphs).word
    step = f" {move.step.replace('_', ' ')}" if move.step else ""
    generation = f"  gen {move.generation}" if move.generation is not None else ""
    line: Spans = (
        (f"  {render.clock_time(move.at)}  ", Tone.MUTED),
        (f"{before} > ", Tone.MUTED),
        (f"{face.glyph} {face.word}{step}", face.tone),
        (f"  {move.cause} by {move.actor}{generation}", Tone.MUTED),
    )
    reason = ("  " + move.reason, Tone.TEXT) if move.reason else ("", Tone.TEXT)
    if width_of((*line, reason)) <= width:
        return [(*line, reason)]
    indent = " " * 10
    return [
        line,
        *(((indent, Tone.TEXT), *rest) for rest in wrapped(move.reason or "", width - 10)),
    ]


# What it is ---------------------------------------------------------------------------------------


def _about(page: Page, width: int) -> list[Spans]:
    bundle = page.bundle
    found = [
        heading("BUNDLE"),
        *bundle_text.kind_lines(bundle),
        *bundle_text.offer_lines(bundle),
    ]
    if page.detail is None:
        return found
    definition = page.detail.definition
    if definition.after:
        found += wrapped_pair("after", ", ".join(definition.after), width)
    found.append(pair("respawn by", (definition.settings.strategy, Tone.TEXT)))
    return found + bundle_text.definition_lines(page.detail, width)
