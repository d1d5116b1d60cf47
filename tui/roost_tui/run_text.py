"""One run in words: what it is, how it went, what went in and what came out."""

from __future__ import annotations

from roost.models import RunDetail, RunView
from roost_tui import render
from roost_tui.glyphs import Glyphs
from roost_tui.spans import Spans, Tone
from roost_tui.text_blocks import blank, heading, pair, sentence, value_lines


def detail_lines(
    run: RunView, detail: RunDetail | None, now: int, width: int, glyphs: Glyphs
) -> list[Spans]:
    """Return the detail panel of a run: see `bundle_text.detail_lines`."""
    lines = [_title(run, now, glyphs)]
    if run.error is not None:
        lines += sentence(run.error.sentence, width)
    lines += [blank(), *_facts(run)]
    if detail is None:
        return lines
    lines += [blank(), heading("arguments"), *value_lines(detail.input)]
    if detail.result is not None:
        cut = " (cut to the size that is kept)" if detail.is_truncated else ""
        lines += [blank(), heading(f"result{cut}"), *value_lines(detail.result)]
    return lines


def _title(run: RunView, now: int, glyphs: Glyphs) -> Spans:
    face = render.status_face(run.status, glyphs)
    return (
        (f"  {run.title}", Tone.STRONG),
        (f"  {run.id}", Tone.MUTED),
        (f"  {face.glyph} {face.word}", face.tone),
        (f"  {render.run_time(run, now)}", Tone.MUTED),
    )


def _facts(run: RunView) -> list[Spans]:
    begun = f"{render.clock_time(run.created_at)} by {run.created_by or 'unknown'}, {run.trigger}"
    lines = [pair("begun", (begun, Tone.TEXT))]
    if run.bundle:
        generation = f", generation {run.generation}" if run.generation is not None else ""
        lines.append(pair("bundle", (f"{run.bundle}{generation}", Tone.TEXT)))
    if run.scope:
        lines.append(pair("scope", (run.scope, Tone.TEXT)))
    if run.progress is not None:
        text = render.progress_count(run.progress)
        lines.append(pair("progress", (f"{text}  {run.progress.message or ''}", Tone.TEXT)))
    if run.stop_requested_at is not None:
        text = f"asked {render.clock_time(run.stop_requested_at)} by {run.stop_requested_by}"
        lines.append(pair("stop", (text, Tone.TEXT)))
    if run.attempt > 1:
        lines.append(pair("attempt", (str(run.attempt), Tone.TEXT)))
    if run.idempotency_key:
        lines.append(pair("key", (run.idempotency_key, Tone.TEXT)))
    if run.on_behalf_of:
        lines.append(pair("on behalf of", (run.on_behalf_of, Tone.TEXT)))
    return lines
