"""States, times and sizes as short text."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.fake_engine import FIXED_START, sample_engine

from roost.cli import words
from roost.cli.table import Cell
from roost.models import RunStatus, SlotState
from roost.models.codec import to_builtins


def _bundle(state: str, **facts: Any) -> dict[str, Any]:
    return {"state": state, "since": 0, **facts}


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "0s"), (59_999, "59s"), (252_000, "4m12"), (7_860_000, "2h11"), (273_600_000, "3d04")],
)
def test_durations_take_two_units_at_most(milliseconds: int, text: str) -> None:
    assert words.duration(milliseconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0B"), (1023, "1023B"), (1024, "1K"), (61 * 2**20, "61M"), (1300 * 2**20, "1.3G")],
)
def test_sizes_are_binary_and_short(count: int, text: str) -> None:
    assert words.size(count) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"), [(None, "-"), (18, "18ms"), (1234, "1.2s"), (41_000, "41s")]
)
def test_latencies_are_short(milliseconds: int | None, text: str) -> None:
    assert words.latency(milliseconds) == text


def test_every_state_and_status_has_a_glyph_and_a_word() -> None:
    assert set(words.STATES) == {state.value for state in SlotState}
    assert set(words.STATUSES) == {status.value for status in RunStatus}


@pytest.mark.parametrize(
    ("bundle", "text"),
    [
        (_bundle("running"), "o running"),
        (_bundle("running", stale=["credentials"]), "o running  stale credentials"),
        (_bundle("running", restart_pending=True), "o running  restart pending"),
        (_bundle("starting", step="stop_old"), "~ starting  stop old"),
        (_bundle("backing_off", retry_at=12_000), "~ backing off  retry 12s"),
        (_bundle("backing_off", retry_at=1, parked=True), "~ backing off  parked now"),
        (_bundle("needs_credentials", missing_fields=["a", "b"]), "? needs credentials  a, b"),
        (_bundle("dead", crash={"exit": "exit 1"}), "! dead  exit 1"),
        (_bundle("dead", step="handshake"), "! dead  handshake failed"),
        (_bundle("dead", reason={"code": "start_failed"}), "! dead  start failed"),
        (_bundle("hibernating"), "? hibernating"),
    ],
)
def test_a_state_is_a_glyph_a_word_and_what_explains_it(bundle: dict[str, Any], text: str) -> None:
    now = 500 if bundle["state"] != "backing_off" or bundle.get("parked") else 0
    assert words.state_cell(bundle, now).text == text


def test_the_wire_form_of_every_kind_of_bundle_can_be_put_into_words() -> None:
    views = [to_builtins(bundle.view) for bundle in sample_engine().world.bundles.values()]
    cells = [words.state_cell(view, FIXED_START) for view in views]
    assert all(isinstance(cell, Cell) and cell.text for cell in cells)
