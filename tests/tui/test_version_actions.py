"""Upgrade, roll back and pin from the screen; the vault's key; modals closed at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.support.fake_engine import FakeEngine, bundle_view, definition_of, run_view
from tests.support.modal_scenes import (
    BUNDLE,
    HELP,
    MENU,
    MESSAGES,
    WORKSPACES,
    Host,
    call_tool,
    credentials,
)
from tests.support.package_scenes import ENTRIES, FILES, read_words, with_versions
from tests.support.screen import drawn, open_screen, press, until
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import Static

from roost.models import (
    ConfigField,
    FieldType,
    ImportOutcome,
    ImportPlan,
    KeyPlace,
    UpgradeRequest,
    VaultView,
)
from roost_tui.app import RoostApp
from roost_tui.bundle_screen import BundleScreen
from roost_tui.modals import (
    ActionMenu,
    ConfirmModal,
    CredentialsModal,
    DoctorModal,
    HelpModal,
    MessagesModal,
    PickerModal,
    ReasonModal,
    TypeNameModal,
    WhyModal,
)
from roost_tui.modals.add import AddModal, Purpose
from roost_tui.modals.fact_row import FactRow
from roost_tui.modals.form_row import FormRow
from roost_tui.modals.import_pages import (
    ConfirmPage,
    Draft,
    EntriesPage,
    FilesPage,
    OutcomePage,
    ScanModal,
)
from roost_tui.modals.import_questions import QuestionsPage
from roost_tui.modals.vault import VaultModal
from roost_tui.notes import Severity
from roost_tui.selection import NOTHING_SELECTED, Selection

KEY = ("default", "memory")


def _begin(app: RoostApp, action_id: str) -> None:
    """Do what the palette does."""
    app.begin_operation(action_id, Selection(bundle=app.state.bundles[KEY]))


async def _answer(app: RoostApp, pilot: Pilot[None], kind: type, value: object) -> None:
    await until(pilot, lambda: isinstance(app.screen, kind))
    app.screen.dismiss(value)
    await pilot.pause()


async def _said(app: RoostApp, pilot: Pilot[None], words: str) -> None:
    await until(pilot, lambda: any(words in entry.text for entry in app.messages))


async def test_the_bundle_screen_lists_the_versions_that_are_kept() -> None:
    async with open_screen(with_versions()) as (app, pilot):
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, BundleScreen))
        screen = app.screen
        assert isinstance(screen, BundleScreen)
        await until(pilot, lambda: "current" in drawn(screen.page_view))
        assert "1.4.2" in drawn(screen.page_view)


async def test_a_version_is_chosen_and_made_the_current_one_again() -> None:
    fake = with_versions()
    async with open_screen(fake) as (app, pilot):
        _begin(app, "bundle.rollback")
        await _answer(app, pilot, PickerModal, "2")
        await _said(app, pilot, "version 2 of memory was rolled back")
        assert fake.called("rollback")[0]["number"] == 2
        assert (await fake.versions(*KEY))[1].is_current


async def test_the_current_version_is_no_choice() -> None:
    fake = with_versions()
    async with open_screen(fake) as (app, pilot):
        _begin(app, "bundle.rollback")
        await _answer(app, pilot, PickerModal, "3")
        assert not fake.called("rollback") and app.notes == {}


async def test_a_roll_back_states_what_it_cuts() -> None:
    fake = with_versions()
    fake.add_run(run_view("r-1", bundle="memory"))
    async with open_screen(fake) as (app, pilot):
        _begin(app, "bundle.rollback")
        await _answer(app, pilot, PickerModal, "1")
        await _answer(app, pilot, ConfirmModal, False)
        await until(pilot, lambda: app.notes == {})
        assert not fake.called("rollback")


async def test_one_version_is_none_to_go_back_to() -> None:
    fake = FakeEngine()
    fake.add_bundle(bundle_view("memory"))
    async with open_screen(fake) as (app, pilot):
        _begin(app, "bundle.rollback")
        await _said(app, pilot, "only one version of memory is kept")


async def test_an_upgrade_is_reviewed_and_keeps_the_name() -> None:
    fake = with_versions()
    async with open_screen(fake, read_words=read_words) as (app, pilot):
        _begin(app, "bundle.upgrade")
        await until(pilot, lambda: isinstance(app.screen, AddModal))
        await press(pilot, *"python3 newer.py", "enter")
        await until(pilot, lambda: bool(app.screen.query(FactRow)))
        assert not app.screen.query(FormRow)
        await press(pilot, "ctrl+s")
        await _said(app, pilot, "version 4 of memory was installed")
        asked = fake.called("upgrade")[0]["request"]
        assert isinstance(asked, UpgradeRequest)
        assert asked.install.command == ("python3", "newer.py") and asked.reason is None
        await until(pilot, lambda: app.screen is app.dashboard)


async def test_an_upgrade_of_a_protected_bundle_asks_for_the_name_and_a_reason() -> None:
    fake = with_versions()
    fake.change_bundle(*KEY, protected=True)
    async with open_screen(fake, read_words=read_words) as (app, pilot):
        _begin(app, "bundle.upgrade")
        await until(pilot, lambda: isinstance(app.screen, AddModal))
        await press(pilot, *"python3 newer.py", "enter")
        await until(pilot, lambda: bool(app.screen.query(FactRow)))
        await press(pilot, "ctrl+s")
        await _answer(app, pilot, TypeNameModal, True)
        await _answer(app, pilot, ReasonModal, "a fix")
        await until(pilot, lambda: bool(fake.called("upgrade")))
        assert fake.called("upgrade")[0]["request"].reason == "a fix"


async def test_an_upgrade_that_is_not_confirmed_changes_nothing_and_stays_open() -> None:
    fake = with_versions()
    fake.add_run(run_view("r-1", bundle="memory"))
    async with open_screen(fake, read_words=read_words) as (app, pilot):
        _begin(app, "bundle.upgrade")
        await until(pilot, lambda: isinstance(app.screen, AddModal))
        await press(pilot, *"python3 newer.py", "enter")
        await until(pilot, lambda: bool(app.screen.query(FactRow)))
        await press(pilot, "ctrl+s")
        await _answer(app, pilot, ConfirmModal, False)
        await until(pilot, lambda: isinstance(app.screen, AddModal))
        told = app.screen.query_one(".told", Static)
        await until(pilot, lambda: "the review still stands" in str(told.content))
        assert not fake.called("upgrade")


async def test_a_command_that_fetches_its_package_is_pinned() -> None:
    fake = FakeEngine()
    view = bundle_view("memory")
    fake.add_bundle(view, replace(definition_of(view), command="npx", args=("-y", "server")))
    async with open_screen(fake) as (app, pilot):
        _begin(app, "bundle.pin")
        await _said(app, pilot, "version 2 of memory was installed")
        assert app.state.bundles[KEY].version == "1.4.2"


async def test_what_fetches_nothing_is_not_pinned() -> None:
    async with open_screen(with_versions()) as (app, pilot):
        _begin(app, "bundle.pin")
        await _said(app, pilot, "nothing to pin")
        assert app.notes[KEY].is_failure


# The vault


async def test_the_vault_is_shown_without_its_key() -> None:
    async with open_screen(with_versions()) as (app, pilot):
        app.begin_operation("vault.show", NOTHING_SELECTED)
        await until(pilot, lambda: isinstance(app.screen, VaultModal))
        facts = [row.fact.text for row in app.screen.query(FactRow)]
        assert "k1, kept in: file" in facts


async def test_a_new_key_is_asked_about_first() -> None:
    fake = with_versions()
    async with open_screen(fake) as (app, pilot):
        app.begin_operation("vault.rotate", NOTHING_SELECTED)
        await _answer(app, pilot, ConfirmModal, False)
        assert not fake.called("rotate_vault_key")
        app.begin_operation("vault.rotate", NOTHING_SELECTED)
        await _answer(app, pilot, ConfirmModal, True)
        await _said(app, pilot, "the vault's key is k2 from now on")


async def test_a_given_key_is_not_replaced_from_here() -> None:
    fake = with_versions()
    fake.world.vault = replace(fake.world.vault, place=KeyPlace.ENVIRONMENT)
    async with open_screen(fake) as (app, pilot):
        app.begin_operation("vault.rotate", NOTHING_SELECTED)
        await _answer(app, pilot, ConfirmModal, True)
        await _said(app, pilot, "given by the settings")
        assert app.messages[-1].severity is Severity.ERROR


# Credentials of protected bundles


async def test_a_restore_that_leaves_a_sensitive_field_unset_asks_for_the_reason() -> None:
    fake = with_versions()
    token = ConfigField("token", FieldType.STRING, "Token", sensitive=True)
    fake.set_form(*KEY, (token,), {"token": "x"}, previous={})
    fake.change_bundle(*KEY, protected=True)
    async with open_screen(fake) as (app, pilot):
        await press(pilot, "c")
        await until(pilot, lambda: isinstance(app.screen, CredentialsModal))
        await pilot.pause()
        await press(pilot, "ctrl+r")
        reason = app.screen.query_one(".reason", FormRow)
        await until(pilot, lambda: "give a reason" in reason.problem)
        assert app.focused is reason.control
        await press(pilot, "ctrl+r")
        assert len(fake.called("restore_credentials")) == 1
        await press(pilot, *"leak", "ctrl+r")
        await until(pilot, lambda: len(fake.called("restore_credentials")) == 2)
        assert fake.called("restore_credentials")[1]["reason"] == "leak"
        await until(pilot, lambda: fake.world.require_bundle(*KEY).values == {})


# Closed before they were laid out

PLAN = ImportPlan(FILES, ENTRIES)

MODALS: dict[str, Callable[[], ModalScreen[Any]]] = {
    "menu": lambda: ActionMenu("db-query", MENU),
    "call": call_tool,
    "confirm": lambda: ConfirmModal("Stop", "Stop it?", "cuts 2 runs", yes_label="Stop"),
    "credentials": credentials,
    "doctor": DoctorModal,
    "help": lambda: HelpModal(HELP),
    "messages": lambda: MessagesModal(MESSAGES),
    "picker": lambda: PickerModal("Workspace", WORKSPACES, "acme"),
    "reason": lambda: ReasonModal("Stop", "Why?"),
    "name": lambda: TypeNameModal("Remove", "It is gone then.", "db-query"),
    "why": lambda: WhyModal(BUNDLE, {}),
    "vault": lambda: VaultModal(VaultView(KeyPlace.FILE, "/srv/key", "k1", 3)),
    "add": lambda: AddModal(Purpose("Add", "Install")),
    "scan": ScanModal,
    "files": lambda: FilesPage(Draft.of("acme", PLAN)),
    "entries": lambda: EntriesPage(Draft.of("acme", PLAN)),
    "questions": lambda: QuestionsPage(Draft.of("acme", PLAN)),
    "import": lambda: ConfirmPage(Draft.of("acme", PLAN)),
    "outcome": lambda: OutcomePage(Draft.of("acme", PLAN), ImportOutcome(())),
}


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("name", MODALS)
async def test_a_modal_may_be_closed_before_it_is_laid_out(name: str, turns: int) -> None:
    host = Host(ConfirmModal("First", "It stays.", "", yes_label="Yes"))
    async with host.run_test() as pilot:
        modal = MODALS[name]()
        host.push_screen(modal)
        for _ in range(turns):
            await asyncio.sleep(0)
        modal.dismiss(None)
        await pilot.pause()
        assert host.screen is host.modal
    assert host._exception is None
