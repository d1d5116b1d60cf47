"""The form of a tool call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.support.modal_scenes import DELETE, PING, SEARCH, TOOLS, Host, call_tool
from textual.pilot import Pilot
from textual.widgets import Static, TextArea

from roost.errors import BadArguments
from roost.models import CallRequest, ToolView
from roost_tui.modals import CallToolModal
from roost_tui.modals.arguments_editor import ArgumentsEditor
from roost_tui.modals.tool_row import ToolRow


@asynccontextmanager
async def opened(
    tools: tuple[ToolView, ...] = TOOLS, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[Host, Pilot[Any]]]:
    """Show the form."""
    host = Host(call_tool(tools))
    async with host.run_test(size=size) as pilot:
        await settle(pilot)
        yield host, pilot


async def settle(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys and let what follows from them happen."""
    await pilot.press(*keys)
    await pilot.pause()
    await pilot.pause()


def requests(host: Host) -> list[CallRequest]:
    return [m.request for m in host.heard if isinstance(m, CallToolModal.CallRequested)]


def row(host: Host, key: str) -> ToolRow:
    return next(r for r in host.screen.query(ToolRow) if r.key == key)


def area(host: Host) -> TextArea:
    return host.screen.query_one(".json", TextArea)


def said(host: Host) -> str:
    return "\n".join(str(line.render()) for line in host.screen.query(Static))


def chosen(host: Host) -> str | None:
    tool = host.screen.query_one(ArgumentsEditor).tool
    return tool.name if tool else None


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_tool_is_found_by_typing_and_called_by_keys_alone(size: tuple[int, int]) -> None:
    async with opened(size=size) as (host, pilot):
        await settle(pilot, *"delete", "enter")
        await settle(pilot, *"/tmp/x", "ctrl+s")
        assert requests(host) == [CallRequest("delete_file", {"path": "/tmp/x"})]


async def test_arrows_move_in_the_list_while_the_filter_has_the_focus() -> None:
    async with opened() as (host, pilot):
        await settle(pilot, "down", "down", "enter")
        assert chosen(host) == "ping"
        assert "It takes no arguments." in said(host)


async def test_a_lone_tool_needs_no_choice() -> None:
    async with opened((PING,)) as (host, pilot):
        assert chosen(host) == "ping"
        await settle(pilot, "ctrl+s")
        assert requests(host) == [CallRequest("ping", {})]


async def test_a_bundle_without_tools_says_so() -> None:
    async with opened(()) as (host, pilot):
        assert "db-query offers no tools." in said(host)
        await settle(pilot, "ctrl+s", "escape")
        assert host.heard == []
        assert host.answers == [None]


async def test_defaults_are_prefilled_and_sent() -> None:
    async with opened((SEARCH,)) as (host, pilot):
        await settle(pilot, *"todo", "tab", *"/srv", "enter", *"/etc", "ctrl+s")
        (request,) = requests(host)
        assert request.arguments == {
            "pattern": "todo",
            "paths": ["/srv", "/etc"],
            "limit": 50,
            "mode": "content",
            "follow_links": False,
        }


async def test_untouched_required_fields_are_not_accused_before_the_call() -> None:
    async with opened((SEARCH,)) as (host, pilot):
        assert row(host, "pattern").problem == ""
        await settle(pilot, "ctrl+s")
        assert row(host, "pattern").problem == "required"
        assert host.focused is row(host, "pattern").control
        assert host.heard == []


async def test_a_problem_stands_below_its_field_as_typed() -> None:
    async with opened((SEARCH,)) as (host, pilot):
        await settle(pilot, "x")
        assert row(host, "pattern").problem == "at least 2 characters, this has 1"
        await settle(pilot, "y")
        assert row(host, "pattern").problem == ""


async def test_choices_and_booleans_are_set_by_keys() -> None:
    async with opened((SEARCH,)) as (host, pilot):
        await settle(pilot, *"xx", "tab", "/", "tab", "tab")
        await settle(pilot, "enter")
        await settle(pilot, "down", "enter")
        await settle(pilot, "tab", "left", "ctrl+s")
        (request,) = requests(host)
        assert request.arguments["mode"] == "name"
        assert request.arguments["follow_links"] is True


async def test_the_form_is_carried_over_to_json_and_back() -> None:
    async with opened((SEARCH,)) as (host, pilot):
        await settle(pilot, *"xx", "ctrl+o")
        assert '"pattern": "xx"' in area(host).text
        area(host).text = '{"pattern": "yy", "paths": ["/a"], "options": {"depth": 2}}'
        await settle(pilot, "ctrl+o")
        assert row(host, "pattern").text == "yy"
        assert row(host, "paths").text == "/a"
        assert row(host, "limit").text == ""
        await settle(pilot, "ctrl+s")
        (request,) = requests(host)
        assert request.arguments == {"pattern": "yy", "paths": ["/a"], "options": {"depth": 2}}


async def test_json_can_be_called_as_it_stands() -> None:
    async with opened((DELETE,)) as (host, pilot):
        await settle(pilot, "ctrl+o")
        area(host).text = '{"path": "", "force": true}'
        await settle(pilot, "ctrl+s")
        assert requests(host)[0].arguments == {"path": "", "force": True}


async def test_what_only_the_json_knows_is_named_in_the_form_and_sent() -> None:
    async with opened((DELETE,)) as (host, pilot):
        await settle(pilot, "ctrl+o")
        area(host).text = '{"path": "/x", "force": true}'
        await settle(pilot, "ctrl+o")
        assert "Set in the JSON and sent too: force" in said(host)
        await settle(pilot, "ctrl+s")
        assert requests(host)[0].arguments == {"path": "/x", "force": True}


async def test_invalid_json_says_where_and_stays_in_view() -> None:
    async with opened((DELETE,)) as (host, pilot):
        await settle(pilot, "ctrl+o")
        area(host).text = '{\n  "path": /x\n}'
        await settle(pilot)
        assert "✗ line 2, column 11: expecting value" in said(host)
        await settle(pilot, "ctrl+o")
        assert host.screen.query_one(ArgumentsEditor).is_json
        assert area(host).cursor_location == (1, 10)
        await settle(pilot, "ctrl+s")
        assert host.heard == []


async def test_a_text_of_several_lines_from_json_is_not_cut_in_the_form() -> None:
    async with opened((DELETE,)) as (host, pilot):
        await settle(pilot, "ctrl+o")
        area(host).text = '{"path": "one\\ntwo"}'
        await settle(pilot, "ctrl+o", "ctrl+s")
        assert requests(host)[0].arguments == {"path": "one\ntwo"}


async def test_a_value_without_a_place_in_its_control_is_kept_as_text() -> None:
    async with opened((SEARCH,)) as (host, pilot):
        await settle(pilot, "ctrl+o")
        area(host).text = '{"pattern": "xx", "paths": ["/"], "mode": "fuzzy", "follow_links": 3}'
        await settle(pilot, "ctrl+o")
        assert row(host, "mode").problem == "must be one of content, name, both"
        assert row(host, "follow_links").problem == "must be true or false"


async def test_the_mode_is_switched_by_mouse_too() -> None:
    async with opened((DELETE,)) as (host, pilot):
        await pilot.click(".modes", offset=(14, 0))
        await settle(pilot)
        assert host.screen.query_one(ArgumentsEditor).is_json


async def test_an_error_is_shown_and_the_arguments_stay() -> None:
    async with opened((DELETE,)) as (host, pilot):
        await settle(pilot, *"/x", "ctrl+s")
        await settle(pilot, "ctrl+s")
        assert len(requests(host)) == 1
        assert isinstance(host.modal, CallToolModal)
        host.modal.show_error(BadArguments("delete_file", "the path is outside"))
        await settle(pilot)
        assert "✗ 'delete_file' was not called: the path is outside" in said(host)
        assert row(host, "path").text == "/x"
        await settle(pilot, "ctrl+s")
        assert len(requests(host)) == 2


async def test_a_destructive_tool_is_marked_in_the_list_and_in_the_form() -> None:
    async with opened(size=(120, 40)) as (host, pilot):
        await settle(pilot, *"delete", "enter")
        assert "delete_file  ! destructive" in said(host)
        assert host.screen.query_one("#call").has_class("-error")


async def test_escape_goes_back_to_the_tools_and_then_closes() -> None:
    async with opened() as (host, pilot):
        await settle(pilot, "enter")
        await settle(pilot, *"xx", "escape")
        assert host.answers == []
        assert host.screen.query_one(".filter").has_focus
        await settle(pilot, "enter")
        assert row(host, "pattern").text == "xx"
        await settle(pilot, "escape")
        await settle(pilot, "escape")
        assert host.answers == [None]


async def test_escape_in_an_open_choice_closes_only_the_choice() -> None:
    async with opened((SEARCH,)) as (host, pilot):
        await settle(pilot, "tab", "tab", "tab")
        await settle(pilot, "enter")
        await settle(pilot, "escape")
        assert host.answers == []
        assert host.focused is row(host, "mode").control


async def test_a_narrow_screen_shows_one_pane_and_a_wide_one_both() -> None:
    async with opened() as (host, pilot):
        await settle(pilot, "enter")
        assert not host.screen.query_one(".tools").display
        await pilot.resize_terminal(120, 40)
        await settle(pilot)
        assert host.screen.query_one(".tools").display
        assert host.screen.query_one(ArgumentsEditor).display


async def test_the_representation_of_a_request_holds_no_argument() -> None:
    async with opened((DELETE,)) as (host, pilot):
        await settle(pilot, *"/secret", "ctrl+s")
        assert "/secret" not in repr(host.heard[0])
