"""Importing the servers of MCP clients: page by page, by keys alone."""

from __future__ import annotations

from typing import TypeVar

import pytest
from tests.support.fake_engine import FakeEngine, bundle_view, sample_engine
from tests.support.package_scenes import (
    BROKEN,
    DATABASE,
    FILES,
    GITHUB,
    MEMORY,
    SEARCH,
    SECRET,
    TWIN,
    with_clients,
)
from tests.support.screen import NARROW, open_screen, press, until
from textual.pilot import Pilot
from textual.widgets import Static

from roost.errors import StoreUnavailable
from roost.models import ImportChoice, ImportRequest
from roost_tui.app import RoostApp
from roost_tui.modals.import_list import EntryList
from roost_tui.modals.import_pages import (
    ConfirmPage,
    EntriesPage,
    FilesPage,
    OutcomePage,
    Page,
    ScanModal,
)
from roost_tui.modals.import_questions import AnswerRow, ConsentRow, QuestionsPage

P = TypeVar("P", bound=Page)


async def _on(app: RoostApp, pilot: Pilot[None], kind: type[P]) -> P:
    """Wait for a page."""
    await until(pilot, lambda: isinstance(app.screen, kind))
    await pilot.pause()
    page = app.screen
    assert isinstance(page, kind)
    return page


async def _choosing(app: RoostApp, pilot: Pilot[None]) -> EntryList:
    """Go to the list of servers."""
    await press(pilot, "i")
    await _on(app, pilot, FilesPage)
    await press(pilot, "enter")
    page = await _on(app, pilot, EntriesPage)
    await until(pilot, lambda: page.query_one(EntryList).current is not None)
    return page.query_one(EntryList)


async def _mark_only(pilot: Pilot[None], listed: EntryList, *ids: str) -> None:
    listed.marked.clear()
    listed.marked.update(ids)
    await pilot.pause()


def _sent(fake: FakeEngine) -> ImportRequest:
    request = fake.called("import_bundles")[0]["request"]
    assert isinstance(request, ImportRequest)
    return request


def _shown(app: RoostApp) -> str:
    return "\n".join(str(part.content) for part in app.screen.query(Static))


async def test_the_files_are_listed_with_counts_and_problems() -> None:
    async with open_screen(with_clients()) as (app, pilot):
        await press(pilot, "i")
        await _on(app, pilot, FilesPage)
        assert "8 servers in 4 configurations" in _shown(app)
        assert FILES[-1].problem in _shown(app)


async def test_the_search_says_what_it_does_and_can_be_given_up() -> None:
    fake = with_clients()
    async with open_screen(fake) as (app, pilot):
        await until(pilot, lambda: len(fake.called("plan_import")) == 1)
        fake.hold_scans()
        await press(pilot, "i")
        await until(pilot, lambda: isinstance(app.screen, ScanModal))
        assert "Nothing is written or run" in _shown(app)
        await press(pilot, "escape")
        await until(pilot, lambda: app.screen is app.dashboard)
        fake.release_scans()
        await pilot.pause()
        await pilot.pause()
        assert app.screen is app.dashboard


async def test_a_search_that_fails_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = with_clients(sample_engine())

    async def refused(*_: object) -> None:
        raise StoreUnavailable("the configuration cannot be read; look at the log")

    monkeypatch.setattr(fake, "plan_import", refused)
    async with open_screen(fake) as (app, pilot):
        await press(pilot, "i")
        await until(pilot, lambda: "cannot be read" in _shown(app))
        assert isinstance(app.screen, ScanModal)


async def test_nothing_found_is_said_and_there_is_no_way_on() -> None:
    async with open_screen(FakeEngine()) as (app, pilot):
        await press(pilot, "i")
        page = await _on(app, pilot, FilesPage)
        assert "No client of this machine" in _shown(app)
        assert page.query_one("#go").disabled
        await press(pilot, "escape")
        await until(pilot, lambda: app.screen is app.dashboard)


async def test_duplicates_installed_disabled_and_broken_entries_are_not_marked() -> None:
    async with open_screen(with_clients()) as (app, pilot):
        listed = await _choosing(app, pilot)
        assert listed.marked == {MEMORY.id, GITHUB.id, SEARCH.id, DATABASE.id}


async def test_space_marks_and_v_marks_all_that_can_be_imported() -> None:
    async with open_screen(with_clients()) as (app, pilot):
        listed = await _choosing(app, pilot)
        await press(pilot, "space")
        assert MEMORY.id not in listed.marked
        assert listed.current == GITHUB
        await press(pilot, "V")
        assert TWIN.id in listed.marked and BROKEN.id not in listed.marked
        await press(pilot, "V")
        assert not listed.marked
        assert app.screen.query_one("#go").disabled


async def test_what_cannot_be_imported_cannot_be_marked() -> None:
    async with open_screen(with_clients()) as (app, pilot):
        listed = await _choosing(app, pilot)
        await press(pilot, "G", "space")
        assert listed.current == BROKEN and BROKEN.id not in listed.marked
        assert BROKEN.problem in _shown(app)


async def test_the_detail_follows_the_cursor() -> None:
    async with open_screen(with_clients(), NARROW) as (app, pilot):
        await _choosing(app, pilot)
        await press(pilot, "j")
        await until(pilot, lambda: "GITHUB_TOKEN" in _shown(app))
        assert "it starts a container" in _shown(app)


async def test_nothing_is_installed_before_the_confirmation() -> None:
    fake = with_clients()
    async with open_screen(fake) as (app, pilot):
        listed = await _choosing(app, pilot)
        await _mark_only(pilot, listed, MEMORY.id)
        await press(pilot, "enter")
        await _on(app, pilot, ConfirmPage)
        assert "1 bundle will be added to default, and nothing is started." in _shown(app)
        assert not fake.called("import_bundles")
        await press(pilot, "ctrl+s")
        await _on(app, pilot, OutcomePage)
        assert not _sent(fake).start
        assert _sent(fake).choices == (ImportChoice(MEMORY.id),)


async def test_what_was_added_is_told_and_selected() -> None:
    fake = with_clients()
    fake.add_bundle(bundle_view("zebra"))
    async with open_screen(fake) as (app, pilot):
        listed = await _choosing(app, pilot)
        await _mark_only(pilot, listed, MEMORY.id, GITHUB.id)
        await press(pilot, "enter")
        await _on(app, pilot, ConfirmPage)
        await press(pilot, "ctrl+s")
        await _on(app, pilot, OutcomePage)
        assert "2 bundles added." in _shown(app)
        await press(pilot, "escape")
        await until(pilot, lambda: app.dashboard.bundle_table.cursor_key == ("default", "memory"))


async def test_one_that_fails_does_not_hold_up_the_others() -> None:
    fake = with_clients()
    fake.add_bundle(bundle_view("memory"))
    async with open_screen(fake) as (app, pilot):
        listed = await _choosing(app, pilot)
        await _mark_only(pilot, listed, MEMORY.id, GITHUB.id)
        await press(pilot, "enter")
        await _on(app, pilot, ConfirmPage)
        await press(pilot, "ctrl+s")
        await _on(app, pilot, OutcomePage)
        assert "1 bundle added, 1 not." in _shown(app)
        assert "already" in _shown(app)


async def test_questions_are_asked_before_the_confirmation_and_masked() -> None:
    fake = with_clients()
    async with open_screen(fake) as (app, pilot):
        listed = await _choosing(app, pilot)
        await _mark_only(pilot, listed, SEARCH.id)
        await press(pilot, "enter")
        page = await _on(app, pilot, QuestionsPage)
        await press(pilot, "ctrl+s")
        rows = {row.key: row for row in page.query(AnswerRow)}
        assert rows["search_key"].problem == "it is required"
        await press(pilot, *SECRET)
        assert SECRET not in app.export_screenshot()
        await press(pilot, "ctrl+s")
        await _on(app, pilot, ConfirmPage)
        assert SECRET not in app.export_screenshot()
        await press(pilot, "ctrl+s")
        await _on(app, pilot, OutcomePage)
        assert _sent(fake).choices[0].answers == {"search_key": SECRET, "region": "eu"}
        assert not any(SECRET in entry.text for entry in app.messages)


async def test_a_secret_in_a_command_line_has_to_be_allowed() -> None:
    fake = with_clients()
    async with open_screen(fake) as (app, pilot):
        listed = await _choosing(app, pilot)
        await _mark_only(pilot, listed, DATABASE.id)
        await press(pilot, "enter")
        page = await _on(app, pilot, QuestionsPage)
        await press(pilot, "ctrl+s")
        assert "without this" in page.query_one(ConsentRow).problem
        page.query_one(ConsentRow).text = "true"
        await press(pilot, "ctrl+s")
        await _on(app, pilot, ConfirmPage)
        await press(pilot, "ctrl+s")
        await _on(app, pilot, OutcomePage)
        assert _sent(fake).choices[0].secret_arguments


async def test_going_back_keeps_marks_and_answers() -> None:
    async with open_screen(with_clients()) as (app, pilot):
        listed = await _choosing(app, pilot)
        await _mark_only(pilot, listed, SEARCH.id)
        await press(pilot, "enter")
        await _on(app, pilot, QuestionsPage)
        await press(pilot, *"k3y", "escape")
        page = await _on(app, pilot, EntriesPage)
        assert page.query_one(EntryList).marked == {SEARCH.id}
        await press(pilot, "enter")
        form = await _on(app, pilot, QuestionsPage)
        assert {row.key: row.text for row in form.query(AnswerRow)}["search_key"] == "k3y"


async def test_a_pinned_copy_is_chosen_with_one_key() -> None:
    fake = with_clients()
    async with open_screen(fake) as (app, pilot):
        listed = await _choosing(app, pilot)
        await _mark_only(pilot, listed, MEMORY.id)
        await press(pilot, "p", "enter")
        await _on(app, pilot, ConfirmPage)
        assert "pinned copy of npx" in _shown(app)
        await press(pilot, "ctrl+s")
        await _on(app, pilot, OutcomePage)
        assert _sent(fake).choices[0].resolve


async def test_they_are_started_where_the_operator_says_so() -> None:
    fake = with_clients()
    async with open_screen(fake) as (app, pilot):
        listed = await _choosing(app, pilot)
        await _mark_only(pilot, listed, MEMORY.id)
        await press(pilot, "enter")
        page = await _on(app, pilot, ConfirmPage)
        page.query_one("Segments").focus()
        await press(pilot, "space")
        await until(pilot, lambda: "default, and started." in _shown(app))
        await press(pilot, "ctrl+s")
        await _on(app, pilot, OutcomePage)
        assert _sent(fake).start


async def test_escape_leads_back_to_the_beginning_and_out() -> None:
    fake = with_clients()
    async with open_screen(fake) as (app, pilot):
        await _choosing(app, pilot)
        await press(pilot, "escape")
        await _on(app, pilot, FilesPage)
        await press(pilot, "escape")
        await until(pilot, lambda: app.screen is app.dashboard)
        assert not fake.called("import_bundles")


async def test_an_import_that_the_engine_refuses_is_a_message() -> None:
    fake = with_clients(sample_engine())
    async with open_screen(fake) as (app, pilot):
        listed = await _choosing(app, pilot)
        await _mark_only(pilot, listed, MEMORY.id)
        await press(pilot, "enter")
        await _on(app, pilot, ConfirmPage)
        fake.refuse_next(StoreUnavailable("the store is locked; nothing was installed"))
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: any("store is locked" in m.text for m in app.messages))
        assert app.screen is app.dashboard
