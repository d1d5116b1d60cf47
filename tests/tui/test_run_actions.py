"""Stopping one run or many, making room in a scope, and running a command."""

from __future__ import annotations

from tests.support.fake.commands import ABSENT
from tests.support.fake_engine import FakeEngine, bundle_view, run_view, sample_engine
from tests.support.run_scenes import run_screen, runs_screen
from tests.support.screen import drawn, open_screen, press, until
from textual.pilot import Pilot
from textual.widgets import Input, Static

from roost.errors import StoreUnavailable
from roost.models import RunKind, RunStatus, StopPhase
from roost_tui.app import RoostApp
from roost_tui.modals import ConfirmModal, ReasonModal, TypeNameModal
from roost_tui.modals.command_line import CommandModal, ReviewModal
from roost_tui.run_screen import RunScreen
from roost_tui.runs_screen import RunsScreen


def _fake(count: int = 4, *, protected: bool = False) -> FakeEngine:
    """Return a daemon with active calls of ``app``, and one run that has settled."""
    fake = FakeEngine()
    fake.add_bundle(bundle_view("app", protected=protected))
    for number in range(1, count + 1):
        fake.add_run(run_view(f"r-{number}", bundle="app", tool="wait", title="app.wait"))
    fake.add_run(run_view("r-9", status=RunStatus.SUCCEEDED))
    return fake


async def _open(app: RoostApp, pilot: Pilot[None]) -> None:
    await press(pilot, "3")
    await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.is_mounted)
    await until(pilot, lambda: len(runs_screen(app).table.rows) > 0)


async def _at(app: RoostApp, pilot: Pilot[None], run_id: str) -> None:
    await _open(app, pilot)
    assert runs_screen(app).table.select(("default", run_id))


def _rows(app: RoostApp) -> str:
    screen = next(screen for screen in app.screen_stack if isinstance(screen, RunsScreen))
    return drawn(screen.table)


def _row(app: RoostApp, run_id: str) -> str:
    return next(line for line in _rows(app).splitlines() if f" {run_id} " in line)


async def _asked(app: RoostApp, pilot: Pilot[None]) -> str:
    await until(pilot, lambda: isinstance(app.screen, ConfirmModal) and app.screen.is_mounted)
    await pilot.pause()
    return " ".join(str(part.render()) for part in app.screen.query(Static))


def _said(app: RoostApp) -> list[str]:
    return [message.text for message in app.messages]


async def _palette(app: RoostApp, pilot: Pilot[None], action_id: str) -> None:
    """Do what the palette would, after it has closed."""
    screen = app.screen
    assert isinstance(screen, RunsScreen | RunScreen)
    assert action_id in {entry.id for entry in screen.performable()}
    screen.action_perform(action_id)
    await pilot.pause()


async def test_a_stop_asks_first_and_no_is_the_default() -> None:
    fake = _fake()
    async with open_screen(fake) as (app, pilot):
        await _at(app, pilot, "r-1")
        await press(pilot, "s")
        assert "It cuts app.wait." in await _asked(app, pilot)
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        assert not fake.called("stop_run")
        assert "pending" not in _row(app, "r-1")


async def test_the_row_shows_the_ladder_while_it_is_walked() -> None:
    fake = _fake()
    fake.resist_stop("r-1", StopPhase.ASKED)
    async with open_screen(fake) as (app, pilot):
        await _at(app, pilot, "r-1")
        await press(pilot, "s")
        await _asked(app, pilot)
        assert "pending" in _row(app, "r-1")
        await press(pilot, "y")
        await until(pilot, lambda: "asked" in _row(app, "r-1"))
        fake.change_run("r-1", stop_phase=StopPhase.TERMINATING)
        await until(pilot, lambda: "TERM sent" in _row(app, "r-1"))
        fake.change_run("r-1", stop_phase=StopPhase.KILLING)
        await until(pilot, lambda: "KILL sent" in _row(app, "r-1"))
        fake.settle_run("r-1", RunStatus.ABORTED)
        await until(pilot, lambda: "r-1 was stopped" in _said(app))
        assert "aborted" in _row(app, "r-1")


async def test_the_page_of_a_run_shows_the_ladder_too() -> None:
    fake = FakeEngine()
    fake.add_run(run_view("r-1", kind=RunKind.COMMAND, title="exec sleep"))
    fake.resist_stop("r-1", StopPhase.TERMINATING)
    async with open_screen(fake) as (app, pilot):
        app.open_run_page(app.state.runs["r-1"])
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.is_mounted)
        await press(pilot, "s")
        await _asked(app, pilot)
        await press(pilot, "y")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        rungs = "✓ asked to stop  ▸ TERM sent  ◦ KILL sent  ◦ ended"
        await until(pilot, lambda: rungs in run_screen(app).page_view.text)
        fake.settle_run("r-1", RunStatus.ABORTED)
        ended = "✓ asked to stop  ✓ TERM sent  ✓ ended"
        await until(pilot, lambda: ended in run_screen(app).page_view.text)


async def test_a_server_that_ignores_a_stop_is_offered_for_respawn_naming_what_that_cuts() -> None:
    fake = _fake()
    fake.resist_stop("r-1", StopPhase.IGNORED, respawn="app", would_cut=("r-2", "r-3"))
    async with open_screen(fake) as (app, pilot):
        await _at(app, pilot, "r-1")
        await press(pilot, "s")
        await _asked(app, pilot)
        await press(pilot, "y")
        await until(pilot, lambda: "goes on with it" in " ".join(_said(app)))
        asked = await _asked(app, pilot)
        assert "app goes on with r-1. Only a respawn ends that work." in asked
        assert "It also cuts r-2, r-3." in asked
        assert "ignored" in _row(app, "r-1")
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        assert not fake.called("respawn")
        fake.resist_stop("r-1", StopPhase.IGNORED, respawn="app", would_cut=("r-2", "r-3"))
        await press(pilot, "s")
        await _asked(app, pilot)
        await press(pilot, "y")
        await until(pilot, lambda: len(fake.called("stop_run")) == 2)
        assert "Only a respawn ends that work." in await _asked(app, pilot)
        await press(pilot, "y")
        await until(pilot, lambda: len(fake.called("respawn")) == 1)
        await until(pilot, lambda: "aborted" in _row(app, "r-1"))


async def test_a_protected_server_wants_its_name_and_a_reason_before_such_a_respawn() -> None:
    fake = _fake(protected=True)
    fake.resist_stop("r-1", StopPhase.IGNORED, respawn="app")
    async with open_screen(fake) as (app, pilot):
        await _at(app, pilot, "r-1")
        await press(pilot, "s")
        await _asked(app, pilot)
        await press(pilot, "y")
        await until(pilot, lambda: isinstance(app.screen, TypeNameModal))
        await pilot.pause()
        await press(pilot, *"app", "enter")
        await until(pilot, lambda: isinstance(app.screen, ReasonModal))
        await pilot.pause()
        await press(pilot, *"stuck", "enter")
        await until(pilot, lambda: len(fake.called("respawn")) == 1)
        assert fake.called("respawn")[0]["reason"] == "stuck"


async def test_marked_runs_are_stopped_with_one_question_that_names_the_count() -> None:
    fake = _fake()
    async with open_screen(fake) as (app, pilot):
        await _at(app, pilot, "r-4")
        await press(pilot, "space", "j", "j", "V", "G", "space", "s")
        asked = await _asked(app, pilot)
        assert "Stop these 3 runs?" in asked
        assert "It cuts r-4, r-3, r-2. 1 other settled already." in asked
        await press(pilot, "y")
        await until(pilot, lambda: len(fake.called("stop_run")) == 3)
        await until(pilot, lambda: len(_said(app)) == 3)
        assert sorted(_said(app)) == [f"r-{number} was stopped" for number in (2, 3, 4)]
        assert fake.world.runs["r-1"].view.status is RunStatus.RUNNING
        assert not runs_screen(app).table.marks


async def test_one_stop_that_fails_leaves_the_others_alone_and_is_told_by_its_run() -> None:
    fake = _fake(2)
    async with open_screen(fake) as (app, pilot):
        await _at(app, pilot, "r-2")
        await press(pilot, "space", "j", "space", "s")
        await _asked(app, pilot)
        fake.refuse_next(StoreUnavailable("the store is locked; try again"))
        await press(pilot, "y")
        await until(pilot, lambda: len(_said(app)) == 2)
        assert sorted(_said(app)) == ["r-1 was stopped", "r-2: the store is locked; try again"]
        assert "failed" in _row(app, "r-2")


async def test_all_that_a_filter_leaves_can_be_stopped_from_the_palette() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot)
        await press(pilot, "slash", *"scope:chat", "enter")
        await _palette(app, pilot, "screen.stop_shown")
        assert "It cuts filesystem.search_files, 7/10 done." in await _asked(app, pilot)
        await press(pilot, "y")
        await until(pilot, lambda: len(fake.called("stop_run")) == 1)
        assert fake.world.runs["r-8f4"].view.status is RunStatus.PENDING


async def test_a_scope_is_freed_of_what_was_shown_as_active() -> None:
    fake = FakeEngine()
    fake.add_run(run_view("r-1", scope="chat", status=RunStatus.SUCCEEDED))
    fake.add_run(run_view("r-2", scope="chat", title="app.wait"))
    async with open_screen(fake) as (app, pilot):
        await _at(app, pilot, "r-1")
        await _palette(app, pilot, "run.replace")
        assert "It cuts r-2, app.wait." in await _asked(app, pilot)
        await press(pilot, "y")
        await until(pilot, lambda: "r-2 was stopped; chat is free" in _said(app))
        assert fake.called("supersede")[0]["expected"] == "r-2"
        await until(pilot, lambda: "freed" in _row(app, "r-1"))


async def test_the_other_outcomes_of_a_replacement_are_told() -> None:
    fake = FakeEngine()
    fake.add_run(run_view("r-1", scope="chat", status=RunStatus.SUCCEEDED))
    async with open_screen(fake) as (app, pilot):
        await _at(app, pilot, "r-1")
        await _palette(app, pilot, "run.replace")
        await until(pilot, lambda: _said(app)[-1:] == ["nothing is active in chat"])
        fake.add_run(run_view("r-2", scope="chat"))
        fake.resist_stop("r-2", StopPhase.ASKED)
        await until(pilot, lambda: "r-2" in app.state.runs)
        await _palette(app, pilot, "run.replace")
        await _asked(app, pilot)
        await press(pilot, "y")
        await until(pilot, lambda: "has not settled within 10 s" in _said(app)[-1])


async def test_a_run_that_took_the_scope_meanwhile_is_left_alone() -> None:
    fake = FakeEngine()
    fake.add_run(run_view("r-2", scope="chat"))
    async with open_screen(fake) as (app, pilot):
        await _at(app, pilot, "r-2")
        await _palette(app, pilot, "run.replace")
        await _asked(app, pilot)
        fake.settle_run("r-2")
        fake.add_run(run_view("r-3", scope="chat"))
        await press(pilot, "y")
        await until(pilot, lambda: "r-3 is active in chat, not r-2" in " ".join(_said(app)))
        assert fake.world.runs["r-3"].view.status is RunStatus.RUNNING


async def _type_command(app: RoostApp, pilot: Pilot[None], line: str) -> None:
    await _palette(app, pilot, "run.exec")
    await until(pilot, lambda: isinstance(app.screen, CommandModal) and app.screen.is_mounted)
    await pilot.pause()
    app.screen.query_one(Input).value = line
    await pilot.pause()
    await press(pilot, "enter")


async def test_a_command_is_split_like_a_shell_shown_and_run_and_its_page_opens() -> None:
    fake = _fake()
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot)
        await _type_command(app, pilot, "psql -c 'select 1' $HOME")
        await until(pilot, lambda: isinstance(app.screen, ReviewModal))
        asked = await _asked(app, pilot)
        assert '2 "select 1"' in " ".join(asked.split())
        assert '"$HOME"' in asked
        await press(pilot, "y")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.is_mounted)
        request = fake.called("exec_command")[0]["request"]
        assert request.command == ("psql", "-c", "select 1", "$HOME")
        await until(pilot, lambda: "exec psql" in run_screen(app).page_view.text)


async def test_a_command_that_is_not_confirmed_or_cannot_be_split_runs_nothing() -> None:
    fake = _fake()
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot)
        await _type_command(app, pilot, "echo 'open")
        assert isinstance(app.screen, CommandModal)
        assert "No closing quotation" in str(app.screen.query_one("#vector", Static).render())
        app.screen.query_one(Input).value = "echo done"
        await pilot.pause()
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, ReviewModal))
        await _asked(app, pilot)
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        assert not fake.called("exec_command")


async def test_a_program_that_is_absent_becomes_a_message() -> None:
    fake = _fake()
    async with open_screen(fake) as (app, pilot):
        await _open(app, pilot)
        await _type_command(app, pilot, ABSENT)
        await _asked(app, pilot)
        await press(pilot, "y")
        await until(pilot, lambda: ABSENT in " ".join(_said(app)))
        assert isinstance(app.screen, RunsScreen)
