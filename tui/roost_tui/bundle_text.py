"""One bundle in words: its state with the reason, its process, its history."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from roost.models import BundleDetail, BundleView, CrashRecord, GenerationView, Transition
from roost_tui import render
from roost_tui.glyphs import Glyphs
from roost_tui.spans import Span, Spans, Tone
from roost_tui.text_blocks import blank, heading, pair, raw_lines, sentence, wrapped_pair

GENERATIONS_SHOWN = 8


def detail_lines(
    bundle: BundleView, detail: BundleDetail | None, now: int, width: int, glyphs: Glyphs
) -> list[Spans]:
    """Return the detail panel of a bundle.

    Args:
        bundle: the newest view.
        detail: what was loaded about it, once it has been.
        now: epoch milliseconds.
        width: cells of a line.
        glyphs: the set of characters.
    """
    lines = [_title(bundle, now, glyphs)]
    if bundle.reason is not None:
        lines += sentence(bundle.reason.sentence, width)
    lines += [blank(), *_facts(bundle, width)]
    if detail is not None:
        lines += _definition(detail, width)
    if bundle.crash is not None:
        lines += [blank(), *_crash(bundle.crash)]
    if detail is not None and detail.generations:
        lines += [blank(), *_generations(detail.generations, now)]
    return lines


def _title(bundle: BundleView, now: int, glyphs: Glyphs) -> Spans:
    face = render.state_face(bundle.state, glyphs)
    title = f"  {bundle.title}" if bundle.title != bundle.name else ""
    return (
        (f"  {bundle.name}", Tone.STRONG),
        (title, Tone.MUTED),
        (f"  {face.glyph} {face.word}", face.tone),
        (f"  for {render.duration(now - bundle.since)}", Tone.MUTED),
    )


def _facts(bundle: BundleView, width: int) -> list[Spans]:
    era = f", MCP {bundle.era}" if bundle.era else ""
    kind = f"{bundle.kind} {bundle.runtime}, version {bundle.version}{era}"
    lines = [pair("kind", (kind, Tone.TEXT)), pair("credentials", *_credentials(bundle))]
    if bundle.stale:
        text = f"the process lags behind in {', '.join(bundle.stale)}; respawn it to catch up"
        lines += wrapped_pair("stale", text, width, Tone.WARN)
    if bundle.restart_pending:
        text = "a change waits for a respawn, which this bundle only gets when asked"
        lines += wrapped_pair("pending", text, width, Tone.WARN)
    if bundle.protected:
        lines.append(pair("protected", ("stop, respawn and remove ask for a reason", Tone.TEXT)))
    if bundle.failures:
        lines.append(pair("failures", (str(bundle.failures), Tone.FAULT)))
    if bundle.tool_count is not None:
        lines.append(pair("tools", (str(bundle.tool_count), Tone.TEXT)))
    return lines


def _credentials(bundle: BundleView) -> tuple[Span, ...]:
    if not bundle.field_count:
        return (("asks for none", Tone.MUTED),)
    text = f"revision {bundle.credential_revision}, {render.plural(bundle.field_count, 'field')}"
    if not bundle.missing_fields:
        return ((text, Tone.TEXT),)
    return ((text, Tone.TEXT), (f", missing {', '.join(bundle.missing_fields)}", Tone.WARN))


def _definition(detail: BundleDetail, width: int) -> list[Spans]:
    names = ", ".join(detail.env_names) or "none added"
    source = f"{detail.definition.source.kind}: {detail.definition.source.origin}"
    return [
        *wrapped_pair("command", shlex.join(detail.argv), width),
        *wrapped_pair("environment", names, width),
        *wrapped_pair("source", source, width, Tone.MUTED),
    ]


def _crash(crash: CrashRecord) -> list[Spans]:
    where = f" at {crash.step.replace('_', ' ')}" if crash.step else ""
    head = f"{render.clock_time(crash.at)} generation {crash.generation} ended: {crash.exit}{where}"
    return [pair("crash", (head, Tone.FAULT)), *raw_lines(crash.stderr_tail)]


def _generations(generations: tuple[GenerationView, ...], now: int) -> list[Spans]:
    titles = f"{'GEN':>3}  {'VERSION':<10}  {'CRED':>4}  {'START':<14}  {'LIVED':>6}  ENDED"
    return [
        heading(titles),
        *(_generation(entry, now) for entry in generations[:GENERATIONS_SHOWN]),
    ]


def _generation(entry: GenerationView, now: int) -> Spans:
    lived = render.duration((entry.ended_at or now) - entry.spawned_at)
    ended = entry.exit or ("up" if entry.ended_at is None else "ended")
    left = f"  {entry.number:>3}  {entry.version:<10.10}  {entry.credential_revision:>4}  "
    return (
        (left + f"{render.start_text(entry):<14.14}  {lived:>6}  ", Tone.TEXT),
        (ended, Tone.OK if entry.ended_at is None else Tone.MUTED),
    )


def transition_lines(transitions: Iterable[Transition], width: int, glyphs: Glyphs) -> list[Spans]:
    """Return the moves of slots, newest first."""
    lines = [_transition(entry, glyphs) for entry in transitions]
    return lines or [(("  Nothing has happened yet.", Tone.MUTED),)]


def _transition(entry: Transition, glyphs: Glyphs) -> Spans:
    face = render.state_face(entry.after, glyphs)
    before = render.state_face(entry.before, glyphs).word
    step = f" {entry.step.replace('_', ' ')}" if entry.step else ""
    generation = f"  gen {entry.generation}" if entry.generation is not None else ""
    return (
        (f"  {render.clock_time(entry.at)}  ", Tone.MUTED),
        (f"{entry.bundle}  ", Tone.STRONG),
        (f"{before} > ", Tone.MUTED),
        (f"{face.glyph} {face.word}{step}", face.tone),
        (f"  {entry.cause} by {entry.actor}{generation}", Tone.MUTED),
        (f"  {entry.reason}" if entry.reason else "", Tone.TEXT),
    )
