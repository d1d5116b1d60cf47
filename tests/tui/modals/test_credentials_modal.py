"""The credential form."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from tests.support.modal_scenes import (
    BACKUP_KEYS,
    BUNDLE,
    FORM,
    GENERATION,
    SECRET,
    TOKEN,
    Host,
    credentials,
    starting,
)
from textual import events
from textual.message import Message
from textual.message_pump import MessagePump
from textual.pilot import Pilot
from textual.widgets import Static

from roost.errors import BadFields, StoreUnavailable
from roost.models import (
    CredentialOutcome,
    CredentialWrite,
    RespawnResult,
    SlotState,
    StartStep,
)
from roost_tui.modals import CredentialsModal
from roost_tui.modals.credential_row import CredentialRow
from roost_tui.modals.secret_input import SecretArea

GOOD = CredentialOutcome(
    5,
    ("api_token",),
    "saved",
    RespawnResult(True, "acme", "db-query", "fine", generation=7, duration_ms=412),
)


@asynccontextmanager
async def opened(modal: CredentialsModal) -> AsyncIterator[tuple[Host, Pilot[Any]]]:
    """Show the form in 80x24."""
    host = Host(modal)
    async with host.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        yield host, pilot


def row(host: Host, key: str) -> CredentialRow:
    return next(r for r in host.screen.query(CredentialRow) if r.key == key)


def said(host: Host) -> str:
    """Return all the form says outside of its fields."""
    return "\n".join(str(line.render()) for line in host.screen.query(Static))


def writes(host: Host) -> list[CredentialWrite]:
    return [m.write for m in host.heard if isinstance(m, CredentialsModal.SaveRequested)]


async def settle(pilot: Pilot[Any], action: Callable[[], object] | None = None) -> None:
    """Do something and let what follows from it happen."""
    if action is not None:
        action()
    await pilot.pause()
    await pilot.pause()


def paste(host: Host, text: str) -> None:
    """Paste into what has the focus, as a terminal does."""
    assert host.screen.focused is not None
    host.screen.focused.post_message(events.Paste(text))


async def type_secret(pilot: Pilot[Any]) -> None:
    await pilot.press(*SECRET.replace("-", "_"))
    await pilot.pause()


TYPED = SECRET.replace("-", "_")


async def test_only_the_changed_field_is_asked_to_be_written() -> None:
    async with opened(credentials()) as (host, pilot):
        await type_secret(pilot)
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert [(w.set, w.clear) for w in writes(host)] == [({"api_token": TYPED}, ())]


async def test_the_save_button_does_the_same() -> None:
    async with opened(credentials()) as (host, pilot):
        await type_secret(pilot)
        await pilot.click("#save")
        await pilot.pause()
        assert len(writes(host)) == 1


async def test_saving_an_unchanged_form_asks_for_nothing() -> None:
    async with opened(credentials()) as (host, pilot):
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert host.heard == []
        assert "nothing was changed" in said(host)


async def test_a_problem_stands_below_its_field_as_typed_and_stops_the_save() -> None:
    async with opened(credentials()) as (host, pilot):
        await pilot.press("tab", "tab", *"9000")
        await settle(pilot)
        assert row(host, "timeout").problem == "the most allowed is 600"
        await pilot.press("tab", "ctrl+s")
        await settle(pilot)
        assert host.heard == []
        assert host.focused is row(host, "timeout").control


async def test_a_set_field_is_marked_to_be_cleared_and_kept_again() -> None:
    async with opened(credentials()) as (host, pilot):
        await pilot.press("ctrl+l")
        await settle(pilot)
        assert "saving clears it" in said(host)
        await pilot.press("ctrl+l")
        await settle(pilot)
        assert "saving clears it" not in said(host)
        await pilot.press("tab", "ctrl+l", "ctrl+l")
        await settle(pilot)
        assert row(host, "endpoint").text == "https://db.internal.example"
        await pilot.press("ctrl+l", "ctrl+s")
        await settle(pilot)
        assert [w.clear for w in writes(host)] == [("endpoint",)]


async def test_typing_takes_the_mark_away() -> None:
    async with opened(credentials()) as (host, pilot):
        await pilot.press("ctrl+l", "x")
        await settle(pilot)
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert [(w.set, w.clear) for w in writes(host)] == [({"api_token": "x"}, ())]


async def test_clearing_a_secret_asks_for_the_reason_where_one_is_needed() -> None:
    async with opened(credentials(needs_reason=True)) as (host, pilot):
        await pilot.press("ctrl+l", "ctrl+s")
        await settle(pilot)
        assert host.heard == []
        await pilot.press(*"leaked", "ctrl+s")
        await settle(pilot)
        assert [(w.clear, w.reason) for w in writes(host)] == [(("api_token",), "leaked")]


async def test_setting_a_secret_asks_for_no_reason() -> None:
    async with opened(credentials(needs_reason=True)) as (host, pilot):
        await pilot.press("x", "ctrl+s")
        await settle(pilot)
        assert [w.reason for w in writes(host)] == [None]


async def test_a_choice_and_lines_are_filled_in_by_keys_alone() -> None:
    async with opened(credentials()) as (host, pilot):
        await pilot.press("tab", "tab", "tab", "right", "right", "tab", "enter")
        await pilot.press(*"/tmp", "ctrl+s")
        await settle(pilot)
        (write,) = writes(host)
        assert write.set == {
            "read_only": False,
            "roots": ["/srv/exports", "/srv/reports", "/tmp"],
        }


async def test_the_previous_revision_is_restored_by_one_key() -> None:
    async with opened(credentials()) as (host, pilot):
        await pilot.press("ctrl+r")
        await settle(pilot)
        assert [type(m) for m in host.heard] == [CredentialsModal.RestoreRequested]
        outcome = replace(GOOD, changed=("endpoint",))
        await settle(pilot, lambda: credentials_of(host).show_outcome(outcome))
        assert "restored as revision 5: endpoint" in said(host)
        assert row(host, "endpoint").disabled
        assert row(host, "endpoint").text == ""


async def test_a_form_that_was_read_again_can_be_edited_again() -> None:
    async with opened(credentials()) as (host, pilot):
        await pilot.press("ctrl+r")
        await settle(pilot)
        modal = credentials_of(host)
        await settle(pilot, lambda: modal.show_outcome(replace(GOOD, changed=("endpoint",))))
        await settle(pilot, lambda: modal.show_form(replace(FORM, revision=5)))
        assert not row(host, "endpoint").disabled
        assert row(host, "endpoint").text == "https://db.internal.example"


async def test_nothing_is_restored_where_nothing_is_kept() -> None:
    async with opened(credentials(replace(FORM, can_restore=False))) as (host, pilot):
        await pilot.press("ctrl+r")
        await settle(pilot)
        assert host.heard == []


def credentials_of(host: Host) -> CredentialsModal:
    assert isinstance(host.modal, CredentialsModal)
    return host.modal


async def saved(host: Host, pilot: Pilot[Any]) -> CredentialsModal:
    """Type a secret, ask for the save and return the modal."""
    await type_secret(pilot)
    await pilot.press("ctrl+s")
    await settle(pilot)
    return credentials_of(host)


async def test_the_phases_are_shown_live_and_the_form_waits() -> None:
    async with opened(credentials()) as (host, pilot):
        modal = await saved(host, pilot)
        await settle(pilot, lambda: modal.show_phases(starting(StartStep.HANDSHAKE)))
        track = str(host.screen.query_one("PhaseTrack Flow").render())
        assert "✓ spawn" in track
        assert "▸ handshake" in track
        assert "◦ readiness" in track
        assert "◌ starting" in said(host)
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert len(host.heard) == 1


async def test_write_and_respawn_are_reported_apart_and_the_form_stays() -> None:
    async with opened(credentials()) as (host, pilot):
        modal = await saved(host, pilot)
        await settle(pilot, lambda: modal.show_outcome(GOOD))
        words = said(host)
        assert "✓ saved as revision 5: api_token" in words
        assert "respawned as generation 7 in 412 ms" in words
        assert "set just now by you, revision 5" in words
        assert host.answers == []


async def test_a_failed_respawn_keeps_the_write_and_marks_the_step() -> None:
    result = RespawnResult(
        False, "acme", "db-query", "it exited; R tries again", step=StartStep.SPAWN
    )
    async with opened(credentials()) as (host, pilot):
        modal = await saved(host, pilot)
        await settle(pilot, lambda: modal.show_outcome(replace(GOOD, respawn=result)))
        assert "✓ saved as revision 5" in said(host)
        assert "it exited; R tries again" in said(host)
        assert "✗ spawn" in str(host.screen.query_one("PhaseTrack Flow").render())


async def test_a_bundle_that_changes_after_the_outcome_is_shown_as_it_is() -> None:
    async with opened(credentials()) as (host, pilot):
        modal = await saved(host, pilot)
        await settle(pilot, lambda: modal.show_outcome(GOOD))
        new = replace(GENERATION, id="g7", number=7)
        view = replace(BUNDLE, generation=new, state=SlotState.BACKING_OFF)
        await settle(pilot, lambda: modal.show_phases(view))
        assert "↻ backing off" in said(host)


async def test_problems_of_the_engine_stand_below_their_fields() -> None:
    async with opened(credentials()) as (host, pilot):
        modal = await saved(host, pilot)
        error = BadFields("db-query", {"endpoint": "not a URL"})
        await settle(pilot, lambda: modal.show_error(error))
        assert row(host, "endpoint").problem == "not a URL"
        assert host.focused is row(host, "endpoint").control
        assert row(host, "api_token").text == TYPED
        await pilot.press("x")
        await settle(pilot)
        assert row(host, "endpoint").problem == ""


async def test_any_other_error_is_shown_and_the_form_can_be_saved_again() -> None:
    async with opened(credentials()) as (host, pilot):
        modal = await saved(host, pilot)
        await settle(pilot, lambda: modal.show_error(StoreUnavailable("the disk is full")))
        assert "✗ the disk is full" in said(host)
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert len(writes(host)) == 2


async def test_a_problem_of_an_unknown_field_is_told_in_full() -> None:
    async with opened(credentials()) as (host, pilot):
        modal = await saved(host, pilot)
        error = BadFields("db-query", {"gone": "no such field"})
        await settle(pilot, lambda: modal.show_error(error))
        assert "gone: no such field" in said(host)


# Secrets


async def test_a_secret_is_never_prefilled_or_drawn() -> None:
    async with opened(credentials()) as (host, pilot):
        assert row(host, "api_token").text == ""
        await type_secret(pilot)
        svg = host.export_screenshot()
        assert TYPED not in svg
        assert "\N{BULLET}" * len(TYPED) in svg


async def test_several_secrets_are_drawn_as_bullets_too() -> None:
    form = replace(FORM, fields=(BACKUP_KEYS,))
    async with opened(credentials(form)) as (host, pilot):
        await pilot.press(*"alpha", "enter", *"bravo")
        await settle(pilot)
        svg = host.export_screenshot()
        assert "alpha" not in svg
        assert "bravo" not in svg
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert writes(host)[0].set == {"backup_keys": ["alpha", "bravo"]}


async def test_no_message_on_its_way_through_the_app_shows_a_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []
    handle = MessagePump._on_message

    async def watch(self: MessagePump, message: Message) -> None:
        seen.append(repr(message))
        await handle(self, message)

    monkeypatch.setattr(MessagePump, "_on_message", watch)
    async with opened(credentials()) as (host, pilot):
        await pilot.press("tab")
        await pilot.press("shift+tab")
        paste(host, TYPED)
        await settle(pilot)
        seen.clear()  # what the terminal itself sent: the paste
        await pilot.press("end", "left", "delete", "tab", "ctrl+s")
        await settle(pilot)
        assert len(writes(host)) == 1
    assert any("SaveRequested" in message for message in seen)
    assert not any(TYPED[:-1] in message for message in seen)


async def test_a_secret_is_not_copied_or_cut_to_the_clipboard() -> None:
    form = replace(FORM, fields=(TOKEN, BACKUP_KEYS))
    async with opened(credentials(form)) as (host, pilot):
        await type_secret(pilot)
        await pilot.press("home", "shift+end", "ctrl+c", "ctrl+x")
        await pilot.press("tab", *"alpha", "ctrl+c", "ctrl+x", *"bravo", "shift+home", "ctrl+x")
        await settle(pilot)
        assert host.clipboard == ""
        assert row(host, "api_token").text == ""
        assert row(host, "backup_keys").text == ""


async def test_a_pasted_private_key_keeps_its_lines() -> None:
    async with opened(credentials()) as (host, pilot):
        paste(host, "BEGIN\nabc\nEND\n")
        await settle(pilot)
        assert row(host, "api_token").text == "BEGIN\nabc\nEND"
        assert "3 lines" in said(host)
        assert "abc" not in host.export_screenshot()


async def test_a_paste_of_several_lines_into_a_single_line_says_what_was_taken() -> None:
    async with opened(credentials()) as (host, pilot):
        await pilot.press("tab", "ctrl+u")
        paste(host, "https://a\nhttps://b")
        await settle(pilot)
        assert row(host, "endpoint").text == "https://a"
        assert "2 lines; only the first was taken" in said(host)


async def test_typed_secrets_are_dropped_when_the_form_closes() -> None:
    form = replace(FORM, fields=(TOKEN, BACKUP_KEYS))
    async with opened(credentials(form)) as (host, pilot):
        await type_secret(pilot)
        await pilot.press("tab", *"alpha")
        controls = [row(host, "api_token").control, row(host, "backup_keys").control]
        await pilot.press("escape")
        await settle(pilot)
        assert host.answers == [None]
        assert [control.text for control in controls] == ["", ""]  # type: ignore[attr-defined]
        area = controls[1]
        assert isinstance(area, SecretArea)
        assert not area.history.undo_stack


async def test_typed_secrets_are_dropped_however_the_screen_goes_away() -> None:
    async with opened(credentials()) as (host, pilot):
        await type_secret(pilot)
        control = row(host, "api_token").control
        await host.pop_screen()
        await settle(pilot)
        assert control.text == ""  # type: ignore[attr-defined]


async def test_a_form_that_was_closed_can_still_be_told_things() -> None:
    async with opened(credentials()) as (host, pilot):
        modal = await saved(host, pilot)
        await pilot.press("escape")
        await settle(pilot)
        modal.show_phases(starting(StartStep.SPAWN))
        modal.show_outcome(GOOD)
        modal.show_error(StoreUnavailable("late"))
        await settle(pilot)
        assert host.answers == [None]


# Looks that matter to use


async def test_the_foot_stays_in_view_whatever_is_shown() -> None:
    sentence = "a long sentence that wraps " * 8
    result = RespawnResult(False, "acme", "db-query", sentence, step=StartStep.SPAWN)
    async with opened(credentials()) as (host, pilot):
        modal = await saved(host, pilot)
        await settle(pilot, lambda: modal.show_outcome(replace(GOOD, respawn=result)))
        assert host.screen.query_one("#close").region.bottom <= 23
        assert host.screen.query_one("#close").size.height == 1


async def test_the_focused_field_is_scrolled_into_view() -> None:
    async with opened(credentials()) as (host, pilot):
        await pilot.press(*["tab"] * (len(FORM.fields) - 1))
        await settle(pilot)
        last = row(host, "backup_keys")
        assert last.control.has_focus
        assert last.region.bottom <= host.screen.query_one(".foot").region.y


async def test_a_bundle_without_fields_says_so() -> None:
    async with opened(credentials(replace(FORM, fields=(), can_restore=False))) as (host, pilot):
        assert "asks for no credentials" in said(host)
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert host.heard == []
