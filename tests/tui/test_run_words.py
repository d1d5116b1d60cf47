"""Words, timeline and marks of runs: pure functions."""

from __future__ import annotations

from tests.support.fake_engine import FIXED_START, FakeEngine, run_view
from tests.support.run_scenes import steps

from roost.models import RunEvent, RunEventKind, RunKind, RunStatus, StopPhase
from roost_tui.glyphs import ASCII, UNICODE
from roost_tui.log_entries import from_run_events
from roost_tui.marks import Marks, frozen_order
from roost_tui.older_runs import OlderRuns
from roost_tui.run_timeline import STEPS_SHOWN, lines, steps_of
from roost_tui.run_words import ladder, listed, phase_of, stop_meaning
from roost_tui.spans import plain

KEYS = [("w", name) for name in "abcde"]


def test_reports_in_a_row_with_the_same_words_are_one_step_with_its_last_count() -> None:
    run = run_view("r-1", created_at=FIXED_START - 40_000)
    found = steps_of(run, steps("r-1"), FIXED_START)
    assert [step.words for step in found] == ["reading the index", "fetching pages", "ranking"]
    assert [step.progress and step.progress.current for step in found] == [5, 10, 12]
    assert [step.ended_at - step.began_at for step in found] == [12_500, 12_500, 12_500]
    assert [step.is_open for step in found] == [False, False, True]


def test_the_last_step_ends_with_the_run() -> None:
    end = FIXED_START - 9000
    run = run_view("r-1", status=RunStatus.FAILED, finished_at=end)
    last = steps_of(run, steps("r-1"), FIXED_START)[-1]
    assert (last.ended_at, last.is_open) == (end, False)


def test_a_clock_that_steps_back_gives_no_negative_step() -> None:
    run = run_view("r-1", status=RunStatus.SUCCEEDED, finished_at=FIXED_START - 90_000)
    assert all(step.ended_at >= step.began_at for step in steps_of(run, steps("r-1"), FIXED_START))
    assert lines(run, steps("r-1"), FIXED_START, 80, UNICODE)


def test_bars_lie_where_their_step_lies_in_the_whole() -> None:
    run = run_view("r-1", created_at=FIXED_START - 40_000)
    drawn = [plain(line) for line in lines(run, steps("r-1"), FIXED_START, 80, ASCII)]
    bars = [line.split()[2] for line in drawn]
    assert all(len(bar) == 12 for bar in bars)
    assert bars[0].startswith(".#") or bars[0].startswith("#")
    assert bars[-1].endswith("#") and bars[-1].startswith(".")


def test_a_long_timeline_keeps_its_newest_steps_and_says_what_is_hidden() -> None:
    run = run_view("r-1")
    events = [
        RunEvent("r-1", number, FIXED_START + number, RunEventKind.STEP, f"step {number}")
        for number in range(1, STEPS_SHOWN + 31)
    ]
    drawn = [plain(line) for line in lines(run, events, FIXED_START + 1000, 80, UNICODE)]
    assert "30 earlier steps not shown" in drawn[0]
    assert drawn[-1].endswith(f"step {STEPS_SHOWN + 30}")


def test_a_step_cannot_steer_the_terminal() -> None:
    event = RunEvent("r-1", 1, FIXED_START, RunEventKind.STEP, "\x1b[2Jgone\x07")
    assert steps_of(run_view("r-1"), [event], FIXED_START)[0].words == "gone"


def test_output_of_several_lines_becomes_as_many_and_empty_output_stays_one() -> None:
    events = [
        RunEvent("r-1", 1, 0, RunEventKind.OUTPUT, "a\nb"),
        RunEvent("r-1", 2, 0, RunEventKind.OUTPUT, ""),
        RunEvent("r-1", 3, 0, RunEventKind.RELOAD, "gone"),
    ]
    assert [entry.text for entry in from_run_events(events)] == ["a", "b", "", "gone"]


def test_the_phase_of_a_stop_is_asked_before_the_engine_says_more_and_none_once_settled() -> None:
    assert phase_of(run_view("r-1")) is None
    assert phase_of(run_view("r-1", stop_requested_at=1)) is StopPhase.ASKED
    killing = run_view("r-1", stop_requested_at=1, stop_phase=StopPhase.KILLING)
    assert phase_of(killing) is StopPhase.KILLING
    settled = run_view("r-1", status=RunStatus.ABORTED, stop_phase=StopPhase.KILLING)
    assert phase_of(settled) is None


def test_the_ladder_shows_what_was_reached_and_what_comes() -> None:
    command = run_view(
        "r-1", kind=RunKind.COMMAND, stop_requested_at=1, stop_phase=StopPhase.TERMINATING
    )
    walked = plain(ladder(command, ASCII))
    assert walked == "* asked to stop  > TERM sent  . KILL sent  . ended"
    call = run_view("r-1", stop_requested_at=1)
    assert plain(ladder(call, ASCII)) == "> asked to stop  . ended"
    ignored = run_view("r-1", stop_requested_at=1, stop_phase=StopPhase.IGNORED)
    assert plain(ladder(ignored, ASCII)) == "* asked to stop  > stop ignored  . ended"


def test_what_a_stop_means_depends_on_who_does_the_work_and_names_the_children() -> None:
    children = [run_view("r-2", parent="r-1"), run_view("r-3", status=RunStatus.FAILED)]
    command = stop_meaning(run_view("r-1", kind=RunKind.COMMAND), children)
    assert command.startswith("TERM goes to its whole process group")
    assert command.endswith("It stops r-2 too.")
    call = stop_meaning(run_view("r-1", bundle="git"), [], others=2)
    assert "If git ignores that" in call and "cut 2 other runs" in call
    ignored = run_view("r-1", bundle="git", stop_phase=StopPhase.IGNORED)
    assert stop_meaning(ignored, []).startswith("git goes on although the call was cancelled.")
    outside = stop_meaning(run_view("r-1", kind=RunKind.EXTERNAL), [])
    assert "at the next report" in outside


def test_ids_too_many_to_name_are_counted() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed([str(number) for number in range(9)]) == "0, 1, 2, 3, 4 and 4 more"


def test_marks_are_toggled_extended_and_forgotten_with_their_rows() -> None:
    marks = Marks()
    marks.toggle(KEYS[3])
    marks.extend_to(KEYS, KEYS[1])
    assert [key for key in KEYS if key in marks] == KEYS[1:4]
    marks.toggle(KEYS[2])
    marks.extend_to(KEYS, KEYS[0])
    assert KEYS[2] not in marks and KEYS[0] in marks
    marks.keep({KEYS[0]})
    assert len(marks) == 1
    marks.clear()
    assert not marks


def test_a_frozen_order_keeps_known_rows_and_puts_new_ones_at_the_end() -> None:
    rows = [("w", name) for name in "xcab"]
    assert frozen_order(KEYS, rows, lambda row: row) == [("w", name) for name in "abcx"]


async def test_a_page_that_brings_nothing_new_ends_the_reading() -> None:
    fake = FakeEngine()
    views = [fake.add_run(run_view(f"r-{number:04}")) for number in range(300)]
    newer = {view.id: view for view in views}
    older = OlderRuns()
    await older.read(fake, None, newer)
    assert not older.has_more(None)
    assert not older.has_more("default")
    older.clear()
    assert older.has_more(None)
