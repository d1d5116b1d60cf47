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
    lines = [title_line(bundle, now, glyphs)]
    if bundle.reason is not None:
        lines += sentence(bundle.reason.sentence, width)
    lines += [blank(), *facts(bundle, width)]
    if detail is not None:
        lines += definition_lines(detail, width)
    if bundle.crash is not None:
        lines += [blank(), *crash_lines(bundle.crash)]
    if detail is not None and detail.generations:
        lines += [blank(), *_generations(detail.generations, now)]
    return lines


def title_line(bundle: BundleView, now: int, glyphs: Glyphs) -> Spans:
    """Return the name with the state and how long it has lasted."""
    face = render.state_face(bundle.state, glyphs)
    title = f"  {bundle.title}" if bundle.title != bundle.name else ""
    return (
        (f"  {bundle.name}", Tone.STRONG),
        (title, Tone.MUTED),
        (f"  {face.glyph} {face.word}", face.tone),
        (f"  for {render.duration(now - bundle.since)}", Tone.MUTED),
    )


def facts(bundle: BundleView, width: int) -> list[Spans]:
    """Return what is so of a bundle beyond its state."""
    return [*kind_lines(bundle), *attention_lines(bundle, width), *offer_lines(bundle)]


def kind_lines(bundle: BundleView) -> list[Spans]:
    """Return what kind of bundle it is, and which credentials it has."""
    era = f", MCP {bundle.era}" if bundle.era else ""
    kind = f"{render.kind_text(bundle)}, version {bundle.version or render.NOTHING}{era}"
    return [pair("kind", (kind, Tone.TEXT)), pair("credentials", *_credentials(bundle))]


def attention_lines(bundle: BundleView, width: int) -> list[Spans]:
    """Return what an operator has to know of a bundle before doing anything to it."""
    lines: list[Spans] = []
    if bundle.waits_for:
        text = f"its start waits until {', '.join(bundle.waits_for)} can serve"
        lines += wrapped_pair("waits for", text, width, Tone.WARN)
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
    return lines


def offer_lines(bundle: BundleView) -> list[Spans]:
    """Return what a bundle offers: where it is reached and how many tools it has."""
    lines: list[Spans] = []
    if bundle.address is not None:
        lines.append(pair("address", (bundle.address, Tone.ACCENT)))
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


def definition_lines(detail: BundleDetail, width: int) -> list[Spans]:
    """Return what is started, and with which environment."""
    names = ", ".join(detail.env_names) or "none added"
    source = f"{detail.definition.source.kind}: {detail.definition.source.origin}"
    return [
        *_start_lines(detail, width),
        *wrapped_pair("environment", names, width),
        *wrapped_pair("source", source, width, Tone.MUTED),
    ]


def _start_lines(detail: BundleDetail, width: int) -> list[Spans]:
    """Return what runs here, and where a server over HTTP answers."""
    definition = detail.definition
    if detail.argv:
        found = wrapped_pair("command", shlex.join(detail.argv), width)
    else:
        found = wrapped_pair("command", "none: the server runs elsewhere", width, Tone.MUTED)
    if definition.url:
        found += wrapped_pair("answers at", definition.url, width, Tone.ACCENT)
    if definition.headers:
        found += wrapped_pair("headers", ", ".join(sorted(definition.headers)), width)
    if definition.secret_arguments:
        said = "a secret stands in its command line, where every user of the machine can read it"
        found += wrapped_pair("exposed", said, width, Tone.WARN)
    return found


def crash_lines(crash: CrashRecord) -> list[Spans]:
    """Return the last end that nobody asked for, with its last words."""
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
    left = f"  {entry.number:>3}  {entry.version or render.NOTHING:<10.10}  "
    left += f"{entry.credential_revision:>4}  "
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
