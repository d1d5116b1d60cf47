"""Actions that reach the engine: asking, doing and reporting."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import cast

from tests.support.fake_engine import (
    FIXED_START,
    FakeEngine,
    bundle_view,
    definition_of,
    run_view,
    sample_engine,
)
from tests.support.screen import open_screen, press, shown, until
from textual.pilot import Pilot
from textual.widgets import Static

from roost.errors import StoreUnavailable
from roost.models import (
    BundleKind,
    CallRequest,
    CredentialWrite,
    EngineEvent,
    Impact,
    RespawnStrategy,
    RunStatus,
    SlotState,
)
from roost_tui import render
from roost_tui.app import RoostApp
from roost_tui.cut_text import cut_text
from roost_tui.modals import (
    CallToolModal,
    ConfirmModal,
    CredentialsModal,
    MessagesModal,
    ReasonModal,
    TypeNameModal,
)
from roost_tui.notes import Severity

AT = render.clock_minute(FIXED_START)


def _fake(**changes: object) -> FakeEngine:
    fake = FakeEngine()
    fake.add_bundle(bundle_view("api", **changes))  # type: ignore[arg-type]
    return fake


async def _answer(app: RoostApp, pilot: Pilot[None], kind: type, value: object) -> None:
    """Wait for a question and answer it."""
    await until(pilot, lambda: isinstance(app.screen, kind))
    app.screen.dismiss(value)
    await pilot.pause()


async def test_a_respawn_that_cuts_nothing_is_not_asked_about() -> None:
    fake = _fake()
    async with open_screen(fake) as (app, pilot):
        fake.hold_starts()
        await press(pilot, "R")
        await until(pilot, lambda: "starting" in shown(app, "#bundles"))
        assert app.notes["default", "api"].is_pending
        fake.release_starts()
        await until(pilot, lambda: f"respawned {AT}" in shown(app, "#bundles"))
        assert app.messages[-1].text == "api runs as generation 2"


async def test_a_respawn_states_what_it_cuts_and_no_is_the_default() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await press(pilot, *"jjj", "R")
        await until(pilot, lambda: isinstance(app.screen, ConfirmModal))
        await press(pilot, "enter")
        await until(pilot, lambda: not isinstance(app.screen, ConfirmModal))
        assert not fake.called("respawn")
        assert app.notes == {}


async def test_a_confirmed_respawn_is_done() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await press(pilot, *"jjj", "R")
        await _answer(app, pilot, ConfirmModal, True)
        await until(pilot, lambda: bool(fake.called("respawn")))
        assert fake.called("respawn") == [
            {"workspace": "acme", "name": "filesystem", "reason": None}
        ]


async def test_what_cannot_be_seen_is_asked_about_too() -> None:
    fake = _fake(kind=BundleKind.WEB)
    async with open_screen(fake) as (app, pilot):
        await press(pilot, "s")
        await _answer(app, pilot, ConfirmModal, False)
        assert not fake.called("stop")


async def test_what_depends_on_a_bundle_is_part_of_the_question() -> None:
    fake = _fake()
    definition = replace(definition_of(bundle_view("front")), after=("api",))
    fake.add_bundle(bundle_view("front"), definition)
    async with open_screen(fake) as (app, pilot):
        await press(pilot, "s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmModal))
        cut = "\n".join(str(part.content) for part in app.screen.query(".cut").results(Static))
        assert "1 bundle depends on it" in cut and "front" in cut
        assert fake.called("impact")[0]["action"] == "bundle.stop"


async def test_a_handover_cuts_nothing_so_nothing_is_asked() -> None:
    fake = FakeEngine()
    view = bundle_view("api")
    settings = replace(definition_of(view).settings, strategy=RespawnStrategy.HANDOVER)
    fake.add_bundle(view, replace(definition_of(view), settings=settings))
    fake.add_run(run_view("r-1", bundle="api"))
    async with open_screen(fake) as (app, pilot):
        await press(pilot, "R")
        await until(pilot, lambda: bool(fake.called("respawn")))
        assert len(app.screen_stack) == 1


def test_a_question_names_some_runs_and_counts_the_rest() -> None:
    runs = tuple(f"r-{number}" for number in range(1, 6))
    impact = Impact(
        runs, True, False, "cuts 5 runs and 2 clients; 1 bundle depends on it", 2, ("b",)
    )
    assert cut_text(bundle_view("api"), impact) == (
        "It cuts 5 runs and 2 clients; 1 bundle depends on it. "
        "Runs: r-1, r-2, r-3 and 2 more. After it come b."
    )


async def test_a_dead_bundle_has_nothing_to_cut() -> None:
    fake = _fake(kind=BundleKind.WEB, state=SlotState.DEAD)
    async with open_screen(fake) as (app, pilot):
        await press(pilot, "R")
        await until(pilot, lambda: bool(fake.called("respawn")))
        assert len(app.screen_stack) == 1


async def test_a_protected_bundle_asks_for_its_name_and_a_reason() -> None:
    fake = _fake(protected=True)
    async with open_screen(fake) as (app, pilot):
        await press(pilot, "s")
        await _answer(app, pilot, TypeNameModal, True)
        await _answer(app, pilot, ReasonModal, "moves to another host")
        await until(pilot, lambda: bool(fake.called("stop")))
        assert fake.called("stop")[0]["reason"] == "moves to another host"


async def test_a_removal_asks_for_the_name() -> None:
    fake = _fake()
    async with open_screen(fake) as (app, pilot):
        await press(pilot, "D")
        await _answer(app, pilot, TypeNameModal, False)
        assert not fake.called("remove")
        await press(pilot, "D")
        await _answer(app, pilot, TypeNameModal, True)
        await until(pilot, lambda: not app.state.bundles)
        assert app.messages[-1].text == "api was removed"


async def test_a_failed_start_stays_on_the_row_and_in_the_messages() -> None:
    fake = _fake(state=SlotState.STOPPED)
    async with open_screen(fake) as (app, pilot):
        fake.fail_next_start()
        await press(pilot, "S")
        await until(pilot, lambda: f"start failed {AT}" in shown(app, "#bundles"))
        assert app.messages[-1].severity is Severity.ERROR
        assert "handshake" in app.messages[-1].text


async def test_an_error_of_the_engine_becomes_a_message_and_the_app_lives_on() -> None:
    fake = _fake()
    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: bool(fake.called("follow_log")))
        fake.refuse_next(StoreUnavailable("the store is locked; try again"))
        await press(pilot, "R")
        await until(pilot, lambda: bool(app.messages))
        assert app.messages[-1].text == "the store is locked; try again"
        app.dashboard.action_perform("screen.messages")
        await until(pilot, lambda: isinstance(app.screen, MessagesModal))


async def test_without_a_connection_nothing_is_done_and_that_is_said() -> None:
    fake = _fake()
    async with open_screen(fake) as (app, pilot):
        fake.disconnect()
        await until(pilot, lambda: not app.state.link.is_live)
        await press(pilot, "R")
        await until(pilot, lambda: "not connected" in app.messages[-1].text)


async def test_a_run_is_stopped_after_a_yes() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await press(pilot, "tab", "j", "s")
        await _answer(app, pilot, ConfirmModal, True)
        await until(pilot, lambda: app.state.runs["r-8f3"].status is RunStatus.ABORTED)
        await until(pilot, lambda: f"stopped {AT}" in shown(app, "#runs"))


async def test_stopping_a_settled_run_only_says_so() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await press(pilot, "tab", "G", "s")
        await until(pilot, lambda: bool(app.messages))
        assert app.messages[-1].text == "r-8f0 has failed already"
        assert not fake.called("stop_run")


async def test_credentials_are_written_and_the_form_follows_the_respawn() -> None:
    fake = sample_engine()
    async with open_screen(fake, workspace="acme") as (app, pilot):
        app.dashboard.bundle_table.select(("acme", "search"))
        await press(pilot, "c")
        await until(pilot, lambda: isinstance(app.screen, CredentialsModal))
        write = CredentialWrite(set={"api_key": "key-of-the-account"})
        app.screen.post_message(CredentialsModal.SaveRequested("acme", "search", write))
        key = ("acme", "search")
        await until(pilot, lambda: app.state.bundles[key].state is SlotState.RUNNING)
        await until(pilot, lambda: app.notes[key].words == "saved")
        assert not any("key-of-the-account" in entry.text for entry in app.messages)


async def test_a_rejected_write_keeps_the_form_open_with_its_error() -> None:
    fake = sample_engine()
    async with open_screen(fake, workspace="acme") as (app, pilot):
        app.dashboard.bundle_table.select(("acme", "search"))
        await press(pilot, "c")
        await until(pilot, lambda: isinstance(app.screen, CredentialsModal))
        write = CredentialWrite(set={"no_such_field": "x"})
        app.screen.post_message(CredentialsModal.SaveRequested("acme", "search", write))
        await until(pilot, lambda: bool(app.messages))
        assert "no_such_field" in app.messages[-1].text
        assert isinstance(app.screen, CredentialsModal)


async def test_a_bundle_without_fields_has_no_form() -> None:
    async with open_screen(_fake()) as (app, pilot):
        await press(pilot, "c")
        await until(pilot, lambda: bool(app.messages))
        assert "asks for no credentials" in app.messages[-1].text


async def test_a_tool_call_becomes_a_run_that_is_selected() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        await press(pilot, *"jjj", "t")
        await until(pilot, lambda: isinstance(app.screen, CallToolModal))
        request = CallRequest("search_files", {"pattern": "TODO"})
        app.screen.post_message(CallToolModal.CallRequested("acme", "filesystem", request))
        await until(pilot, lambda: len(app.screen_stack) == 1)
        newest = fake.called("call_tool")
        assert newest[0]["request"] == request
        await until(pilot, lambda: app.dashboard.run_table.has_focus)
        await until(pilot, lambda: app.dashboard.selection.run is not None)
        run = app.dashboard.selection.run
        assert run is not None and run.tool == "search_files" and run.id != "r-8f3"


async def _asked_to_stop_the_daemon(app: RoostApp, pilot: Pilot[None]) -> str:
    app.dashboard.action_perform("daemon.stop")
    await until(pilot, lambda: isinstance(app.screen, ConfirmModal))
    return str(app.screen.query_one(".cut", Static).content)


async def test_stopping_the_daemon_says_what_it_takes_along() -> None:
    fake = sample_engine()
    async with open_screen(fake) as (app, pilot):
        cut = await _asked_to_stop_the_daemon(app, pilot)
        assert "It stops 6 bundles." in cut
        assert "It cuts 2 runs: filesystem.search_files, notebook.render." in cut
        await _answer(app, pilot, ConfirmModal, True)
        await until(pilot, lambda: not app.state.link.is_live)
        assert fake.called("shutdown")


async def test_stopping_the_daemon_counts_the_other_screens_and_no_is_the_default() -> None:
    fake = _fake()
    async with aclosing(cast(AsyncGenerator[EngineEvent, None], fake.events())) as other:
        await anext(other)
        async with open_screen(fake) as (app, pilot):
            cut = await _asked_to_stop_the_daemon(app, pilot)
            assert "It stops 1 bundle. 1 other screen would lose it too." in cut
            await press(pilot, "enter")
            await until(pilot, lambda: len(app.screen_stack) == 1)
            assert not fake.called("shutdown")
