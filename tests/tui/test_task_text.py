"""Tasks, schedules and their runs in words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.fake_engine import FIXED_START
from tests.support.task_scenes import BUILD, LOST, MAIL, task_run

from roost.models import (
    JournalEntry,
    MissedFires,
    RunAttempt,
    RunError,
    RunEvent,
    RunEventKind,
    RunStatus,
    RunView,
    ScheduleSpec,
    ScheduleView,
    StepState,
    SubmitRequest,
    TaskRunDetail,
    TaskView,
    WaitReason,
)
from roost_tui import (
    run_page,
    run_rows,
    run_words,
    schedule_text,
    task_forms,
    task_run_text,
    task_text,
    task_words,
)
from roost_tui.columns import Drawing
from roost_tui.filters import RUN_KEYS, parse_filter
from roost_tui.glyphs import ASCII, UNICODE
from roost_tui.log_entries import from_run_event
from roost_tui.render import run_face
from roost_tui.run_page import RunPage
from roost_tui.spans import Spans, Tone, plain, width_of

NOW = FIXED_START
SECOND = 1000


def _text(lines: list[Spans]) -> str:
    return "\n".join(plain(line) for line in lines)


def _waiting(reason: WaitReason | None, **changes: object) -> RunView:
    return task_run("r-1", BUILD, status=RunStatus.PENDING, waits=reason, **changes)


SUSPENDED = _waiting(WaitReason.USER, on_behalf_of="ann")
RETRIED = _waiting(WaitReason.RETRY, available_at=NOW + 12 * SECOND)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (_waiting(WaitReason.WORKER), "no worker"),
        (_waiting(WaitReason.SLOT), "slots taken"),
        (RETRIED, "retry in 12s"),
        (replace(RETRIED, available_at=NOW), "retry now"),
        (SUSPENDED, "waits for ann"),
    ],
)
def test_a_row_says_why_its_run_waits(run: RunView, words: str) -> None:
    wordings = run_words.waits_wordings(run, NOW)
    assert wordings[0] == words
    assert [len(text) for text in wordings] == sorted(map(len, wordings), reverse=True)
    assert run_rows.beside_status(run, Drawing(NOW))[0] == wordings


def test_a_run_that_goes_on_or_has_ended_waits_for_nothing() -> None:
    for status in (RunStatus.RUNNING, RunStatus.FAILED):
        run = replace(SUSPENDED, status=status)
        assert run_words.waits_wordings(run, NOW) == ()
        assert run_words.waits_text(run, NOW) == ""
        assert not run_words.is_suspended(run)


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_a_suspended_run_looks_unlike_one_that_waits(glyphs: object) -> None:
    assert glyphs in (UNICODE, ASCII)
    known = UNICODE if glyphs is UNICODE else ASCII
    faces = [run_face(run, known) for run in (SUSPENDED, RETRIED, _waiting(None))]
    assert [face.word for face in faces] == ["suspended", "waiting", "pending"]
    assert faces[0].glyph not in (faces[1].glyph, faces[2].glyph)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("state:pending", {"s", "w", "p"}),
        ("state:waiting", {"w"}),
        ("state:suspended", {"s"}),
        ("status:pending", {"s", "w", "p"}),
        ("waits:user", {"s"}),
        ("waits:user,slot", {"s", "w"}),
        ("!waits:user state:pending", {"w", "p"}),
        ("task:report.build", {"s", "w", "p", "r"}),
        ("state:waiting,running", {"w", "r"}),
    ],
)
def test_a_filter_finds_runs_by_what_they_wait_for(text: str, ids: set[str]) -> None:
    wanted = parse_filter(text, RUN_KEYS)
    runs = (
        replace(SUSPENDED, id="s"),
        replace(_waiting(WaitReason.SLOT), id="w"),
        replace(_waiting(None), id="p"),
        replace(task_run("r", BUILD), waits="user"),
    )
    assert {run.id for run in runs if wanted.matches(run_rows.subject_of(run), NOW)} == ids


def test_an_emitted_event_is_told_with_its_name_and_its_data() -> None:
    event = RunEvent("r-1", 1, NOW, RunEventKind.EMIT, '{"page": 7}', name="page.fetched")
    entry = from_run_event(event)
    assert (entry.label, entry.text) == ("emit", 'page.fetched  {"page": 7}')


# The page of a run


def _journal(*entries: JournalEntry) -> TaskRunDetail:
    return TaskRunDetail(entries, (RunAttempt(1, NOW - 60_000, bundle="reports", generation=3),))


def test_attempts_stand_side_by_side_with_why_each_ended() -> None:
    run = task_run("r-1", BUILD, attempt=2)
    detail = TaskRunDetail(
        (),
        (
            RunAttempt(1, NOW - 60_000, NOW - 30_000, "reports", 3, LOST),
            RunAttempt(2, NOW - 20_000, None, "reports", 4),
        ),
        BUILD,
    )
    lines = _text(task_run_text.lines(run, detail, NOW, 120, UNICODE)).splitlines()
    assert lines[0].split() == ["ATTEMPT", "WORKER", "BEGAN", "TOOK", "ENDED"]
    assert lines[1].split()[:4] == ["1", "reports", "gen", "3"]
    assert lines[1].endswith(LOST.sentence) and " 30s " in lines[1]
    assert lines[2].endswith("under way") and " 20s " in lines[2]


@pytest.mark.parametrize("width", [80, 120])
def test_why_an_attempt_ended_is_read_whole_at_any_width(width: int) -> None:
    long = RunError("lost", "the worker ended with SIGKILL " + "and nobody knows why " * 6)
    detail = TaskRunDetail((), (RunAttempt(1, NOW - 9000, NOW, "reports", 3, long),), BUILD)
    lines = task_run_text.lines(task_run("r-1", BUILD), detail, NOW, width, UNICODE)
    assert all(width_of(line) <= width for line in lines)
    assert "".join(long.sentence.split()) in "".join(_text(lines).split())


def test_the_end_of_the_last_attempt_is_that_of_the_run() -> None:
    done = task_run("r-1", BUILD, status=RunStatus.SUCCEEDED)
    detail = TaskRunDetail((), (RunAttempt(1, NOW - 9000, NOW, "reports", 3),), BUILD)
    assert _text(task_run_text.lines(done, detail, NOW, 80, UNICODE)).endswith("succeeded")


@pytest.mark.parametrize(
    ("state", "attempt", "status", "word"),
    [
        (StepState.DONE, 1, RunStatus.RUNNING, "done"),
        (StepState.FAILED, 1, RunStatus.RUNNING, "failed"),
        (StepState.STARTED, 2, RunStatus.RUNNING, "running"),
        (StepState.STARTED, 1, RunStatus.RUNNING, "interrupted"),
        (StepState.STARTED, 2, RunStatus.PENDING, "interrupted"),
        (StepState.STARTED, 2, RunStatus.FAILED, "interrupted"),
    ],
)
def test_a_step_that_was_begun_runs_only_in_the_present_attempt(
    state: StepState, attempt: int, status: RunStatus, word: str
) -> None:
    run = task_run("r-1", BUILD, attempt=2, status=status)
    assert task_run_text.step_face(JournalEntry("x", state, attempt, NOW), run, ASCII).word == word


def test_a_step_tells_its_attempt_its_interruption_and_a_short_value() -> None:
    run = task_run("r-1", BUILD, attempt=2)
    entry = JournalEntry(
        "rank", StepState.DONE, 2, NOW - 9000, NOW - 4000, "x" * 500, was_interrupted=True
    )
    line = _text(task_run_text.lines(run, _journal(entry), NOW, 200, UNICODE)).splitlines()[-1]
    assert "rank" in line and "5.0s" in line and "attempt 2" in line
    assert "interrupted before" in line
    assert "xxx" in line and len(line) < 200


def test_nobody_knows_how_long_an_interrupted_step_took() -> None:
    run = replace(SUSPENDED, attempt=2)
    entry = JournalEntry("rank", StepState.STARTED, 1, NOW - 9000, was_interrupted=True)
    line = _text(task_run_text.lines(run, _journal(entry), NOW, 80, UNICODE)).splitlines()[-1]
    assert line.split()[0] == "-"
    assert "interrupted before" not in line


def test_what_a_handler_names_cannot_steer_the_terminal() -> None:
    entry = JournalEntry("a\x1b[2Jb", StepState.DONE, 1, NOW - 9, NOW, {"k": "\x1b]0;x\x07"})
    text = _text(task_run_text.lines(task_run("r", BUILD), _journal(entry), NOW, 120, UNICODE))
    assert "\x1b" not in text and "ab" in text


def test_a_task_that_nobody_offers_any_more_is_said_to_be_gone() -> None:
    lines = task_run_text.fact_lines(task_run("r", BUILD), TaskRunDetail(), 80)
    assert "no worker offers any more" in _text(lines)


def test_the_page_of_a_tasks_run_tells_its_course_before_what_it_is() -> None:
    run = replace(SUSPENDED, attempt=2, idempotency_key="week-48")
    entry = JournalEntry("rank", StepState.STARTED, 1, NOW - 9000)
    task = replace(_journal(entry), spec=BUILD)
    text = _text(run_page.lines(RunPage(run, task=task), 80, now=NOW, glyphs=UNICODE))
    places = [text.index(word) for word in ("waits for ann", "ATTEMPT", "rank", "week-48")]
    assert places == sorted(places)
    assert "resume: after a crash it goes on" in text


# Tasks and schedules


def test_a_task_tells_how_its_runs_stand_and_what_bounds_them() -> None:
    view = TaskView("acme", "reports", BUILD, workers=1, waiting=12, running=2, suspended=3)
    wide = _text(task_text.lines([view], 120))
    assert wide.splitlines()[1].split()[:6] == ["report.build", "1", "12", "2", "3", "resume"]
    assert "2 slots, 3 retries" in wide and "builds the weekly report" in wide
    narrow = task_text.lines([view], 80)
    assert all(width_of(line) <= 80 for line in narrow)
    assert "2 slots, 3 retries; builds the weekly report" in _text(narrow)


def test_a_task_without_a_worker_stands_out() -> None:
    view = TaskView("acme", "reports", MAIL, workers=0)
    row = task_text.lines([view], 120)[1]
    assert next(tone for text, tone in row if text.strip() == "0") is Tone.FAULT


DAILY = ScheduleView(
    "acme", ScheduleSpec("daily", BUILD.name, "0 6 * * *", "Europe/Berlin"), next_at=NOW + 12_000
)


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (DAILY, "in 12s"),
        (replace(DAILY, next_at=NOW + 61 * 3_600_000), "in 2d13"),
        (replace(DAILY, next_at=NOW - 1), "now"),
        (replace(DAILY, is_paused=True, next_at=None), "paused"),
        (replace(DAILY, disabled=LOST, next_at=None), "disabled"),
        (replace(DAILY, next_at=None), "no worker"),
    ],
)
def test_a_schedule_counts_down_or_says_why_it_does_not_fire(
    view: ScheduleView, words: str
) -> None:
    assert task_words.next_fire(view, NOW)[0] == words


@pytest.mark.parametrize("width", [80, 120])
def test_a_schedule_tells_zone_last_run_and_why_it_is_disabled(width: int) -> None:
    error = RunError("failures", "5 runs in a row failed: " + "the password was refused " * 5)
    view = replace(DAILY, disabled=error, last_at=NOW - 90_000, last_run="r-9")
    endings = {"r-9": RunStatus.FAILED}
    lines = schedule_text.lines([view], endings, width, now=NOW)
    text = _text(lines)
    assert all(width_of(line) <= width for line in lines)
    assert "0 6 * * *" in text and "Europe/Berlin" in text
    assert "1m30 ago, r-9 failed" in text
    assert "".join(error.sentence.split()) in "".join(text.split())


def test_the_facts_of_a_schedule_tell_who_made_it_and_what_it_submits() -> None:
    spec = replace(DAILY.spec, input={"week": 48}, missed=MissedFires.ONCE)
    facts = {
        fact.label: fact.text for fact in schedule_text.facts(replace(DAILY, spec=spec), {}, NOW)
    }
    assert facts["made by"] == "an operator"
    assert facts["missed fires"] == "once"
    assert facts["input"] == '{"week": 48}'
    declared = schedule_text.facts(replace(DAILY, bundle="reports"), {}, NOW)
    assert "the worker reports" in {fact.text for fact in declared}


# Forms


def test_a_filled_in_form_becomes_a_submit() -> None:
    filled = {"input": [1, 2], "scope": "mail-7", "for me": True, "anew": False}
    assert task_forms.read_submit(filled) == SubmitRequest([1, 2], scope="mail-7", on_behalf=True)
    assert task_forms.read_submit({}) == SubmitRequest()


def test_a_filled_in_form_becomes_a_schedule() -> None:
    filled = {"name": "daily", "task": "report.build", "cron": "0 6 * * *", "missed": "all"}
    spec = task_forms.read_schedule(filled)
    assert spec == ScheduleSpec("daily", "report.build", "0 6 * * *", missed=MissedFires.ALL)


def test_the_bar_of_a_step_lies_in_the_whole_course_of_its_run() -> None:
    entry = JournalEntry("rank", StepState.DONE, 1, NOW - 100_000, NOW - 90_000)
    run = task_run("r-1", BUILD)
    for shown in (run, replace(run, status=RunStatus.SUCCEEDED, finished_at=NOW)):
        line = _text(task_run_text.lines(shown, _journal(entry), NOW, 80, ASCII)).splitlines()[-1]
        assert "##.........." in line


def test_a_stop_of_a_run_that_nobody_has_begun_ends_it_at_once() -> None:
    assert run_words.stop_meaning(RETRIED, ()) == "It ends at once: no worker has it."
    assert "worker learns" in run_words.stop_meaning(task_run("r-1", BUILD), ())
