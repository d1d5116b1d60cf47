"""Tasks and schedules on the screen: what is read when, and what each key does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from tests.support.fake_engine import FIXED_START, FakeEngine
from tests.support.run_scenes import run_screen
from tests.support.screen import NARROW, WIDE, come_back, lose, open_screen, press, until
from tests.support.task_scenes import BUILD, PLACE, SYNC, task_run, worker_engine
from textual.pilot import Pilot
from textual.widgets import Static

from roost.models import (
    BundleKind,
    JournalEntry,
    RunAttempt,
    RunStatus,
    ScheduleSpec,
    StepState,
    SubmitRequest,
    TaskView,
)
from roost_tui.app import RoostApp
from roost_tui.bundle_screen import BundleScreen
from roost_tui.modals import PickerModal
from roost_tui.modals.arguments_editor import ArgumentsEditor
from roost_tui.modals.schedules import SchedulesModal
from roost_tui.modals.task_forms import PutScheduleModal, SubmitTaskModal
from roost_tui.modals.tool_row import ToolRow
from roost_tui.run_screen import RunScreen
from roost_tui.runs_screen import RunsScreen

Modal = TypeVar("Modal")


@asynccontextmanager
async def worker_screen(
    size: tuple[int, int] = WIDE, **options: Any
) -> AsyncIterator[tuple[RoostApp, Pilot[None], FakeEngine]]:
    """Open the screen of the worker, with everything it reads by itself."""
    fake = worker_engine()
    async with open_screen(fake, size, **options) as (app, pilot):
        await until(pilot, lambda: app.dashboard.bundle_table.select(PLACE))
        await press(pilot, "enter")
        await until(pilot, lambda: "SCHEDULE" in page(app))
        yield app, pilot, fake


def bundle_screen(app: RoostApp) -> BundleScreen:
    return next(shown for shown in app.screen_stack if isinstance(shown, BundleScreen))


def page(app: RoostApp) -> str:
    """Return the text of the bundle screen; nothing while it is not there."""
    screens = [shown for shown in app.screen_stack if isinstance(shown, BundleScreen)]
    return screens[0].page_view.text if screens and screens[0].is_mounted else ""


def row_of(app: RoostApp, name: str) -> str:
    return next(line for line in page(app).splitlines() if line.strip().startswith(name))


async def modal(pilot: Pilot[None], kind: type[Modal]) -> Modal:
    """Wait for a modal of this kind and return it."""
    await until(pilot, lambda: isinstance(pilot.app.screen, kind) and pilot.app.screen.is_mounted)
    await pilot.pause()
    shown = pilot.app.screen
    assert isinstance(shown, kind)
    return shown


async def schedules(app: RoostApp, pilot: Pilot[None]) -> SchedulesModal:
    """Open the list of schedules and wait until they are read."""
    await press(pilot, "e")
    shown = await modal(pilot, SchedulesModal)
    await until(pilot, lambda: shown.chosen is not None)
    return shown


async def put_cursor(shown: SchedulesModal, pilot: Pilot[None], name: str) -> None:
    for _ in range(8):
        if shown.chosen is not None and shown.chosen.spec.name == name:
            return
        await press(pilot, "j")
    raise AssertionError(f"{name} is not in the list")


def said(app: RoostApp) -> str:
    return "\n".join(message.text for message in app.messages)


def told(shown: SchedulesModal | SubmitTaskModal | PutScheduleModal) -> str:
    return str(shown.query_one(".told", Static).render())


def keys_of(shown: SchedulesModal) -> set[str]:
    """Return what the keys that work now do."""
    active = shown.active_bindings.values()
    return {entry.binding.description for entry in active if entry.enabled}


def row(shown: SubmitTaskModal | PutScheduleModal, key: str) -> ToolRow:
    return next(entry for entry in shown.query(ToolRow) if entry.key == key)


# The worker's screen


async def test_a_worker_shows_its_tasks_and_schedules_in_place_of_tools() -> None:
    async with worker_screen() as (app, _, _fake):
        assert row_of(app, "report.build").split()[1:5] == ["1", "2", "1", "1"]
        assert "in 12s" in row_of(app, "hourly-sync")
        assert "paused" in row_of(app, "nightly")
        assert "r-t1 succeeded" in row_of(app, "weekly")
        assert "the mail server refused the password" in page(app)


async def test_a_bundle_that_is_no_worker_is_not_asked_for_tasks() -> None:
    fake = worker_engine()
    fake.add_bundle(
        replace(fake.world.bundles[PLACE].view, name="files", kind=BundleKind.MCP_STDIO)
    )
    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: app.dashboard.bundle_table.select(("acme", "files")))
        await press(pilot, "enter")
        await until(pilot, lambda: "environment" in page(app))
        assert "TASK" not in page(app)
        assert not fake.called("tasks")


async def test_a_change_of_tasks_is_read_at_once_and_countdowns_go_on() -> None:
    async with worker_screen() as (app, pilot, fake):
        fake.offer(*PLACE, SYNC, workers=3)
        await until(pilot, lambda: row_of(app, "tickets.sync").split()[1] == "3")
        fake.clock.advance(5)
        await until(pilot, lambda: "in 7s" in row_of(app, "hourly-sync"))


async def test_a_flood_of_changes_is_read_one_question_at_a_time() -> None:
    async with worker_screen() as (app, pilot, fake):
        asked = len(fake.called("tasks"))
        for count in range(200):
            fake.offer(*PLACE, SYNC, workers=count)
            if count % 20 == 0:
                await pilot.pause()
        await until(pilot, lambda: row_of(app, "tickets.sync").split()[1] == "199")
        assert len(fake.called("tasks")) - asked < 100


async def test_tasks_are_read_anew_with_another_connection() -> None:
    async with worker_screen() as (app, pilot, fake):
        await lose(app, pilot, fake)
        assert "report.build" in page(app)
        view = fake.world.tasks["acme", SYNC.name]
        fake.world.tasks["acme", SYNC.name] = replace(view, workers=5)
        await come_back(app, pilot, fake)
        await until(pilot, lambda: row_of(app, "tickets.sync").split()[1] == "5")


# Submit


async def test_a_task_is_submitted_with_input_and_its_run_is_opened() -> None:
    async with worker_screen() as (app, pilot, fake):
        await press(pilot, "T")
        shown = await modal(pilot, SubmitTaskModal)
        await press(pilot, "enter")
        await until(pilot, lambda: len(shown.query(ToolRow)) == 4)
        row(shown, "input").text = '{"week": 49}'
        row(shown, "scope").text = "week-49"
        row(shown, "for me").text = "true"
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        call = fake.called("submit_task")[0]
        assert call["task"] == BUILD.name
        wanted = SubmitRequest({"week": 49}, scope="week-49", on_behalf=True)
        assert call["request"] == wanted
        assert run_screen(app).run_shown.on_behalf_of == fake.actor
        assert "was submitted as" in said(app)


async def test_the_same_input_again_is_said_to_be_the_same_run() -> None:
    async with worker_screen(has_toasts=True) as (app, pilot, fake):
        outcome = await fake.submit_task("acme", BUILD.name, SubmitRequest({"week": 50}))
        await press(pilot, "T")
        shown = await modal(pilot, SubmitTaskModal)
        await press(pilot, "enter")
        await until(pilot, lambda: len(shown.query(ToolRow)) == 4)
        row(shown, "input").text = '{"week": 50}'
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert run_screen(app).key == ("acme", outcome.run.id)
        assert f"goes on already as {outcome.run.id}" in said(app)


async def test_a_run_that_has_settled_is_said_to_be_the_answer() -> None:
    async with worker_screen() as (app, pilot, fake):
        outcome = await fake.submit_task("acme", BUILD.name, SubmitRequest())
        fake.settle_run(outcome.run.id, RunStatus.SUCCEEDED)
        await press(pilot, "T")
        shown = await modal(pilot, SubmitTaskModal)
        await press(pilot, "enter")
        await until(pilot, lambda: len(shown.query(ToolRow)) == 4)
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert f"has settled already as {outcome.run.id}" in said(app)


async def test_what_is_refused_leaves_the_form_as_it_was() -> None:
    async with worker_screen() as (app, pilot, _fake):
        await press(pilot, "T")
        shown = await modal(pilot, SubmitTaskModal)
        await press(pilot, "enter")
        await until(pilot, lambda: len(shown.query(ToolRow)) == 4)
        row(shown, "scope").text = "week-48"  # a run of it is under way
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: "r-t7" in told(shown))
        assert app.screen is shown
        assert row(shown, "scope").text == "week-48"


async def test_input_that_is_no_json_is_not_sent() -> None:
    async with worker_screen(NARROW) as (app, pilot, fake):
        await press(pilot, "T")
        shown = await modal(pilot, SubmitTaskModal)
        await press(pilot, "enter")
        await until(pilot, lambda: len(shown.query(ToolRow)) == 4)
        row(shown, "input").text = "{week: 49"
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: bool(row(shown, "input").problem))
        assert app.screen is shown and not fake.called("submit_task")


async def test_elsewhere_every_task_of_the_workspace_is_offered() -> None:
    fake = worker_engine()
    fake.world.tasks["acme", "other.task"] = TaskView(
        "acme", "another", replace(BUILD, name="other.task")
    )
    async with open_screen(fake) as (app, pilot):
        await press(pilot, "tab", "T")
        shown = await modal(pilot, SubmitTaskModal)
        assert set(shown._tools) == {"other.task", "report.build", "report.mail", "tickets.sync"}
        assert shown.query_one(ArgumentsEditor).tool is None
        assert app.screen is shown


# Schedules


async def test_a_schedule_is_paused_and_let_go_on_under_the_cursor() -> None:
    async with worker_screen() as (app, pilot, fake):
        shown = await schedules(app, pilot)
        await put_cursor(shown, pilot, "weekly")
        assert "pause" in keys_of(shown) and "let it fire" not in keys_of(shown)
        await press(pilot, "p")
        await until(pilot, lambda: "is paused" in told(shown))
        chosen = shown.chosen
        assert chosen is not None and chosen.spec.name == "weekly" and chosen.is_paused
        assert "let it fire" in keys_of(shown) and "pause" not in keys_of(shown)
        await press(pilot, "p")
        await until(pilot, lambda: "fires again" in told(shown))
        pauses = [call["paused"] for call in fake.called("pause_schedule")]
        assert pauses == [True, False]


async def test_a_schedule_is_fired_and_its_run_is_opened() -> None:
    async with worker_screen() as (app, pilot, fake):
        shown = await schedules(app, pilot)
        await put_cursor(shown, pilot, "nightly")
        await press(pilot, "f")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert fake.called("fire_schedule")[0]["name"] == "nightly"
        assert run_screen(app).run_shown.task == BUILD.name


async def test_the_last_run_of_a_schedule_is_opened() -> None:
    async with worker_screen() as (app, pilot, _fake):
        shown = await schedules(app, pilot)
        await put_cursor(shown, pilot, "weekly")
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert run_screen(app).key == ("acme", "r-t1")


async def test_only_a_schedule_of_an_operator_can_be_removed() -> None:
    async with worker_screen() as (app, pilot, fake):
        shown = await schedules(app, pilot)
        await put_cursor(shown, pilot, "weekly")
        assert "remove" not in keys_of(shown)
        await press(pilot, "k")
        assert shown.chosen is not None and shown.chosen.spec.name == "nightly"
        await press(pilot, "D")
        await until(pilot, lambda: "removed" in told(shown))
        assert ("acme", "nightly") not in fake.world.schedules


async def test_what_is_refused_is_said_in_the_list() -> None:
    async with worker_screen() as (app, pilot, fake):
        shown = await schedules(app, pilot)
        del fake.world.schedules["acme", "hourly-sync"]  # somebody else removed it meanwhile
        await press(pilot, "p")
        await until(pilot, lambda: "hourly-sync" in told(shown))
        assert app.screen is shown


async def test_a_new_schedule_is_made_and_seen_in_the_list() -> None:
    async with worker_screen() as (app, pilot, fake):
        await schedules(app, pilot)
        await press(pilot, "n")
        form = await modal(pilot, PutScheduleModal)
        await until(pilot, lambda: len(form.query(ToolRow)) == 6)
        row(form, "name").text = "daily"
        row(form, "task").text = '"report.mail"'
        row(form, "cron").text = "0 6 * * *"
        row(form, "timezone").text = "Europe/Berlin"
        await press(pilot, "ctrl+s")
        shown = await modal(pilot, SchedulesModal)
        await until(pilot, lambda: shown.chosen is not None)
        spec = ScheduleSpec("daily", "report.mail", "0 6 * * *", "Europe/Berlin")
        assert fake.world.schedules["acme", "daily"].spec == spec
        await put_cursor(shown, pilot, "daily")


async def test_a_schedule_that_is_refused_leaves_its_form_open() -> None:
    async with worker_screen() as (app, pilot, _fake):
        bundle_screen(app).action_perform("schedule.put")
        form = await modal(pilot, PutScheduleModal)
        await until(pilot, lambda: len(form.query(ToolRow)) == 6)
        row(form, "name").text = "daily"
        row(form, "task").text = '"report.mail"'
        row(form, "cron").text = "every day"
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: "five fields" in told(form))
        assert app.screen is form


async def test_the_palette_asks_which_of_several_schedules_is_meant() -> None:
    async with worker_screen() as (app, pilot, fake):
        bundle_screen(app).action_perform("schedule.resume")
        await modal(pilot, PickerModal)
        await press(pilot, *"nightly", "enter")
        await until(pilot, lambda: bool(fake.called("pause_schedule")))
        assert fake.called("pause_schedule")[0] == {
            "workspace": "acme",
            "name": "nightly",
            "paused": False,
        }


async def test_the_palette_asks_nothing_where_only_one_schedule_fits() -> None:
    async with worker_screen() as (app, pilot, fake):
        del fake.world.schedules["acme", "mails"]
        bundle_screen(app).action_perform("schedule.remove")
        await until(pilot, lambda: ("acme", "nightly") not in fake.world.schedules)
        assert isinstance(app.screen, BundleScreen)


async def test_a_workspace_without_schedules_says_how_one_is_made() -> None:
    fake = worker_engine()
    fake.world.schedules.clear()
    async with open_screen(fake, NARROW) as (app, pilot):
        app.dashboard.action_perform("schedule.list")
        shown = await modal(pilot, SchedulesModal)
        await until(
            pilot, lambda: "no schedule" in str(shown.query_one(".nothing", Static).render())
        )
        assert {"new", "close"} <= keys_of(shown)
        assert not {"pause", "fire now", "remove", "last run"} & keys_of(shown)


# Read only


async def test_a_read_only_screen_shows_schedules_and_changes_none() -> None:
    async with worker_screen(read_only=True) as (app, pilot, _fake):
        ids = {entry.id for entry in bundle_screen(app).entries}
        assert "schedule.list" in ids
        assert not ids & {
            "task.submit",
            "schedule.put",
            "schedule.pause",
            "schedule.resume",
            "schedule.fire",
            "schedule.remove",
        }
        assert "run.resume" not in {entry.id for entry in app.entries}
        shown = await schedules(app, pilot)
        assert not {"pause", "let it fire", "fire now", "remove", "new"} & keys_of(shown)
        await put_cursor(shown, pilot, "weekly")
        assert "last run" in keys_of(shown)


# Runs of tasks


@asynccontextmanager
async def run_page(
    run_id: str, fake: FakeEngine | None = None, **options: Any
) -> AsyncIterator[tuple[RoostApp, Pilot[None], FakeEngine]]:
    fake = fake or worker_engine()
    async with open_screen(fake, **options) as (app, pilot):
        app.open_run_page(app.state.runs[run_id])
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.is_mounted)
        await until(pilot, lambda: "recovery" in run_screen(app).page_view.text)
        yield app, pilot, fake


async def test_the_page_of_a_tasks_run_follows_its_journal() -> None:
    async with run_page("r-t7") as (app, pilot, fake):
        assert "write the report" in run_screen(app).page_view.text
        entry = JournalEntry("upload", StepState.STARTED, 3, FIXED_START)
        fake.put_journal("r-t7", entry)
        fake.progress("r-t7", 1, 2, "uploading")
        await until(pilot, lambda: "upload  " in run_screen(app).page_view.text)
        await until(pilot, lambda: "progress" in run_screen(app).page_view.text)


async def test_emitted_events_come_into_the_live_list() -> None:
    async with run_page("r-t7") as (app, pilot, fake):
        fake.emit("r-t7", "page.fetched", {"page": 9})
        log = run_screen(app).log_view
        await until(pilot, lambda: log.total == 4)
        await until(pilot, lambda: run_screen(app).is_caught_up)
        assert log.cursor_line is not None
        assert log.cursor_line.text.startswith("page.fetched")


async def test_a_suspended_run_is_resumed_by_its_key() -> None:
    async with run_page("r-t6") as (app, pilot, fake):
        assert "S" in {entry.keys for entry in run_screen(app).footer()}
        await press(pilot, "S")
        await until(pilot, lambda: bool(fake.called("resume_run")))
        await until(pilot, lambda: "suspended" not in run_screen(app).page_view.text)
        assert not run_screen(app).can_perform("run.resume")


async def test_somebody_elses_suspended_run_is_refused_in_a_sentence() -> None:
    fake = worker_engine()
    run = fake.world.runs["r-t6"]
    run.view = replace(run.view, on_behalf_of="ann")
    async with run_page("r-t6", fake) as (app, pilot, _):
        await press(pilot, "S")
        await until(pilot, lambda: "ann" in said(app))
        assert "suspended" in run_screen(app).page_view.text


async def test_a_settled_run_of_a_task_can_be_begun_again() -> None:
    async with run_page("r-t1") as (app, _pilot, _):
        assert run_screen(app).can_perform("run.retry")


async def test_another_runs_journal_is_never_shown_for_this_one() -> None:
    async with run_page("r-t7") as (app, pilot, fake):
        fake.add_run(task_run("r-t8", BUILD))
        fake.put_attempts("r-t8", RunAttempt(1, FIXED_START, bundle="reports", generation=9))
        await until(pilot, lambda: "r-t8" in app.state.runs)
        app.open_run_page(app.state.runs["r-t8"])
        assert "write the report" not in run_screen(app).page_view.text
        await until(pilot, lambda: "gen 9" in run_screen(app).page_view.text)


@pytest.mark.parametrize("text", ["waits:user", "state:suspended"])
async def test_the_runs_screen_finds_what_waits_for_a_person(text: str) -> None:
    async with open_screen(worker_engine()) as (app, pilot):
        await press(pilot, "3")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.is_mounted)
        screen = app.screen
        assert isinstance(screen, RunsScreen)
        screen.set_filter(text)
        await until(pilot, lambda: [run.id for run in screen.table.rows] == ["r-t6"])
        assert "S" in {entry.keys for entry in screen.footer()}


async def test_leaving_while_tasks_are_read_harms_nothing() -> None:
    async with worker_screen() as (app, pilot, fake):
        fake.offer(*PLACE, SYNC, workers=3)
        await press(pilot, "escape")
        await until(pilot, lambda: app.screen is app.dashboard)
        await asyncio.sleep(0)
