"""Yes or no, type the name, give a reason."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.modal_scenes import Host

from roost_tui.modals import ConfirmModal, ReasonModal, TypeNameModal


def confirm() -> ConfirmModal:
    return ConfirmModal("Respawn db-query", "Replace it?", "cuts 2 runs", yes_label="Respawn")


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
        (["y"], True),
        (["n"], False),
        (["escape"], False),
        (["enter"], False),
        (["right", "enter"], True),
        (["right", "left", "enter"], False),
        (["tab", "enter"], True),
    ],
)
async def test_a_question_is_answered_by_keys_and_enter_means_no(
    keys: list[str], answer: bool
) -> None:
    assert await answers_to(confirm(), *keys) == [answer]


async def test_a_name_that_is_not_exact_confirms_nothing() -> None:
    modal = TypeNameModal("Remove", "It is gone then.", "db-query")
    assert await answers_to(modal, *"db-quer", "enter", "tab", "tab", "enter") == []


async def test_the_exact_name_enables_the_button() -> None:
    host = Host(TypeNameModal("Remove", "It is gone then.", "db-query"))
    async with host.run_test() as pilot:
        await pilot.press(*"db-query")
        await pilot.pause()
        assert not host.screen.query_one("#yes").disabled
        await pilot.press("y")
        await pilot.pause()
        assert host.screen.query_one("#yes").disabled
        await pilot.press("backspace", "enter")
        await pilot.pause()
    assert host.answers == [True]


async def test_leaving_a_typed_question_is_a_no() -> None:
    assert await answers_to(TypeNameModal("Remove", "Gone then.", "x"), "x", "escape") == [False]
    assert await answers_to(ReasonModal("Stop git", "Why?"), "x", "escape") == [None]


async def test_blanks_are_no_reason() -> None:
    assert await answers_to(ReasonModal("Stop git", "Why?"), "space", "space", "enter") == []


async def test_a_reason_is_handed_over_without_the_blanks_around_it() -> None:
    keys = ["space", *"leak", "space", "enter"]
    assert await answers_to(ReasonModal("Stop git", "Why?"), *keys) == ["leak"]


async def test_text_from_outside_is_never_read_as_markup() -> None:
    host = Host(ConfirmModal("Stop [red]x[/]", "[b]bold[/b]?", "[link]", yes_label="Stop"))
    async with host.run_test() as pilot:
        await pilot.pause()
        svg = host.export_screenshot()
    assert "[red]x[/]" in svg.replace("&#160;", " ")
    assert "[b]bold[/b]?" in svg


@pytest.mark.parametrize("size", [(80, 24), (44, 14)])
async def test_the_buttons_stay_in_view_however_long_the_question(size: tuple[int, int]) -> None:
    modal = ConfirmModal("Stop", "Really? " * 300, "cuts " * 100, yes_label="Stop")
    host = Host(modal)
    async with host.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.pause()
        assert host.screen.query_one("#yes").region.bottom <= size[1]
        await pilot.press("pagedown", "pagedown", "y")
        await pilot.pause()
    assert host.answers == [True]
