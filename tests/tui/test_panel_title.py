"""The line above a panel: its tabs, a rule, and a remark that gives way to them."""

from __future__ import annotations

from roost_tui.actions import Place
from roost_tui.spans import Spans, Tone, plain, width_of
from roost_tui.widgets.panel_title import PanelTitle

REMARK: Spans = (
    ("filesystem  ", Tone.STRONG),
    ("41 lines  ", Tone.MUTED),
    ("2 dropped  ", Tone.WARN),
    ("following", Tone.OK),
)


def _title() -> PanelTitle:
    title = PanelTitle("title")
    title.tabs, title.active = ((Place.LOGS, "Logs"), (Place.SNAPSHOT, "Snapshot")), Place.LOGS
    title.set_reactive(PanelTitle.remark, REMARK)
    return title


def test_a_remark_that_fits_is_whole_at_the_right_end() -> None:
    line = _title().spans(80)
    assert plain(line).startswith(" Logs  Snapshot ")
    assert plain(line).rstrip("─").endswith("filesystem  41 lines  2 dropped  following ")
    assert width_of(line) == 80


def test_a_long_remark_leaves_out_counts_before_what_matters_is_cut() -> None:
    line = plain(_title().spans(55))
    assert "filesystem  2 dropped  following" in line and "41 lines" not in line
    assert "filesystem  2 dropp…" in plain(_title().spans(40))
