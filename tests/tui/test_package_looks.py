"""How adding, importing, versions and the first run look, at the two sizes that matter most."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.support.fake_engine import FakeEngine, sample_engine
from tests.support.package_scenes import DATABASE, FILES, MEMORY, SEARCH, read_words, with_clients
from tests.support.package_scenes import with_versions as versions
from tests.support.screen import NARROW, WIDE, drawn, shown, until
from textual.pilot import Pilot
from textual.widgets import Input

from roost_tui.app import RoostApp
from roost_tui.bundle_screen import BundleScreen
from roost_tui.modals import PickerModal
from roost_tui.modals.add import AddModal
from roost_tui.modals.form_row import FormRow
from roost_tui.modals.import_list import EntryList
from roost_tui.modals.import_pages import (
    ConfirmPage,
    EntriesPage,
    FilesPage,
    OutcomePage,
    ScanModal,
)
from roost_tui.modals.import_questions import ConsentRow, QuestionsPage
from roost_tui.modals.vault import VaultModal
from roost_tui.selection import NOTHING_SELECTED, Selection

Compare = Callable[..., bool]
Step = Callable[[Pilot[None]], Awaitable[None]]

SIZES = pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "120x40"])


def _app_of(pilot: Pilot[None]) -> RoostApp:
    assert isinstance(pilot.app, RoostApp)
    return pilot.app


async def _settle(pilot: Pilot[None]) -> None:
    for _ in range(3):
        await pilot.pause()
    for field in pilot.app.screen.query(Input):
        field.cursor_blink = False
    await pilot.pause()


async def _ready(pilot: Pilot[None]) -> None:
    app = _app_of(pilot)
    await until(pilot, lambda: app.state.has_seen_engine)
    await pilot.pause()


def _words(words: str) -> Step:
    async def add(pilot: Pilot[None]) -> None:
        await _ready(pilot)
        await pilot.press("a")
        await until(pilot, lambda: isinstance(pilot.app.screen, AddModal))
        await pilot.press(*words)
        await _settle(pilot)

    return add


def _review(words: str, *keys: str) -> Step:
    async def review(pilot: Pilot[None]) -> None:
        await _words(words)(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: bool(pilot.app.screen.query(FormRow)))
        await _settle(pilot)
        await pilot.press(*keys)
        await _settle(pilot)

    return review


async def _refused(pilot: Pilot[None]) -> None:
    await _words("?what")(pilot)
    await pilot.press("enter")
    await until(pilot, lambda: bool(pilot.app.screen.query(".told.-said")))
    await _settle(pilot)


async def _files(pilot: Pilot[None]) -> None:
    await _ready(pilot)
    await pilot.press("i")
    await until(pilot, lambda: isinstance(pilot.app.screen, FilesPage))
    await _settle(pilot)


async def _scanning(pilot: Pilot[None]) -> None:
    await _ready(pilot)
    await pilot.press("i")
    await until(pilot, lambda: isinstance(pilot.app.screen, ScanModal))
    await _settle(pilot)


def _entries(*keys: str) -> Step:
    async def choose(pilot: Pilot[None]) -> None:
        await _files(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, EntriesPage))
        await _settle(pilot)
        await pilot.press(*keys)
        await _settle(pilot)

    return choose


async def _questions(pilot: Pilot[None]) -> None:
    await _entries("p", "enter")(pilot)
    await until(pilot, lambda: isinstance(pilot.app.screen, QuestionsPage))
    await _settle(pilot)


async def _unanswered(pilot: Pilot[None]) -> None:
    await _questions(pilot)
    await pilot.press("ctrl+s")
    await _settle(pilot)


async def _confirm(pilot: Pilot[None]) -> None:
    await _questions(pilot)
    await pilot.press(*"k3y")
    pilot.app.screen.query_one(ConsentRow).text = "true"
    await pilot.press("ctrl+s")
    await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmPage))
    await _settle(pilot)


async def _outcome(pilot: Pilot[None]) -> None:
    await _confirm(pilot)
    await pilot.press("ctrl+s")
    await until(pilot, lambda: isinstance(pilot.app.screen, OutcomePage))
    await _settle(pilot)


def _mixed_outcome(fake: FakeEngine) -> Step:
    """One of the files is changed between the review and the yes."""

    async def before(pilot: Pilot[None]) -> None:
        await _entries()(pilot)
        listed = pilot.app.screen.query_one(EntryList)
        listed.marked -= {SEARCH.id, DATABASE.id}
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmPage))
        fake.set_import_plan(FILES, MEMORY)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(pilot.app.screen, OutcomePage))
        await _settle(pilot)

    return before


def _held(fake: FakeEngine) -> FakeEngine:
    fake.hold_scans()
    return fake


SCENES: dict[str, tuple[Callable[[], FakeEngine], Step]] = {
    "add": (FakeEngine, _words("")),
    "add-refused": (FakeEngine, _refused),
    "review": (FakeEngine, _review("API_KEY=x npx -y @scope/server /data")),
    "review-remote": (FakeEngine, _review("https://mcp.example.com/mcp")),
    "review-bad-name": (FakeEngine, _review("python3 server.py", "X", "ctrl+s")),
    "import-scanning": (lambda: _held(with_clients(sample_engine())), _scanning),
    "import-nothing": (FakeEngine, _files),
    "import-files": (with_clients, _files),
    "import-entries": (with_clients, _entries()),
    "import-broken-entry": (with_clients, _entries("G")),
    "import-none-marked": (with_clients, _entries("V", "V", "j")),
    "import-questions": (with_clients, _questions),
    "import-unanswered": (with_clients, _unanswered),
    "import-confirm": (with_clients, _confirm),
    "import-outcome": (with_clients, _outcome),
}


def _app(fake: FakeEngine, **options: Any) -> RoostApp:
    return RoostApp(fake, clock=fake.clock, read_words=read_words, **options)


@SIZES
@pytest.mark.parametrize("scene", SCENES)
def test_a_page(snap_compare: Compare, scene: str, size: tuple[int, int]) -> None:
    build, step = SCENES[scene]
    assert snap_compare(_app(build()), terminal_size=size, run_before=step)


@SIZES
def test_an_import_of_which_one_failed(snap_compare: Compare, size: tuple[int, int]) -> None:
    fake = with_clients()
    assert snap_compare(_app(fake), terminal_size=size, run_before=_mixed_outcome(fake))


@pytest.mark.parametrize("variant", ["textual-light", "roost-high-contrast", "ascii", "no-color"])
def test_the_list_in_other_colours(
    snap_compare: Compare, monkeypatch: pytest.MonkeyPatch, variant: str
) -> None:
    if variant == "no-color":
        monkeypatch.setenv("NO_COLOR", "1")
    options = {"ascii": {"ascii_only": True}, "no-color": {}}.get(variant, {"theme": variant})
    app = _app(with_clients(), **options)
    assert snap_compare(app, terminal_size=NARROW, run_before=_entries("p"))


@SIZES
def test_the_first_run_with_servers_found(snap_compare: Compare, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: _app_of(pilot).state.has_seen_engine)
        await until(pilot, lambda: "8 found" in shown(_app_of(pilot), "#welcome"))
        await pilot.pause()

    assert snap_compare(_app(with_clients()), terminal_size=size, run_before=before)


@SIZES
def test_the_versions_of_a_bundle(snap_compare: Compare, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[None]) -> None:
        await _ready(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, BundleScreen))
        screen = pilot.app.screen
        assert isinstance(screen, BundleScreen)
        await until(pilot, lambda: "current" in drawn(screen.page_view))
        await _settle(pilot)

    assert snap_compare(_app(versions()), terminal_size=size, run_before=before)


@SIZES
def test_the_choice_of_a_version(snap_compare: Compare, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[None]) -> None:
        await _ready(pilot)
        app = _app_of(pilot)
        selection = Selection(bundle=app.state.bundles["default", "memory"])
        app.begin_operation("bundle.rollback", selection)
        await until(pilot, lambda: isinstance(app.screen, PickerModal))
        await _settle(pilot)

    assert snap_compare(_app(versions()), terminal_size=size, run_before=before)


@SIZES
def test_the_vault(snap_compare: Compare, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[None]) -> None:
        await _ready(pilot)
        _app_of(pilot).begin_operation("vault.show", NOTHING_SELECTED)
        await until(pilot, lambda: isinstance(pilot.app.screen, VaultModal))
        await _settle(pilot)

    assert snap_compare(_app(versions()), terminal_size=size, run_before=before)
