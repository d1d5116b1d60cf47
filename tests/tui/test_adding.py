"""Adding a bundle from the screen: words, a review, an install."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

from tests.support.fake_engine import FakeEngine, sample_engine
from tests.support.package_scenes import SECRET, read_words
from tests.support.screen import open_screen, press, until
from textual.pilot import Pilot
from textual.widgets import Input, Static

from roost.errors import BadArchive, BundleProtected, SensitiveInArguments
from roost.models import BundleView, ConfigField, FieldType, InstallRequest, PlanNote, SourceKind
from roost_tui.app import RoostApp
from roost_tui.modals import CredentialsModal
from roost_tui.modals.add import AddModal
from roost_tui.modals.fact_row import FactRow
from roost_tui.modals.form_row import FormRow
from roost_tui.notes import Severity


def _screen(
    fake: FakeEngine, **options: Any
) -> AbstractAsyncContextManager[tuple[RoostApp, Pilot[None]]]:
    return open_screen(fake, read_words=read_words, **options)


def _modal(app: RoostApp) -> AddModal:
    assert isinstance(app.screen, AddModal)
    return app.screen


def _told(app: RoostApp) -> str:
    return str(_modal(app).query_one(".told", Static).content)


def _facts(app: RoostApp) -> dict[str, str]:
    return {row.fact.label: row.fact.text for row in _modal(app).query(FactRow)}


def _rows(app: RoostApp) -> dict[str, FormRow]:
    return {row.key: row for row in _modal(app).query(FormRow)}


async def _review(app: RoostApp, pilot: Pilot[None], words: str) -> None:
    await press(pilot, "a")
    await until(pilot, lambda: isinstance(app.screen, AddModal))
    await pilot.press(*words, "enter")
    await until(pilot, lambda: bool(_modal(app).query(FactRow)))
    await until(pilot, lambda: bool(_rows(app)))
    await pilot.pause()


def _asked(fake: FakeEngine) -> InstallRequest:
    request = fake.called("install")[0]["request"]
    assert isinstance(request, InstallRequest)
    return request


async def test_what_would_run_is_reviewed_before_anything_does() -> None:
    fake = sample_engine()
    async with _screen(fake, workspace="lab") as (app, pilot):
        await _review(app, pilot, "npx -y @scope/server /data")
        assert _facts(app)["runs"] == "npx -y @scope/server /data"
        assert "newest release" in _facts(app)["warning"]
        assert not fake.called("install")
        assert fake.called("plan_install")[0]["workspace"] == "lab"


async def test_a_reviewed_bundle_is_installed_and_its_row_selected() -> None:
    fake = sample_engine()
    async with _screen(fake, workspace="acme") as (app, pilot):
        await _review(app, pilot, "python3 server.py")
        _rows(app)["name"].text = "mine"
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: not isinstance(app.screen, AddModal))
        await until(pilot, lambda: app.dashboard.bundle_table.cursor_key == ("acme", "mine"))
        assert _asked(fake).name == "mine" and _asked(fake).start
        assert app.messages[-1].text == "mine was added to acme"


async def test_the_install_takes_exactly_what_was_reviewed() -> None:
    fake = FakeEngine()
    async with _screen(fake) as (app, pilot):
        await _review(app, pilot, "server.mcpb")
        _rows(app)["protected"].text = "true"
        _rows(app)["start"].text = ""
        _rows(app)["name"].text = "server"
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: bool(fake.called("install")))
        request = _asked(fake)
        assert request.sha256 == "5f" * 32
        assert request.settings.protected and not request.start


async def test_a_pinned_copy_is_offered_and_taken() -> None:
    fake = FakeEngine()
    async with _screen(fake) as (app, pilot):
        await _review(app, pilot, "npx -y @scope/server")
        _rows(app)["resolve"].text = "true"
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: bool(fake.called("install")))
        assert _asked(fake).resolve


async def test_what_fetches_nothing_has_no_pinned_copy() -> None:
    async with _screen(FakeEngine()) as (app, pilot):
        await _review(app, pilot, "python3 server.py")
        assert set(_rows(app)) == {"name", "protected", "start"}


async def test_missing_fields_open_the_form_next() -> None:
    fake = sample_engine()
    field = ConfigField("key", FieldType.STRING, "Key", required=True, sensitive=True)
    fake.review_with(missing_fields=("key",))
    async with _screen(fake, workspace="acme") as (app, pilot):
        await _review(app, pilot, "python3 server.py")
        _rows(app)["start"].text = ""
        install = fake.install

        async def with_field(workspace: str, request: InstallRequest) -> BundleView:
            view = await install(workspace, request)
            fake.set_form(workspace, view.name, (field,))
            return view

        fake.install = with_field  # type: ignore[method-assign]
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, CredentialsModal))


async def test_words_that_name_nothing_are_refused_in_the_modal() -> None:
    fake = FakeEngine()
    async with _screen(fake) as (app, pilot):
        await press(pilot, "a", *"?what", "enter")
        await until(pilot, lambda: "is no file" in _told(app))
        assert not fake.called("plan_install")
        await press(pilot, "backspace")
        assert _told(app) == ""


async def test_a_refused_plan_is_a_sentence_and_the_words_stay() -> None:
    fake = FakeEngine()
    async with _screen(fake) as (app, pilot):
        await press(pilot, "a", *"server.mcpb")
        fake.refuse_next(BadArchive("server.mcpb is no ZIP archive; pack it again"))
        await press(pilot, "enter")
        await until(pilot, lambda: "is no ZIP archive" in _told(app))
        assert _modal(app).query_one("#words", Input).value == "server.mcpb"


async def test_a_refused_install_leaves_the_review_open() -> None:
    fake = FakeEngine()
    async with _screen(fake) as (app, pilot):
        await _review(app, pilot, "python3 server.py")
        fake.refuse_next(BadArchive("it changed since it was reviewed"))
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: "It changed since" in _told(app))
        assert _facts(app)["runs"] == "python3 server.py"
        assert not fake.world.bundles


async def test_a_name_that_breaks_the_rule_is_said_below_it() -> None:
    fake = FakeEngine()
    async with _screen(fake) as (app, pilot):
        await _review(app, pilot, "python3 server.py")
        _rows(app)["name"].text = "Not A Name"
        await press(pilot, "ctrl+s")
        assert "1 to 63" in _rows(app)["name"].problem
        assert not fake.called("install")


async def test_a_secret_in_the_command_line_has_to_be_allowed() -> None:
    fake = FakeEngine()
    async with _screen(fake) as (app, pilot):
        await press(pilot, "a", *"python3 server.py")
        fake.refuse_next(SensitiveInArguments("server", ("token",)))
        await press(pilot, "enter")
        await until(pilot, lambda: "secret_arguments" in _rows(app))
        await press(pilot, "ctrl+s")
        assert "say yes, or go back" in _rows(app)["secret_arguments"].problem
        assert not fake.called("install")
        _rows(app)["secret_arguments"].text = "true"
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: bool(fake.called("install")))
        assert _asked(fake).secret_arguments


async def test_the_review_never_shows_a_literal_secret() -> None:
    fake = FakeEngine()
    async with _screen(fake) as (app, pilot):
        await _review(app, pilot, f"API_KEY={SECRET} npx -y @scope/server")
        picture = app.export_screenshot()
        assert SECRET not in picture and "API_KEY" in picture
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: bool(fake.called("install")))
        assert not any(SECRET in entry.text for entry in app.messages)


async def test_escape_goes_back_to_the_words_and_then_out() -> None:
    fake = FakeEngine()
    async with _screen(fake) as (app, pilot):
        await _review(app, pilot, "python3 server.py")
        await press(pilot, "escape")
        await until(pilot, lambda: bool(_modal(app).query("#words")))
        await press(pilot, "escape")
        await until(pilot, lambda: not isinstance(app.screen, AddModal))
        assert not fake.called("install")


async def test_a_server_that_runs_elsewhere_is_added_by_its_address() -> None:
    fake = FakeEngine()
    async with _screen(fake) as (app, pilot):
        await _review(app, pilot, "https://mcp.example.com/mcp")
        assert "runs elsewhere" in _facts(app)["runs"]
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: bool(fake.called("install")))
        assert _asked(fake).source is SourceKind.URL


async def test_a_read_only_screen_adds_and_imports_nothing() -> None:
    async with _screen(FakeEngine(), read_only=True) as (app, pilot):
        await press(pilot, "a", "i")
        assert app.screen is app.dashboard


async def test_where_it_is_added_follows_the_selected_row() -> None:
    fake = sample_engine()
    async with _screen(fake) as (app, pilot):
        await until(pilot, lambda: app.dashboard.bundle_table.select(("lab", "planner")))
        await _review(app, pilot, "python3 server.py")
        assert fake.called("plan_install")[0]["workspace"] == "lab"


async def test_a_plan_that_arrives_after_the_modal_was_closed_does_nothing() -> None:
    fake = FakeEngine()
    async with _screen(fake) as (app, pilot):
        await press(pilot, "a")
        modal = _modal(app)
        await press(pilot, "escape")
        await until(pilot, lambda: app.screen is app.dashboard)
        request = InstallRequest(SourceKind.COMMAND, command=("x",))
        modal.show_plan(request, await fake.plan_install("default", request))
        modal.show_error("too late")
        modal.show_done()
        await pilot.pause()
        assert app.screen is app.dashboard


async def test_what_was_installed_by_a_closed_modal_is_said_in_the_messages() -> None:
    fake = FakeEngine()
    async with _screen(fake) as (app, pilot):
        await _review(app, pilot, "python3 server.py")
        modal = _modal(app)
        fake.refuse_next(BundleProtected("server", "an install"))
        await press(pilot, "ctrl+s")
        modal.dismiss(None)
        await until(pilot, lambda: any("nothing was added" in m.text for m in app.messages))
        assert app.messages[-1].severity is Severity.INFORMATION


async def test_a_plan_with_every_warning_is_drawn_small_and_large() -> None:
    notes = tuple(PlanNote(f"code-{n}", f"warning number {n}, in many words") for n in range(12))
    fake = FakeEngine()
    fake.review_with(notes=notes, directories=tuple(f"/srv/{n}" * 6 for n in range(5)))
    async with _screen(fake, size=(80, 24)) as (app, pilot):
        await _review(app, pilot, "python3 server.py")
        assert _modal(app).query_one("#go").region.bottom <= 24


async def test_without_another_reader_the_words_are_read_as_the_command_line_does() -> None:
    fake = FakeEngine()
    async with open_screen(fake) as (app, pilot):
        await _review(app, pilot, "python3 -m http.server")
        asked = fake.called("plan_install")[0]["request"]
        assert asked.command == ("python3", "-m", "http.server")
