"""How workers, tasks, schedules and their runs look, at the two main sizes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.support.modal_scenes import hold_cursors
from tests.support.run_scenes import run_screen
from tests.support.screen import NARROW, WIDE, until
from tests.support.task_scenes import worker_engine
from textual.pilot import Pilot

from roost_tui.app import RoostApp
from roost_tui.bundle_screen import BundleScreen
from roost_tui.modals.fact_lines import FactLines
from roost_tui.modals.schedules import SchedulesModal
from roost_tui.modals.task_forms import PutScheduleModal, SubmitTaskModal
from roost_tui.run_screen import RunScreen
from roost_tui.runs_screen import RunsScreen

Compare = Callable[..., bool]
Before = Callable[[Pilot[None]], Awaitable[None]]

SIZES = pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "120x40"])


def _app_of(pilot: Pilot[None]) -> RoostApp:
    assert isinstance(pilot.app, RoostApp)
    return pilot.app


def _app(**options: Any) -> RoostApp:
    fake = worker_engine()
    return RoostApp(fake, clock=fake.clock, **options)


async def _settle(pilot: Pilot[None]) -> None:
    for _ in range(4):
        await pilot.pause()


async def _start(pilot: Pilot[None]) -> RoostApp:
    app = _app_of(pilot)
    await until(pilot, lambda: app.state.has_seen_engine)
    return app


def _dashboard(*keys: str) -> Before:
    async def before(pilot: Pilot[None]) -> None:
        await _start(pilot)
        await pilot.press(*keys)
        await _settle(pilot)

    return before


async def _open_bundle(pilot: Pilot[None]) -> BundleScreen:
    app = await _start(pilot)
    await until(pilot, lambda: app.dashboard.bundle_table.select(("acme", "reports")))
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, BundleScreen))
    screen = app.screen
    assert isinstance(screen, BundleScreen)
    await until(pilot, lambda: "environment" in screen.page_view.text)
    await until(pilot, lambda: "SCHEDULE" in screen.page_view.text)
    await _settle(pilot)
    return screen


async def _bundle(pilot: Pilot[None]) -> None:
    await _open_bundle(pilot)


async def _runs(pilot: Pilot[None]) -> None:
    app = await _start(pilot)
    await pilot.press("3")
    await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.is_mounted)
    await _settle(pilot)


def _run(run_id: str) -> Before:
    async def before(pilot: Pilot[None]) -> None:
        app = await _start(pilot)
        app.open_run_page(app.state.runs[run_id])
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.is_mounted)
        await until(pilot, lambda: "arguments" in run_screen(app).page_view.text)
        await until(pilot, lambda: "recovery" in run_screen(app).page_view.text)
        await until(pilot, lambda: run_screen(app).is_caught_up)
        await _settle(pilot)

    return before


def _modal(kind: type[Any], action_id: str, *keys: str) -> Before:
    async def before(pilot: Pilot[None]) -> None:
        await _open_bundle(pilot)
        app = _app_of(pilot)
        assert isinstance(app.screen, BundleScreen)
        app.screen.action_perform(action_id)
        await until(pilot, lambda: isinstance(app.screen, kind) and app.screen.is_mounted)
        if kind is SchedulesModal:
            await until(pilot, lambda: len(app.screen.query_one(FactLines).facts) > 4)
        await _settle(pilot)
        for key in keys:
            await pilot.press(key)
            await _settle(pilot)
        hold_cursors(app)
        await _settle(pilot)

    return before


SCENES: dict[str, Before] = {
    "dashboard": _dashboard("tab"),
    "worker": _bundle,
    "runs": _runs,
    "run-third-attempt": _run("r-t7"),
    "run-suspended": _run("r-t6"),
    "run-without-worker": _run("r-t3"),
    "submit": _modal(SubmitTaskModal, "task.submit", "enter"),
    "schedules": _modal(SchedulesModal, "schedule.list"),
    "schedule-disabled": _modal(SchedulesModal, "schedule.list", "j"),
    "new-schedule": _modal(PutScheduleModal, "schedule.put"),
}


@SIZES
@pytest.mark.parametrize("scene", SCENES)
def test_tasks(snap_compare: Compare, scene: str, size: tuple[int, int]) -> None:
    assert snap_compare(_app(), terminal_size=size, run_before=SCENES[scene])


@pytest.mark.parametrize("scene", ["worker", "runs", "run-third-attempt", "schedules"])
def test_tasks_in_plain_characters(snap_compare: Compare, scene: str) -> None:
    app = _app(ascii_only=True)
    assert snap_compare(app, terminal_size=NARROW, run_before=SCENES[scene])


def test_schedules_of_a_read_only_screen(snap_compare: Compare) -> None:
    app = _app(read_only=True)
    assert snap_compare(app, terminal_size=NARROW, run_before=SCENES["schedules"])


def test_tasks_without_colours(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(_app(), terminal_size=NARROW, run_before=SCENES["runs"])
