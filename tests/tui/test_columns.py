"""Columns, spans and the order of rows."""

from __future__ import annotations

import pytest
from tests.support.fake_engine import FIXED_START, bundle_view, run_view

from roost.models import Figures, RunStatus, SlotState
from roost_tui import bundle_rows, run_rows
from roost_tui.columns import GAP, Drawing, lay_out
from roost_tui.notes import FAILURE_MS, OUTCOME_MS, RowNote
from roost_tui.row_model import Choice
from roost_tui.spans import Tone, clip, fit, plain, width_of
from roost_tui.tables_model import bundle_model, run_model

ORDER = bundle_rows.DEFAULT_ORDER


def _titles(width: int) -> list[str]:
    return [column.title for column, _ in lay_out(bundle_rows.COLUMNS, width)]


def test_a_narrow_bundle_table_keeps_six_columns() -> None:
    assert _titles(76) == ["STATE", "NAME", "GEN", "UP", "CPU", "MEM"]


def test_a_wide_bundle_table_shows_all_columns() -> None:
    assert _titles(116) == [column.title for column in bundle_rows.COLUMNS]


@pytest.mark.parametrize("width", [40, 76, 99, 100, 108, 116, 196])
def test_columns_never_need_more_than_there_is(width: int) -> None:
    laid = lay_out(bundle_rows.COLUMNS, width)
    assert sum(cells for _, cells in laid) + GAP * (len(laid) - 1) <= width


def test_wide_characters_count_as_two_cells() -> None:
    assert width_of((("日本", Tone.TEXT),)) == 4
    assert clip("日本語", 5) == "日本…"
    assert width_of(fit((("日本語", Tone.TEXT),), 4)) == 4


def test_cells_are_padded_on_the_side_of_their_alignment() -> None:
    assert plain(fit((("7", Tone.TEXT),), 3, "right")) == "  7"
    assert plain(fit((("7", Tone.TEXT),), 3)) == "7  "


def _state_text(
    note: RowNote | None, now: int, *, state: SlotState = SlotState.RUNNING, width: int = 40
) -> str:
    notes = {("default", "a"): note} if note else {}
    bundle = bundle_view("a", state=state, missing_fields=("api_key", "region"))
    return plain(bundle_rows.COLUMNS[0].cells(bundle, Drawing(now, notes=notes), width))


def test_an_action_stands_on_its_row_until_it_has_been_seen() -> None:
    at = FIXED_START
    assert "respawn pending" in _state_text(RowNote("respawn", at, is_pending=True), at + 10**9)
    assert "respawned" in _state_text(RowNote("respawned", at), at + OUTCOME_MS)
    assert "respawned" not in _state_text(RowNote("respawned", at), at + OUTCOME_MS + 1)
    failure = RowNote("respawn failed", at, is_failure=True)
    assert "respawn failed" in _state_text(failure, at + FAILURE_MS)


@pytest.mark.parametrize("terminal", [80, 120])
@pytest.mark.parametrize("state", SlotState)
@pytest.mark.parametrize("words", ["respawn failed", "start failed", "save failed", "failed"])
def test_a_failure_is_readable_beside_every_state(
    state: SlotState, words: str, terminal: int
) -> None:
    width = lay_out(bundle_rows.COLUMNS, terminal - 4)[0][1]
    note = RowNote(words, FIXED_START, is_failure=True)
    text = _state_text(note, FIXED_START, state=state, width=width)
    assert "failed" in text
    assert len(text) <= width


@pytest.mark.parametrize("terminal", [80, 120])
@pytest.mark.parametrize("state", SlotState)
@pytest.mark.parametrize("words", ["saved", "started", "stopped"])
def test_an_outcome_is_readable_beside_every_state(
    state: SlotState, words: str, terminal: int
) -> None:
    width = lay_out(bundle_rows.COLUMNS, terminal - 4)[0][1]
    text = _state_text(RowNote(words, FIXED_START), FIXED_START, state=state, width=width)
    assert words in text
    assert len(text) <= width


def test_an_outcome_does_not_say_the_state_again() -> None:
    note = RowNote("stopped", FIXED_START)
    assert _state_text(note, FIXED_START, state=SlotState.STOPPED).count("stopped") == 1


def test_missing_fields_are_counted_where_their_names_do_not_fit() -> None:
    needs = SlotState.NEEDS_CREDENTIALS
    assert _state_text(None, 0, state=needs).endswith("credentials  api_key, region")
    assert _state_text(None, 0, state=needs, width=30).endswith("credentials  2 fields")
    assert _state_text(None, 0, state=needs, width=27).endswith("credentials  2")


def test_the_steps_of_an_action_say_more_than_that_it_is_pending() -> None:
    note = RowNote("respawn", FIXED_START, is_pending=True)
    assert "pending" not in _state_text(note, FIXED_START, state=SlotState.STARTING)


def test_bundles_are_ordered_by_a_column_with_ties_by_name() -> None:
    rows = [
        bundle_view("c", figures=Figures(0.1, 10, 1)),
        bundle_view("b", state=SlotState.DEAD),
        bundle_view("a", figures=Figures(0.1, 90, 1)),
    ]
    index = {row.name: row for row in rows}
    model = bundle_model()

    def names(choice: Choice) -> list[str]:
        return [row.name for row in model.rows(index, choice, 0)]

    assert names(Choice(sort_title=ORDER)) == ["a", "b", "c"]
    assert names(Choice(sort_title="STATE")) == ["b", "a", "c"]
    assert names(Choice(sort_title="MEM")) == ["a", "c", "b"]
    assert names(Choice(sort_title=ORDER, is_descending=True)) == ["c", "b", "a"]
    assert names(Choice(sort_title=ORDER, faults_only=True)) == ["b"]


def test_active_runs_come_before_newer_settled_ones() -> None:
    runs = [
        run_view("r-1"),
        run_view("r-2", status=RunStatus.SUCCEEDED),
        run_view("r-3", status=RunStatus.PENDING),
        run_view("r-4", status=RunStatus.FAILED),
    ]
    assert [run.id for run in run_rows.newest_first(runs)] == ["r-3", "r-1", "r-4", "r-2"]


def test_rows_are_worked_out_again_only_when_something_changed() -> None:
    index = {run.id: run for run in (run_view("r-1"), run_view("r-2"))}
    model = run_model()
    first = model.rows(index, Choice(), 0)
    assert model.rows(index, Choice(), 1) is first
    assert model.rows(dict(index), Choice(), 1) is first
    assert model.rows(index, Choice(workspace="other"), 1) == []
