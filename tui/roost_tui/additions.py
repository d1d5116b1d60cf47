"""What adding a bundle does: words become a request, that is reviewed, and then installed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from roost.contract import EngineAPI
from roost.errors import RoostError, SensitiveInArguments, Unavailable
from roost.models import BundleView, InstallPlan, InstallRequest, PlanNote
from roost_tui.notes import Severity
from roost_tui.plan_text import SECRET_ARGUMENT
from roost_tui.selection import Selection

if TYPE_CHECKING:
    from roost_tui.modals.add import AddModal
    from roost_tui.operations import Desk

ReadWords = Callable[[str], InstallRequest]
"""Makes a request of what was typed; raises `BadInput` when it is nothing that can be added."""


def read_words(words: str) -> InstallRequest:
    """Make a request of what was typed; paths are relative to where the screen was started."""
    from roost.client.what_to_add import request_for  # loaded when something is first added

    return request_for(words, directory=str(Path.cwd()))


class Additions:
    """Adds bundles to one workspace. Each coroutine is the body of one named worker.

    Args:
        desk: what it needs of the app.
        workspace: where bundles are added.
        read: makes a request of what was typed.
    """

    def __init__(self, desk: Desk, workspace: str, read: ReadWords) -> None:
        self._desk = desk
        self._workspace = workspace
        self._read = read

    def open(self) -> None:
        """Show the line to type in."""
        from roost_tui.modals.add import AddModal, Purpose  # loaded after the first paint

        purpose = Purpose(f"Add a bundle to {self._workspace}", "Install")
        self._desk.open_modal(AddModal(purpose), None)

    async def plan(self, modal: AddModal, words: str) -> None:
        """Find out what these words would install, for the modal that is open."""
        try:
            request = self._read(words)
            modal.show_plan(*await plan_for(self._engine, self._workspace, request))
        except RoostError as error:
            modal.show_error(error.message)

    async def install(self, modal: AddModal, request: InstallRequest) -> None:
        """Install what was reviewed, go to its row and open its form where fields are missing."""
        plan = modal.plan
        try:
            view = await self._engine.install(self._workspace, request)
        except RoostError as error:
            self._desk.say(Severity.INFORMATION, f"nothing was added: {error.message}")
            return modal.show_error(error.message)
        modal.show_done()
        self._desk.say(Severity.INFORMATION, f"{view.name} was added to {view.workspace}")
        self._desk.show_bundle((view.workspace, view.name))
        if plan is not None and plan.missing_fields:
            self._fill_in(view)

    def _fill_in(self, view: BundleView) -> None:
        self._desk.begin_operation("bundle.credentials", Selection(bundle=view))

    @property
    def _engine(self) -> EngineAPI:
        if self._desk.engine is None:
            raise Unavailable("nothing was done: the daemon is not connected; try again when it is")
        return self._desk.engine


async def plan_for(
    engine: EngineAPI, workspace: str, request: InstallRequest
) -> tuple[InstallRequest, InstallPlan]:
    """Return a request with its plan.

    Where a secret would stand in the command line the plan says so, and the operator has to
    allow it.
    """
    try:
        return request, await engine.plan_install(workspace, request)
    except RoostError as refusal:
        if refusal.code != SensitiveInArguments.code:
            raise
        allowed = replace(request, secret_arguments=True)
        plan = await engine.plan_install(workspace, allowed)
        if any(note.code == SECRET_ARGUMENT for note in plan.notes):
            return request, plan
        note = PlanNote(SECRET_ARGUMENT, refusal.message)
        return request, replace(plan, notes=(note, *plan.notes))
