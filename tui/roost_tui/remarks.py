"""What stands at the right of a panel's title, and what an empty panel says."""

from __future__ import annotations

from roost_tui import render
from roost_tui.filters import Filter
from roost_tui.spans import Span, Spans, Tone
from roost_tui.state import LinkPhase, ScreenState


def table_remark(shown: int, unfiltered: int, wanted: Filter, *, faults_only: bool) -> Spans:
    """Return what narrows a table: the filter and how many rows it leaves."""
    spans: list[Span] = []
    if faults_only:
        spans.append(("faults only  ", Tone.WARN))
    if wanted:
        count = f"{render.grouped(shown)} of {render.grouped(unfiltered)}"
        spans += [(f"/ {wanted.source}  ", Tone.ACCENT), (count, Tone.TEXT)]
    elif unfiltered:
        spans.append((render.grouped(unfiltered), Tone.MUTED))
    return tuple(spans)


def log_remark(
    label: str,
    *,
    past: str,
    is_live: bool,
    is_complete: bool,
    shown: int,
    total: int,
    dropped: int,
    new_lines: int,
    is_following: bool,
    wanted: Filter,
) -> Spans:
    """Return whose log it is, how much of it is shown and whether it is followed."""
    if not label:
        return ()
    spans: list[Span] = [(f"{label}  ", Tone.STRONG)]
    if past:
        spans.append((f"{past}  ", Tone.WARN))
    if wanted:
        spans.append((f"/ {wanted.source}  ", Tone.ACCENT))
    if total:
        part = f"{render.grouped(shown)} of " if wanted else ""
        spans.append((f"{part}{render.plural(total, 'line')}  ", Tone.MUTED))
    if dropped:
        spans.append((f"{render.grouped(dropped)} dropped  ", Tone.WARN))
    if past or not is_live:
        spans.append(("not followed", Tone.WARN))
    elif is_complete:
        spans.append(("complete", Tone.MUTED))
    elif is_following:
        spans.append(("following", Tone.OK))
    else:
        news = f", {render.grouped(new_lines)} new" if new_lines else ""
        spans.append((f"paused{news}", Tone.WARN))
    return tuple(spans)


def no_bundles(state: ScreenState, wanted: Filter, *, faults_only: bool) -> tuple[Spans, ...]:
    """Return what the bundle table says when it has no rows."""
    if not state.has_seen_engine:
        return _before_contact(state)
    if wanted:
        return _nothing_matches(wanted)
    if faults_only:
        return ((("Nothing is down.", Tone.OK), ("  ! shows everything again", Tone.MUTED)),)
    return _first_run()


def _before_contact(state: ScreenState) -> tuple[Spans, ...]:
    if state.link.phase is LinkPhase.CONNECTING:
        return ((("Connecting to the daemon...", Tone.MUTED),),)
    return ((("Nothing is known yet: the daemon has not answered.", Tone.MUTED),),)


def _nothing_matches(wanted: Filter) -> tuple[Spans, ...]:
    return (((f"Nothing matches {wanted.source}", Tone.TEXT), ("  esc clears it", Tone.MUTED)),)


def _first_run() -> tuple[Spans, ...]:
    """Return what is said beside the runs of bundles that are gone."""
    return (
        (("No bundle is installed.", Tone.STRONG),),
        (("The command palette adds one, or imports those of MCP clients.", Tone.MUTED),),
    )


def no_runs(state: ScreenState, wanted: Filter, *, faults_only: bool) -> tuple[Spans, ...]:
    """Return what the run table says when it has no rows."""
    if not state.has_seen_engine:
        return ()
    if wanted:
        return _nothing_matches(wanted)
    if faults_only:
        return ((("No run has failed.", Tone.OK),),)
    return ((("No runs yet. A tool call, a command or a task begins one.", Tone.MUTED),),)
