"""The table of actions and its remapping."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from roost.contract import ACTIONS, Risk
from roost_tui import run_screen, runs_screen, snapshots_screen
from roost_tui.actions import (
    EVERYWHERE,
    FOOTER_LIMIT,
    KEY_ACTIONS,
    KeyAction,
    Place,
    allowed,
    bindings_at,
    footer_entries,
    key_text,
)
from roost_tui.bundle_screen import entries_here
from roost_tui.keymap import NEVER_DESTRUCTIVE, conflicts, remap

OUTSIDE_THE_DASHBOARD = {
    "bundle.list",
    "bundle.show",
    "bundle.settings",
    "bundle.versions",
    "bundle.tools",
    "run.show",
    "run.follow",
    "task.list",
    "snapshot.list",
    "workspace.list",
    "workspace.create",
    "daemon.status",
}
"""Actions without an entry: what the screen shows all the time, or leaves to the command line."""

ON_THE_SCREEN_ONLY = ("screen.", "move.", "logs.", "link.", "bundle.previous_logs")


def _keys() -> dict[str, str]:
    return {entry.id: entry.keys for entry in KEY_ACTIONS}


def test_every_action_of_the_engine_has_an_entry_or_is_known_to_have_none() -> None:
    ids = {entry.id for entry in KEY_ACTIONS}
    assert set(ACTIONS) - ids == OUTSIDE_THE_DASHBOARD


def test_every_entry_is_an_action_of_the_engine_or_of_the_screen() -> None:
    unknown = [entry.id for entry in KEY_ACTIONS if entry.id not in ACTIONS]
    assert all(name.startswith(ON_THE_SCREEN_ONLY) for name in unknown)


def test_risk_and_verb_come_from_the_contract() -> None:
    entries = {entry.id: entry for entry in KEY_ACTIONS}
    assert entries["bundle.remove"].risk is Risk.DESTROYS
    assert entries["run.stop"].verb == "run stop"
    assert entries["screen.zoom"].risk is Risk.READS


def test_no_key_has_two_meanings_in_one_panel() -> None:
    assert conflicts(KEY_ACTIONS) == ()


def test_keys_of_shells_and_editors_never_interrupt_work() -> None:
    dangerous = [entry for entry in KEY_ACTIONS if entry.risk >= Risk.INTERRUPTS]
    assert not any(set(entry.keys.split(",")) & NEVER_DESTRUCTIVE for entry in dangerous)


def test_the_bundle_screen_binds_each_key_once() -> None:
    bound = bindings_at(entries_here(KEY_ACTIONS), Place.BUNDLE)
    keys = [key for entry in bound for key in entry.key.split(",")]
    assert {"R", "w", "escape", "j"} <= set(keys)
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("here", "place"),
    [
        (runs_screen.entries_here, Place.RUN_LIST),
        (run_screen.entries_here, Place.RUN),
        (run_screen.entries_here, Place.LOGS),
        (snapshots_screen.entries_here, Place.SNAPSHOT_LIST),
        (snapshots_screen.entries_here, Place.SNAPSHOT_PAGE),
    ],
)
@pytest.mark.parametrize("read_only", [False, True])
def test_the_screens_over_the_dashboard_bind_each_key_once(
    here: Callable[[Sequence[KeyAction]], tuple[KeyAction, ...]], place: Place, read_only: bool
) -> None:
    bound = bindings_at(here(allowed(KEY_ACTIONS, read_only=read_only)), place)
    keys = [key for entry in bound for key in entry.key.split(",")]
    assert {"escape", "j", "r", "1", "?"} <= set(keys)
    assert len(keys) == len(set(keys))


def test_stopping_all_that_is_shown_costs_what_stopping_one_does() -> None:
    entries = {entry.id: entry for entry in KEY_ACTIONS}
    assert entries["screen.stop_shown"].risk is entries["run.stop"].risk is Risk.INTERRUPTS


@pytest.mark.parametrize("place", EVERYWHERE)
def test_every_panel_binds_each_key_once(place: Place) -> None:
    keys = [key for entry in bindings_at(KEY_ACTIONS, place) for key in entry.key.split(",")]
    keys += [key for entry in bindings_at(KEY_ACTIONS, None) for key in entry.key.split(",")]
    assert len(keys) == len(set(keys))


def test_every_binding_has_an_id_and_a_tooltip() -> None:
    bindings = [entry for place in (*EVERYWHERE, None) for entry in bindings_at(KEY_ACTIONS, place)]
    assert all(entry.id and entry.tooltip for entry in bindings)


@pytest.mark.parametrize("place", EVERYWHERE)
def test_the_footer_shows_eight_keys_at_most(place: Place) -> None:
    assert 0 < len(footer_entries(KEY_ACTIONS, place)) <= FOOTER_LIMIT


def test_a_read_only_screen_keeps_only_what_reads() -> None:
    kept = allowed(KEY_ACTIONS, read_only=True)
    assert {entry.risk for entry in kept} == {Risk.READS}
    assert "bundle.respawn" not in {entry.id for entry in kept}
    assert "bundle.logs" in {entry.id for entry in kept}


def test_keys_can_be_moved_exchanged_and_unbound() -> None:
    keymap = {"bundle.start": "s", "bundle.stop": "S", "screen.zoom": "", "screen.copy": "Y, f2"}
    entries, problems = remap(KEY_ACTIONS, keymap)
    keys = {entry.id: entry.keys for entry in entries}
    assert problems == ()
    assert keys["bundle.start"] == "s"
    assert keys["bundle.stop"] == "S"
    assert keys["screen.zoom"] == ""
    assert keys["screen.copy"] == "Y,f2"


def test_a_key_that_is_taken_is_reported_and_not_given_away() -> None:
    entries, problems = remap(KEY_ACTIONS, {"screen.zoom": "R"})
    assert problems == ("R for screen.zoom is taken by bundle.respawn; unbind that one first",)
    assert {entry.id: entry.keys for entry in entries} == _keys()


def test_an_unknown_action_is_reported() -> None:
    _, problems = remap(KEY_ACTIONS, {"bundle.fly": "F"})
    assert problems == ("there is no action 'bundle.fly' to remap; the help lists them",)


def test_an_interrupting_action_is_kept_off_the_keys_of_shells() -> None:
    entries, problems = remap(KEY_ACTIONS, {"bundle.stop": "ctrl+k"})
    assert problems == ("ctrl+k cannot be bundle.stop: that key never interrupts work",)
    assert {entry.id: entry.keys for entry in entries} == _keys()


def test_keys_read_as_people_write_them() -> None:
    assert key_text("?,f1", all_keys=True) == "? F1"
    assert key_text("escape") == "esc"
    assert key_text("") == ""
