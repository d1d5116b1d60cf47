"""One run in words: what it is, how it went, what went in and what came out."""

from __future__ import annotations

from roost.models import RunDetail, RunStatus, RunView
from roost_tui import render, run_words
from roost_tui.glyphs import Glyphs
from roost_tui.log_entries import harmless
from roost_tui.spans import Spans, Tone
from roost_tui.text_blocks import blank, heading, pair, sentence, value_lines, wrapped_pair


def detail_lines(
    run: RunView, detail: RunDetail | None, now: int, width: int, glyphs: Glyphs
) -> list[Spans]:
    """Return the detail panel of a run: see `bundle_text.detail_lines`."""
    lines = head_lines(run, now, width, glyphs)
    return lines if detail is None else [*lines, *outcome_lines(detail)]


def head_lines(run: RunView, now: int, width: int, glyphs: Glyphs) -> list[Spans]:
    """Return what it is, how it goes or went, and everything about its beginning."""
    head = title_lines(run, now, width, glyphs)
    return [*head, blank(), *fact_lines(run, now, width, glyphs)]


def title_lines(run: RunView, now: int, width: int, glyphs: Glyphs) -> list[Spans]:
    """Return what it is and how it goes or went, with why it waits or ended badly."""
    lines = [_title(run, now, glyphs)]
    if run.error is not None:
        tone = Tone.FAULT if run.status is RunStatus.FAILED else Tone.TEXT
        lines += sentence(run.error.sentence, width, tone)
    if waits := run_words.waits_text(run, now):
        lines += sentence(f"It {waits}", width, run_words.waits_tone(run))
    return lines


def outcome_lines(detail: RunDetail) -> list[Spans]:
    """Return what went in and what came out."""
    lines = [blank(), heading("arguments"), *value_lines(detail.input)]
    if detail.run.error is not None:
        lines += [blank(), heading("error"), pair("code", (detail.run.error.code, Tone.TEXT))]
    if detail.result is not None:
        cut = " (cut to the size that is kept)" if detail.is_truncated else ""
        lines += [blank(), heading(f"result{cut}"), *value_lines(detail.result)]
    return lines


def _title(run: RunView, now: int, glyphs: Glyphs) -> Spans:
    face = render.run_face(run, glyphs)
    phase = run_words.phase_of(run)
    beside: Spans = ()
    if phase is not None:
        beside = ((f"  {run_words.PHASES[phase]}", Tone.WARN),)
    return (
        (f"  {run.title}", Tone.STRONG),
        (f"  {run.id}", Tone.MUTED),
        (f"  {face.glyph} {face.word}", face.tone),
        *beside,
        (f"  {render.run_time(run, now)}", Tone.MUTED),
    )


def fact_lines(run: RunView, now: int, width: int, glyphs: Glyphs) -> list[Spans]:
    """Return everything about its beginning, its lease and its stop."""
    begun = f"{render.clock_time(run.created_at)} by {run.created_by or 'unknown'}, {run.trigger}"
    kind = run.kind.value.replace("_", " ")
    facts: list[tuple[str, str]] = [("begun", f"{begun}, {kind}"), ("ran", _times(run))]
    if run.bundle:
        generation = f", generation {run.generation}" if run.generation is not None else ""
        facts.append(("bundle", f"{run.bundle}{generation}"))
    if run.progress is not None:
        count = render.progress_count(run.progress)
        facts.append(("progress", f"{count}  {run.progress.message or ''}"))
    facts += [
        ("scope", run.scope or ""),
        ("attempt", str(run.attempt) if run.attempt > 1 else ""),
        ("key", run.idempotency_key or ""),
        ("on behalf of", run.on_behalf_of or ""),
        ("parent", run.parent or ""),
        ("lease", _lease(run, now)),
    ]
    lines = [pair(label, (harmless(value), Tone.TEXT)) for label, value in facts if value]
    if run.link:
        lines += wrapped_pair("output", run.link, width, Tone.ACCENT)
    if run.stop_requested_at is not None:
        text = f"asked {render.clock_time(run.stop_requested_at)} by {run.stop_requested_by}"
        lines.append(pair("stop", (text, Tone.TEXT)))
        lines.append(pair("", *run_words.ladder(run, glyphs)))
    return lines


def _times(run: RunView) -> str:
    """Return from when to when, where that says more than the time it was begun."""
    if run.started_at is None or run.finished_at is None:
        return ""
    return f"{render.clock_time(run.started_at)} to {render.clock_time(run.finished_at)}"


def _lease(run: RunView, now: int) -> str:
    if run.lease_until is None or not run.status.is_active:
        return ""
    left = run.lease_until - now
    if left <= 0:
        return f"ran out {render.duration(-left)} ago"
    return f"holds {render.duration(left)} without a report"
