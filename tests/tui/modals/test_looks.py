"""How every modal looks, small and large; behaviour is tested elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.support.modal_scenes import (
    ALL_WELL,
    FORM,
    HELP,
    IMPACT,
    MENU,
    MESSAGES,
    REPORT,
    WORKSPACES,
    Host,
    call_tool,
    credentials,
    hold_cursors,
    starting,
)
from textual.pilot import Pilot
from textual.screen import ModalScreen

from roost.errors import BadArguments, BadFields
from roost.models import (
    CredentialOutcome,
    DoctorReport,
    Reason,
    RespawnResult,
    SlotState,
    StartStep,
)
from roost_tui.glyphs import ASCII
from roost_tui.modals import (
    ActionMenu,
    CallToolModal,
    ConfirmModal,
    CredentialsModal,
    DoctorModal,
    HelpModal,
    MessagesModal,
    PickerModal,
    ReasonModal,
    TypeNameModal,
)

Scene = tuple[Callable[[], ModalScreen[Any]], Callable[[Pilot[Any]], Awaitable[None]]]

SAID = "acme/db-query exited with 1 while it was starting; its log says why, R tries again"
OUTCOME = CredentialOutcome(
    5,
    ("api_token",),
    "saved",
    RespawnResult(True, "acme", "db-query", "fine", generation=7, duration_ms=412),
)
FAILED = replace(
    OUTCOME, respawn=RespawnResult(False, "acme", "db-query", SAID, step=StartStep.HANDSHAKE)
)


async def as_opened(pilot: Pilot[Any]) -> None:
    """Change nothing."""


def after(*steps: tuple[str, ...]) -> Callable[[Pilot[Any]], Awaitable[None]]:
    """Press keys, step by step."""

    async def press(pilot: Pilot[Any]) -> None:
        for keys in steps:
            await pilot.press(*keys)
            await pilot.pause()

    return press


async def _saved(pilot: Pilot[Any]) -> CredentialsModal:
    await after(tuple("newtoken"), ("ctrl+s",))(pilot)
    modal = pilot.app.screen
    assert isinstance(modal, CredentialsModal)
    return modal


async def respawning(pilot: Pilot[Any]) -> None:
    (await _saved(pilot)).show_phases(starting(StartStep.HANDSHAKE))


async def respawned(pilot: Pilot[Any]) -> None:
    (await _saved(pilot)).show_outcome(OUTCOME)


async def respawn_failed(pilot: Pilot[Any]) -> None:
    modal = await _saved(pilot)
    dead = replace(
        starting(StartStep.HANDSHAKE), state=SlotState.DEAD, reason=Reason("exited", SAID)
    )
    modal.show_phases(dead)
    modal.show_outcome(FAILED)


async def write_refused(pilot: Pilot[Any]) -> None:
    (await _saved(pilot)).show_error(BadFields("db-query", {"endpoint": "it does not answer"}))


async def call_refused(pilot: Pilot[Any]) -> None:
    await after(tuple("delete"), ("enter",), tuple("/x"), ("ctrl+s",))(pilot)
    modal = pilot.app.screen
    assert isinstance(modal, CallToolModal)
    modal.show_error(BadArguments("delete_file", "the path is outside of the allowed ones"))


def confirm() -> ConfirmModal:
    question = "Replace the process of db-query by a new generation?"
    return ConfirmModal("Respawn db-query", question, "cuts 2 runs, 1 client", yes_label="Respawn")


def type_name() -> TypeNameModal:
    question = "db-query is stopped and taken out of acme. Its logs and runs stay."
    return TypeNameModal("Remove db-query", question, "db-query")


def reason() -> ReasonModal:
    return ReasonModal("Stop git", "git is protected, so stopping it needs a reason.")


def protected_credentials() -> CredentialsModal:
    return credentials(needs_reason=True, impact=replace(IMPACT, protected=True))


def two_credentials() -> CredentialsModal:
    return credentials(replace(FORM, fields=FORM.fields[:2]))


def no_credentials() -> CredentialsModal:
    return credentials(replace(FORM, fields=(), revision=0, can_restore=False))


def examined(
    report: DoctorReport | None = None, error: str = "", *keys: str
) -> Callable[[Pilot[Any]], Awaitable[None]]:
    """Tell the doctor's findings, then an error where there is one, then press keys."""

    async def tell(pilot: Pilot[Any]) -> None:
        modal = pilot.app.screen
        assert isinstance(modal, DoctorModal)
        if report is not None:
            modal.show_report(report)
            await pilot.pause()
        if error:
            modal.show_error(error)
        await after(keys)(pilot)

    return tell


FILLED_IN = after(("enter",), ("x",), ("ctrl+s",))

SCENES: dict[str, Scene] = {
    "confirm": (confirm, as_opened),
    "confirm-on-yes": (confirm, after(("right",))),
    "type-name": (type_name, after(tuple("db-q"))),
    "type-name-ready": (type_name, after(tuple("db-query"))),
    "reason": (reason, as_opened),
    "help": (lambda: HelpModal(HELP), as_opened),
    "menu": (lambda: ActionMenu("acme/db-query", MENU), after(("down",))),
    "picker": (lambda: PickerModal("Workspace", WORKSPACES, "beta"), as_opened),
    "picker-empty": (lambda: PickerModal("Workspace", WORKSPACES, "beta"), after(tuple("zz"))),
    "messages": (lambda: MessagesModal(MESSAGES), as_opened),
    "messages-empty": (lambda: MessagesModal(()), as_opened),
    "doctor": (DoctorModal, examined(REPORT)),
    "doctor-down": (DoctorModal, examined(REPORT, "", *"jjjjj")),
    "doctor-looking": (DoctorModal, as_opened),
    "doctor-well": (DoctorModal, examined(ALL_WELL)),
    "doctor-unreachable": (DoctorModal, examined(None, "the daemon is not connected")),
    "doctor-outdated": (DoctorModal, examined(REPORT, "the daemon is not connected")),
    "credentials": (credentials, as_opened),
    "credentials-typed": (credentials, after(tuple("newtoken"), ("tab", "tab"), tuple("9000"))),
    "credentials-cleared": (credentials, after(("ctrl+l",))),
    "credentials-reason": (protected_credentials, after(("ctrl+l",), ("ctrl+s",))),
    "credentials-respawning": (credentials, respawning),
    "credentials-respawned": (credentials, respawned),
    "credentials-failed": (credentials, respawn_failed),
    "credentials-refused": (credentials, write_refused),
    "credentials-two": (two_credentials, as_opened),
    "credentials-none": (no_credentials, as_opened),
    "call": (call_tool, as_opened),
    "call-form": (call_tool, FILLED_IN),
    "call-json": (call_tool, after(("enter",), tuple("xx"), ("ctrl+o",))),
    "call-destructive": (call_tool, after(tuple("delete"), ("enter",))),
    "call-refused": (call_tool, call_refused),
    "call-none": (lambda: call_tool(()), as_opened),
}


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("scene", SCENES)
def test_modal(snap_compare: Callable[..., bool], scene: str, size: tuple[int, int]) -> None:
    build, act = SCENES[scene]
    assert snap_compare(Host(build()), terminal_size=size, run_before=_still(act))


@pytest.mark.parametrize("theme", ["textual-light", "ansi-dark"])
@pytest.mark.parametrize("scene", ["confirm", "credentials-failed", "call-form", "doctor"])
def test_modal_in_other_themes(snap_compare: Callable[..., bool], scene: str, theme: str) -> None:
    build, act = SCENES[scene]
    host = Host(build(), theme)
    assert snap_compare(host, terminal_size=(100, 30), run_before=_still(act))


@pytest.mark.parametrize("scene", ["credentials-failed", "call-form", "messages", "doctor"])
def test_modal_in_plain_characters(snap_compare: Callable[..., bool], scene: str) -> None:
    build, act = SCENES[scene]
    host = Host(build(), glyphs=ASCII)
    assert snap_compare(host, terminal_size=(80, 24), run_before=_still(act))


@pytest.mark.parametrize("scene", ["credentials-typed", "doctor"])
def test_modal_without_colour(
    snap_compare: Callable[..., bool], monkeypatch: pytest.MonkeyPatch, scene: str
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    build, act = SCENES[scene]
    assert snap_compare(Host(build()), terminal_size=(100, 30), run_before=_still(act))


def _still(
    act: Callable[[Pilot[Any]], Awaitable[None]],
) -> Callable[[Pilot[Any]], Awaitable[None]]:
    async def prepare(pilot: Pilot[Any]) -> None:
        await pilot.pause()
        await act(pilot)
        await pilot.pause()
        await pilot.pause()
        hold_cursors(pilot.app)
        await pilot.pause()

    return prepare
