"""Startup snapshots in words: states, bars, phases, findings and what a filter sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from roost.models import (
    GuardAction,
    GuardFinding,
    Reason,
    SnapshotBackend,
    SnapshotDetail,
    SnapshotPart,
    SnapshotPhase,
    SnapshotPolicy,
    SnapshotState,
    SnapshotView,
    StartTimes,
)
from roost_tui import render, snapshot_operations, snapshot_page, snapshot_rows, snapshot_text
from roost_tui.columns import Drawing
from roost_tui.filters import NO_FILTER, parse_filter
from roost_tui.glyphs import ASCII
from roost_tui.notes import RowNote
from roost_tui.row_model import Choice
from roost_tui.spans import Spans, Tone, plain, width_of

NOW = 1_700_000_000_000


def _view(state: SnapshotState | None = SnapshotState.READY, **changes: Any) -> SnapshotView:
    given: dict[str, Any] = {
        "backend": SnapshotBackend.ZYGOTE,
        "cold": StartTimes(15, 555, 824),
        "restored": StartTimes(9, 26, 32),
    }
    given |= {"is_eligible": True, "state": state} | changes
    return SnapshotView("acme", "time", SnapshotPolicy.AUTO, **given)


def _page(detail: SnapshotDetail | str | None, width: int = 100, **changes: Any) -> str:
    given: dict[str, Any] = {"note": None, "now": NOW, "glyphs": ASCII} | changes
    return _text(snapshot_page.lines(detail, width, **given))


def _panel(detail: SnapshotDetail | str | None, width: int = 100, **changes: Any) -> str:
    given: dict[str, Any] = {"note": None, "now": NOW, "glyphs": ASCII} | changes
    return _text(snapshot_text.panel_lines(detail, width, **given))


def _text(lines: Sequence[Spans]) -> str:
    return "\n".join(plain(line).rstrip() for line in lines)


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (_view(None), "- none"),
        (_view(None, is_eligible=False), "- not possible"),
        (
            _view(None, is_eligible=False, reason=Reason(snapshot_text.NOT_LOOKED_AT, "later")),
            "- not looked at",
        ),
        (_view(SnapshotState.BUILDING), "~ building"),
        (_view(SnapshotState.READY), "o ready"),
        (_view(SnapshotState.STALE), "~ stale"),
        (_view(SnapshotState.REFUSED), "! refused"),
        (_view(SnapshotState.FAILED), "! failed"),
    ],
)
def test_every_state_is_a_glyph_and_a_word(view: SnapshotView, words: str) -> None:
    look = snapshot_text.face(view, ASCII)
    assert f"{look.glyph} {look.word}" == words


def test_a_build_counts_its_phases_and_a_failed_one_names_where_it_broke_off() -> None:
    building = _view(SnapshotState.BUILDING, phase=SnapshotPhase.TEMPLATE)
    assert snapshot_text.beside_state(building) == "template 3/5"
    failed = _view(SnapshotState.FAILED, phase=SnapshotPhase.VERIFY)
    assert snapshot_text.beside_state(failed) == "at verify"
    assert snapshot_text.beside_state(_view(is_warm=True)) == "warm"


@pytest.mark.parametrize(
    ("cold", "restored", "text"),
    [(555, 26, "21x"), (100, 40, "2.5x"), (100, 125, "0.8x"), (None, 26, ""), (555, None, "")],
)
def test_the_gain_is_cold_over_restored(cold: int | None, restored: int | None, text: str) -> None:
    view = _view(cold=StartTimes(1, cold), restored=StartTimes(1, restored))
    assert snapshot_text.gain(view) == text


def test_bars_share_one_scale_and_what_is_not_zero_is_never_empty() -> None:
    cold, restored = snapshot_text.start_lines(_view(), 82, ASCII)
    assert plain(cold).count("#") == 20
    assert plain(restored).count("#") == 1
    assert "555ms  p95 824ms of 15 starts" in plain(cold)
    assert "26ms  p95 32ms of 9 starts  21x as fast" in plain(restored)


def test_one_slow_restored_start_does_not_break_the_bars() -> None:
    view = _view(cold=StartTimes(0), restored=StartTimes(1, 0, 0))
    (restored,) = snapshot_text.start_lines(view, 100, ASCII)
    assert "0ms" in plain(restored)


def test_the_phases_of_a_build_are_done_under_way_and_to_come() -> None:
    view = _view(SnapshotState.BUILDING, phase=SnapshotPhase.TEMPLATE)
    old = ((SnapshotPhase.TRACE, 800), (SnapshotPhase.VERIFY, 900))
    (line,) = snapshot_text.track(SnapshotDetail(view, phases_ms=old), 100, ASCII)
    assert plain(line).split("  ")[1:] == [
        "+ trace",
        "+ verdicts",
        "> template",
        ". verify",
        ". publish",
    ]


def test_the_phase_that_broke_off_is_marked_with_its_time() -> None:
    view = _view(SnapshotState.FAILED, phase=SnapshotPhase.TEMPLATE)
    taken = ((SnapshotPhase.TRACE, 800), (SnapshotPhase.VERDICTS, 9), (SnapshotPhase.TEMPLATE, 70))
    lines = snapshot_text.track(SnapshotDetail(view, phases_ms=taken), 40, ASCII)
    assert "! template 70ms" in _text(lines)
    assert ". publish" in _text(lines)
    assert all(width_of(line) <= 40 for line in lines)


def test_a_page_tells_why_it_was_refused_with_the_module_and_the_way_out() -> None:
    finding = GuardFinding(
        "environ_copy",
        GuardAction.REFUSE,
        "`settings` copied the environment: make the settings when the app runs",
        "settings",
        ("server", "server.tools"),
    )
    other = GuardFinding("output", GuardAction.EXCLUDE, "it printed", "banner")
    view = _view(SnapshotState.REFUSED, reason=Reason("environ_copy", "the reason"))
    page = _page(SnapshotDetail(view, findings=(other, finding)))
    assert "the reason" in page
    assert "! refuse  environ copy  settings" in page
    assert "make the settings when the app runs" in page
    assert "because they import it: server, server.tools" in page
    assert page.index("refuse  environ copy") < page.index("exclude output  banner")


def test_a_page_tells_what_it_was_made_from_and_what_is_left_to_each_start() -> None:
    detail = SnapshotDetail(
        _view(modules=653, excluded=2, template_bytes=57_000_000, build_ms=2400, built_at=NOW),
        entry="module server",
        interpreter="/usr/bin/python3.11",
        key="5f" * 32,
        parts=(SnapshotPart("sources", "12 files of /srv/app"),),
        excluded=("pool", "pool.jobs"),
        environment=("LANG", "TZ"),
        allowed=("git.cmd", "settings"),
    )
    page = _page(detail)
    for words in (
        "auto: starts use its snapshot when a valid one is there",
        "653 loaded, 2 left to each start",
        "54M, the template",
        "sources      12 files of /srv/app",
        "pool, pool.jobs",
        "LANG, TZ",
        "git.cmd, settings",
        "entry        module server",
        "key          5f5f5f5f5f5f5f5f",
        "BUILD, 2.4s",
        "built 0s ago",
    ):
        assert words in page, words


@pytest.mark.parametrize("width", [20, 40, 78, 120])
def test_no_line_of_a_page_is_wider_than_the_page_but_names_and_bars(width: int) -> None:
    reason = Reason("sources_changed", "some of its own files have changed since " * 3)
    detail = SnapshotDetail(_view(SnapshotState.STALE, reason=reason), excluded=("a.b",) * 40)
    lines = snapshot_page.lines(detail, width, note=None, now=NOW, glyphs=ASCII)
    prose = [line for line in lines if "changed" in plain(line) or "a.b" in plain(line)]
    assert len(prose) >= 3
    assert all(width_of(line) <= width for line in prose)


def test_what_cannot_be_read_is_said_and_what_was_never_built_is_no_fault() -> None:
    assert "no bundle named" in _page("no bundle named 'x'")
    assert "no bundle named" in _panel("no bundle named 'x'")
    assert "None was built yet, so its starts are cold" in _panel(SnapshotDetail(_view(None)))
    assert "Reading" in _page(None)
    assert "No snapshot is known" in _panel(None)


def test_what_was_done_to_it_stands_beside_its_state() -> None:
    note = RowNote("snapshot build", NOW, is_pending=True)
    assert "build pending" in _panel(SnapshotDetail(_view()), note=note)
    assert "build pending" in _page(SnapshotDetail(_view()), note=note)


def test_an_outcome_that_is_the_state_itself_is_told_by_its_time_alone() -> None:
    refused = RowNote("snapshot refused", NOW, is_failure=True)
    time = render.clock_minute(NOW)
    view = _view(SnapshotState.REFUSED)
    assert snapshot_text.note_wordings(refused, view, ASCII) == (time,)
    built = RowNote("snapshot built", NOW)
    assert snapshot_text.note_wordings(built, _view(), ASCII)[0] == f"built {time}"


def test_one_line_says_what_a_snapshot_saves_and_a_policy_that_is_not_the_usual_one() -> None:
    line = plain(snapshot_text.short_line(_view(is_warm=True), ASCII))
    assert line.split(maxsplit=1)[1] == "o ready  warm, zygote, 26ms to ready instead of 555ms"
    required = SnapshotView("acme", "time", SnapshotPolicy.OFF, is_eligible=True)
    assert "- none  policy off" in plain(snapshot_text.short_line(required, ASCII))


def test_a_pending_build_gives_way_to_the_phases_that_say_more() -> None:
    note = RowNote("snapshot build", NOW, is_pending=True)
    drawing = Drawing(NOW, ASCII, {("acme", "time"): note})
    state = snapshot_rows.COLUMNS[0]
    assert plain(state.cells(_view(), drawing, 40)) == "o ready  build pending"
    building = _view(SnapshotState.BUILDING, phase=SnapshotPhase.TRACE)
    assert plain(state.cells(building, drawing, 40)) == "~ building  trace 1/5"
    assert plain(state.cells(_view(), drawing, 18)) == "o ready  pending"


def test_rows_are_ordered_by_what_is_shown_ties_by_name() -> None:
    slow = _view(cold=StartTimes(1, 100), restored=StartTimes(1, 50))
    rows = [_view(None, cold=StartTimes(0), restored=StartTimes(0)), slow, _view()]
    by_gain = snapshot_rows.arranged(rows, Choice(sort_title="GAIN"))
    assert [snapshot_text.gain(row) for row in by_gain] == ["21x", "2.0x", ""]
    by_restored = snapshot_rows.arranged(rows, Choice(sort_title="RESTORED"))
    assert [row.restored.p50_ms for row in by_restored] == [26, 50, None]
    by_state = snapshot_rows.arranged(
        [_view(), _view(SnapshotState.REFUSED)], Choice(sort_title="STATE")
    )
    assert by_state[0].state is SnapshotState.REFUSED


@pytest.mark.parametrize(
    ("source", "is_kept"),
    [
        ("state:ready", True),
        ("state:none", False),
        ("policy:auto how:zygote warm:no", True),
        ("!name:time", False),
        ("refused", False),
    ],
)
def test_a_filter_sees_state_policy_and_how(source: str, is_kept: bool) -> None:
    wanted = parse_filter(source, snapshot_rows.SNAPSHOT_KEYS) or NO_FILTER
    assert wanted.matches(snapshot_rows.subject_of(_view()), NOW) is is_kept


def test_faults_are_what_an_operator_can_do_something_about() -> None:
    suspect = Reason("suspect", "the newest start from it failed")
    assert snapshot_rows.is_faulty(_view(SnapshotState.STALE))
    assert snapshot_rows.is_faulty(_view(SnapshotState.READY, reason=suspect))
    assert not snapshot_rows.is_faulty(_view(SnapshotState.READY))
    assert not snapshot_rows.is_faulty(_view(None, is_eligible=False, reason=suspect))


def test_a_reason_stands_out_where_the_snapshot_is_used_all_the_same() -> None:
    view = _view(SnapshotState.READY, reason=Reason("suspect", "the newest start from it failed"))
    lines = snapshot_text.standing(view, 80, note=None, now=NOW, glyphs=ASCII)
    assert lines[1] == (("  the newest start from it failed", Tone.WARN),)


@pytest.mark.parametrize(
    ("view", "sentence"),
    [
        (_view(), "the snapshot of time is ready; 26ms to ready instead of 555ms"),
        (
            _view(restored=StartTimes(0)),
            "the snapshot of time is ready; its next start is restored",
        ),
        (
            _view(SnapshotState.REFUSED, reason=Reason("x", "why and the way out")),
            "the snapshot of time is refused: why and the way out",
        ),
        (_view(None), "the snapshot of time is not there"),
    ],
)
def test_the_end_of_a_build_is_a_sentence(view: SnapshotView, sentence: str) -> None:
    assert snapshot_operations.outcome(view) == sentence
