"""Numbers, times and states as text."""

from __future__ import annotations

import unicodedata
from dataclasses import astuple

import pytest
from tests.support.fake_engine import (
    FIXED_START,
    bundle_view,
    crash_record,
    generation_view,
    run_view,
)

from roost.models import (
    GenerationView,
    Reason,
    RunError,
    RunProgress,
    RunStatus,
    SlotState,
    StartMode,
    StartStep,
)
from roost_tui import render
from roost_tui.glyphs import ASCII, UNICODE, Glyphs


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (-5, "0s"),
        (3_000, "3s"),
        (59_999, "59s"),
        (252_000, "4m12"),
        (7_860_000, "2h11"),
        (273_600_000, "3d04"),
    ],
)
def test_a_duration_has_two_units_at_most(milliseconds: int, text: str) -> None:
    assert render.duration(milliseconds) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"), [(18, "18ms"), (800, "0.8s"), (9_940, "9.9s"), (41_000, "41s")]
)
def test_elapsed_time_is_finer_below_ten_seconds(milliseconds: int, text: str) -> None:
    assert render.elapsed(milliseconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0B"),
        (1023, "1023B"),
        (1024, "1K"),
        (61 * 2**20, "61M"),
        (1023 * 2**20, "1023M"),
        (2**30 + 2**28, "1.2G"),
        (40 * 2**30, "40G"),
    ],
)
def test_a_size_has_one_unit(count: int, text: str) -> None:
    assert render.size(count) == text


@pytest.mark.parametrize(("value", "text"), [(0.34, "0.3%"), (9.96, "10%"), (240.4, "240%")])
def test_a_percentage_has_a_decimal_only_below_ten(value: float, text: str) -> None:
    assert render.percent(value) == text


@pytest.mark.parametrize(
    ("left_ms", "text"), [(11_001, "12s"), (1, "1s"), (0, "now"), (-50, "now"), (250_000, "4m")]
)
def test_a_countdown_is_rounded_up_and_ends_in_now(left_ms: int, text: str) -> None:
    assert render.countdown(FIXED_START + left_ms, FIXED_START) == text


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_every_state_has_a_glyph_a_word_and_a_tone(glyphs: Glyphs) -> None:
    faces = [render.state_face(state, glyphs) for state in SlotState]
    faces += [render.status_face(status, glyphs) for status in RunStatus]
    assert all(face.glyph and face.word and face.tone for face in faces)


def test_no_glyph_that_carries_state_is_ever_drawn_wide() -> None:
    faces = [render.state_face(state, UNICODE) for state in SlotState]
    faces += [render.status_face(status, UNICODE) for status in RunStatus]
    widths = {unicodedata.east_asian_width(face.glyph) for face in faces}
    assert widths <= {"N", "Na"}


def test_the_plain_set_is_ascii() -> None:
    glyphs = [glyph for glyph in astuple(ASCII) if glyph != ASCII.spark]
    assert all(len(glyph) == 1 for glyph in glyphs)
    assert all(glyph.isascii() for glyph in astuple(ASCII))


def test_a_bundle_that_waits_says_how_long() -> None:
    waiting = bundle_view("a", state=SlotState.BACKING_OFF, retry_at=FIXED_START + 12_000)
    parked = bundle_view(
        "a", state=SlotState.BACKING_OFF, retry_at=FIXED_START + 250_000, parked=True
    )
    assert render.short_reasons(waiting, FIXED_START) == ("retry 12s",)
    assert render.short_reasons(parked, FIXED_START) == ("parked 4m",)


def test_a_dead_bundle_says_how_it_ended_or_which_step_failed() -> None:
    crashed = bundle_view("a", state=SlotState.DEAD, crash=crash_record("no"))
    failed = bundle_view("a", state=SlotState.DEAD, step=StartStep.HANDSHAKE)
    refused = bundle_view("a", state=SlotState.DEAD, reason=Reason("never_restart", "it is over"))
    assert render.short_reasons(crashed, 0) == ("exit 1",)
    assert render.short_reasons(failed, 0) == ("handshake failed",)
    assert render.short_reasons(refused, 0) == ("never restart",)


def test_a_bundle_that_lags_behind_says_in_what() -> None:
    assert render.short_reasons(bundle_view("a", stale=("credentials",)), 0) == (
        "stale credentials",
        "stale",
    )
    assert render.short_reasons(bundle_view("a", restart_pending=True), 0) == ("restart pending",)


def test_a_handover_names_its_candidate_and_step_and_a_failed_one_its_step() -> None:
    begun = bundle_view("a", step=StartStep.PREPARE)
    verified = bundle_view("a", step=StartStep.HANDSHAKE, candidate=generation_view(8))
    failed = bundle_view(
        "a", step=StartStep.HANDSHAKE, reason=Reason("exited", "it ended"), stale=("credentials",)
    )
    assert render.short_reasons(begun, 0)[0] == "handover prepare"
    assert render.short_reasons(verified, 0) == (
        "handover to 8 handshake",
        "handover handshake",
        "handover",
    )
    assert render.short_reasons(failed, 0) == (
        "stale credentials, handshake failed",
        "stale credentials",
        "stale",
    )


def test_a_start_that_waits_names_what_it_waits_for() -> None:
    waiting = bundle_view("a", state=SlotState.STOPPED, waits_for=("db", "cache"))
    assert render.short_reasons(waiting, 0) == (
        "waits for db, cache",
        "waits for db +1",
        "waits",
    )


def test_missing_fields_are_named() -> None:
    bundle = bundle_view("a", state=SlotState.NEEDS_CREDENTIALS, missing_fields=("key", "url"))
    assert render.short_reasons(bundle, 0) == ("key, url", "2 fields", "2")


def test_a_start_tells_its_mode_and_time() -> None:
    generation = GenerationView("g", 1, "1", "c", 0, StartMode.ZYGOTE, 0, ready_ms=41)
    assert render.start_text(generation) == "zygote 41ms"
    assert render.start_text(None) == render.NOTHING


def test_a_progress_bar_fills_by_share_and_never_beyond() -> None:
    assert render.bar(RunProgress(7, 10), 10, ASCII) == "#######..."
    assert render.bar(RunProgress(12, 10), 10, ASCII) == "##########"
    assert render.bar(RunProgress(3), 10, ASCII) == ""


def test_the_remark_of_a_run_is_its_error_before_its_last_message() -> None:
    progress = RunProgress(1, 2, "half way")
    failed = run_view(
        "r", status=RunStatus.FAILED, progress=progress, error=RunError("lost", "it is gone")
    )
    assert render.run_remark(failed) == "it is gone"
    assert render.run_remark(run_view("r", progress=progress)) == "half way"
    assert render.run_remark(run_view("r", status=RunStatus.SUCCEEDED, progress=progress)) == ""


def test_time_stands_still_once_a_run_is_over() -> None:
    run = run_view("r", status=RunStatus.SUCCEEDED)
    assert render.run_time(run, FIXED_START + 10**9) == "0.8s"
    assert render.run_time(run_view("r"), FIXED_START + 12_000) == "12s"
    assert render.run_time(run_view("r", status=RunStatus.PENDING), FIXED_START) == render.NOTHING
