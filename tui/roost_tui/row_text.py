"""The selected row in words, whichever kind it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from roost.models import BundleDetail, RunDetail, Transition
from roost_tui import bundle_text, run_text
from roost_tui.glyphs import Glyphs
from roost_tui.selection import Selection
from roost_tui.spans import Spans, Tone

Detail = BundleDetail | RunDetail


def detail_lines(
    selection: Selection, detail: Detail | None, width: int, *, now: int, glyphs: Glyphs
) -> Sequence[Spans]:
    """Return the detail panel of the selected row: see `bundle_text` and `run_text`."""
    if selection.bundle is not None:
        known = detail if isinstance(detail, BundleDetail) else None
        return bundle_text.detail_lines(selection.bundle, known, now, width, glyphs)
    if selection.run is not None:
        loaded = detail if isinstance(detail, RunDetail) else None
        return run_text.detail_lines(selection.run, loaded, now, width, glyphs)
    return [(("  Nothing is selected.", Tone.MUTED),)]


def transitions(
    selection: Selection, detail: Detail | None, known: Iterable[Transition]
) -> list[Transition]:
    """Return the moves of the selected bundle, or of the bundle that does the run's work.

    Args:
        selection: the selected row.
        detail: what was loaded about it; its moves reach back further.
        known: the moves seen since the screen opened, newest first.
    """
    row = selection.bundle or selection.run
    name = selection.bundle.name if selection.bundle else selection.run and selection.run.bundle
    if row is None or not name:
        return []
    live = [entry for entry in known if (entry.workspace, entry.bundle) == (row.workspace, name)]
    older = detail.transitions if isinstance(detail, BundleDetail) else ()
    seen = set(live)
    return live + [entry for entry in older if entry not in seen]
