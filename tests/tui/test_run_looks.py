"""How the runs screen, the run screen and the ladder of a stop look, at the two main sizes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.support.fake_engine import FakeEngine, sample_engine
from tests.support.run_scenes import many_runs, run_screen, runs_screen, staged_engine
from tests.support.screen import NARROW, WIDE, lose, until
from textual.pilot import Pilot

from roost.models import RunKind, StopPhase
from roost_tui.app import RoostApp
from roost_tui.modals import ConfirmModal
from roost_tui.modals.command_line import CommandModal, ReviewModal
from roost_tui.run_screen import RunScreen
from roost_tui.runs_screen import RunsScreen

Compare = Callable[..., bool]
Before = Callable[[Pilot[None]], Awaitable[None]]

SIZES = pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "120x40"])


def _app_of(pilot: Pilot[None]) -> RoostApp:
    assert isinstance(pilot.app, RoostApp)
    return pilot.app


def _app(fake: FakeEngine, **options: Any) -> RoostApp:
    return RoostApp(fake, clock=fake.clock, **options)


def _without_runs() -> FakeEngine:
    fake = sample_engine()
    fake.world.runs.clear()
    return fake


async def _settle(pilot: Pilot[None]) -> None:
    for _ in range(3):
        await pilot.pause()


def _list(*keys: str) -> Before:
    async def before(pilot: Pilot[None]) -> None:
        app = _app_of(pilot)
        await until(pilot, lambda: app.state.has_seen_engine)
        await pilot.press("3")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.is_mounted)
        await _settle(pilot)
        await pilot.press(*keys)
        await _settle(pilot)

    return before


def _page(run_id: str, *keys: str) -> Before:
    async def before(pilot: Pilot[None]) -> None:
        app = _app_of(pilot)
        await until(pilot, lambda: app.state.has_seen_engine)
        app.open_run_page(app.state.runs[run_id])
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.is_mounted)
        await until(pilot, lambda: "arguments" in run_screen(app).page_view.text)
        if app.state.runs[run_id].kind is RunKind.TASK:
            await until(pilot, lambda: run_screen(app).page.task is not None)
        await until(pilot, lambda: run_screen(app).is_caught_up)
        await _settle(pilot)
        await pilot.press(*keys)
        await _settle(pilot)

    return before


LISTS: dict[str, tuple[Callable[[], FakeEngine], tuple[str, ...]]] = {
    "full": (lambda: many_runs(60), ("j", "j")),
    "mixed": (staged_engine, ("j",)),
    "filtered": (staged_engine, ("slash", *"kind:command since:1h", "enter")),
    "empty": (_without_runs, ()),
    "marked": (staged_engine, ("j", "space", "j", "j", "V")),
}


@SIZES
@pytest.mark.parametrize("scene", LISTS)
def test_the_runs(snap_compare: Compare, scene: str, size: tuple[int, int]) -> None:
    build, keys = LISTS[scene]
    assert snap_compare(_app(build()), terminal_size=size, run_before=_list(*keys))


@SIZES
@pytest.mark.parametrize(
    ("scene", "run_id"),
    [
        ("pending", "r-8f4"),
        ("running", "r-900"),
        ("succeeded", "r-8f2"),
        ("failed", "r-903"),
        ("aborted", "r-8f1"),
        ("term-sent", "r-902"),
    ],
)
def test_a_run(snap_compare: Compare, scene: str, run_id: str, size: tuple[int, int]) -> None:
    assert snap_compare(_app(staged_engine()), terminal_size=size, run_before=_page(run_id))


@SIZES
def test_a_run_of_a_lost_daemon(snap_compare: Compare, size: tuple[int, int]) -> None:
    fake = staged_engine()
    opened = _page("r-900")

    async def before(pilot: Pilot[None]) -> None:
        await opened(pilot)
        await lose(_app_of(pilot), pilot, fake)
        await _settle(pilot)

    assert snap_compare(_app(fake), terminal_size=size, run_before=before)


async def _until_asked(pilot: Pilot[None]) -> None:
    app = _app_of(pilot)
    await until(pilot, lambda: isinstance(app.screen, ConfirmModal) and app.screen.is_mounted)
    await _settle(pilot)


@SIZES
def test_several_are_asked_about_at_once(snap_compare: Compare, size: tuple[int, int]) -> None:
    opened = _list("space", "j", "j", "V", "s")

    async def before(pilot: Pilot[None]) -> None:
        await opened(pilot)
        await _until_asked(pilot)

    assert snap_compare(_app(staged_engine()), terminal_size=size, run_before=before)


@SIZES
def test_a_respawn_is_offered(snap_compare: Compare, size: tuple[int, int]) -> None:
    fake = sample_engine()
    fake.resist_stop("r-8f3", StopPhase.ASKED, respawn="filesystem", would_cut=("r-8f9", "r-8fa"))
    opened = _list("j", "s")

    async def before(pilot: Pilot[None]) -> None:
        await opened(pilot)
        await _until_asked(pilot)
        await pilot.press("y")
        await until(pilot, lambda: bool(fake.called("stop_run")))
        await _until_asked(pilot)

    assert snap_compare(_app(fake), terminal_size=size, run_before=before)


@SIZES
def test_a_command_is_reviewed(snap_compare: Compare, size: tuple[int, int]) -> None:
    opened = _list()

    async def before(pilot: Pilot[None]) -> None:
        app = _app_of(pilot)
        await opened(pilot)
        runs_screen(app).action_perform("run.exec")
        await until(pilot, lambda: isinstance(app.screen, CommandModal) and app.screen.is_mounted)
        await _settle(pilot)
        await pilot.press(*"psql -c 'select 1' app", "enter")
        await until(pilot, lambda: isinstance(app.screen, ReviewModal))
        await _until_asked(pilot)

    assert snap_compare(_app(sample_engine()), terminal_size=size, run_before=before)


def test_runs_in_plain_characters(snap_compare: Compare) -> None:
    app = _app(staged_engine(), ascii_only=True)
    assert snap_compare(app, terminal_size=NARROW, run_before=_list("space"))


def test_a_run_in_plain_characters(snap_compare: Compare) -> None:
    app = _app(staged_engine(), ascii_only=True)
    assert snap_compare(app, terminal_size=NARROW, run_before=_page("r-902"))


def test_runs_in_light_colours(snap_compare: Compare) -> None:
    app = _app(staged_engine(), theme="textual-light")
    assert snap_compare(app, terminal_size=NARROW, run_before=_list("space"))


def test_runs_without_colours(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(_app(staged_engine()), terminal_size=NARROW, run_before=_list("space"))
