"""Menu, picker, messages and help."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.modal_scenes import HELP, MENU, MESSAGES, WORKSPACES, Host

from roost_tui.modals import ActionMenu, HelpModal, MessagesModal, PickerModal
from roost_tui.modals.frame import Body


async def answers_to(modal: Any, *keys: str) -> list[Any]:
    """Return what the modal answers to these keys; nothing while it stays open."""
    host = Host(modal)
    async with host.run_test() as pilot:
        await pilot.press(*keys)
        await pilot.pause()
        return host.answers


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (["enter"], "bundle.respawn"),
        (["down", "enter"], "bundle.stop"),
        (["j", "j", "k", "enter"], "bundle.stop"),
        (["D"], "bundle.remove"),
        (["s"], "bundle.stop"),
        (["escape"], None),
    ],
)
async def test_an_action_is_chosen_by_cursor_or_by_its_own_key(
    keys: list[str], answer: str | None
) -> None:
    assert await answers_to(ActionMenu("acme/db-query", MENU), *keys) == [answer]


async def test_a_key_of_an_entry_wins_over_the_keys_of_the_cursor() -> None:
    menu = ActionMenu("row", [("first", "R", "one"), ("second", "j", "two")])
    assert await answers_to(menu, "j") == ["second"]


async def test_the_picker_starts_at_the_present_value() -> None:
    assert await answers_to(PickerModal("Workspace", WORKSPACES, "beta"), "enter") == ["beta"]


async def test_typing_narrows_the_picker_and_arrows_move_in_it() -> None:
    picker = PickerModal("Workspace", WORKSPACES, None)
    assert await answers_to(picker, *"bundles", "down", "enter") == ["beta"]


async def test_nothing_is_picked_when_nothing_matches() -> None:
    picker = PickerModal("Workspace", WORKSPACES, "beta")
    assert await answers_to(picker, *"zzz", "enter") == []
    picker = PickerModal("Workspace", WORKSPACES, "beta")
    assert await answers_to(picker, *"zzz", "escape") == [None]


async def test_messages_are_shown_newest_first_and_whole() -> None:
    host = Host(MessagesModal(MESSAGES))
    async with host.run_test() as pilot:
        await pilot.pause()
        texts = [str(row.render()) for row in host.screen.query(".text")]
        assert texts == [text for _, _, text in reversed(MESSAGES)]
        await pilot.press("escape")
        await pilot.pause()
    assert host.answers == [None]


async def test_a_long_list_scrolls_by_keys_and_keeps_its_foot_in_view() -> None:
    host = Host(MessagesModal([("12:00:00", "error", f"message {n}") for n in range(100)]))
    async with host.run_test(size=(80, 24)) as pilot:
        await pilot.press("down", "j", "pagedown")
        await pilot.pause()
        body = host.screen.query_one(Body)
        assert body.scroll_offset.y > 10
        foot = host.screen.query_one(".foot")
        assert foot.region.bottom <= 24
        assert foot.size.height > 0


async def test_help_shows_every_key_at_any_width() -> None:
    host = Host(HelpModal(HELP))
    async with host.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.pause()
        assert len(host.screen.query(".column")) == 1
        await pilot.resize_terminal(140, 40)
        await pilot.pause()
        await pilot.pause()
        assert len(host.screen.query(".column")) > 1
        shown = [str(key.render()) for key in host.screen.query(".key")]
        assert shown == [key for _, rows in HELP for key, _ in rows]
        await pilot.press("question_mark")
        await pilot.pause()
    assert host.answers == [None]
