"""What an import does: look, let the operator choose, and carry out what was confirmed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from roost.contract import EngineAPI
from roost.errors import RoostError, Unavailable
from roost.models import ImportOutcome, ImportPlan, ImportRequest, ImportScan
from roost_tui.notes import Severity

if TYPE_CHECKING:
    from roost_tui.modals.import_pages import Draft, Page
    from roost_tui.operations import Desk


def scan_here() -> ImportScan:
    """Return where to look: the clients' own files and where the screen was started."""
    return ImportScan(directories=(str(Path.cwd()),))


class Imports:
    """The wizard of one workspace. `run` is the body of one named worker.

    Args:
        desk: what it needs of the app.
        workspace: where bundles are added.
    """

    def __init__(self, desk: Desk, workspace: str) -> None:
        self._desk = desk
        self._workspace = workspace
        self._scan = scan_here()

    async def run(self) -> None:
        """Go from page to page until it is left or done; nothing is written before the last."""
        plan = await self._look()
        if plan is None:
            return
        from roost_tui.modals.import_pages import Draft  # loaded when it is first needed

        draft = Draft.of(self._workspace, plan)
        try:
            if await self._choose(draft):
                await self._carry_out(draft)
        finally:
            draft.forget_answers()

    async def _look(self) -> ImportPlan | None:
        """Look for configurations; None when the operator gave up or nothing could be read."""
        from roost_tui.modals.import_pages import ScanModal

        modal = ScanModal()
        self._desk.open_modal(modal, None)
        try:
            plan = await self._engine.plan_import(self._workspace, self._scan)
        except RoostError as error:
            modal.show_error(error.message)
            return None
        if not modal.is_attached or not modal.is_current:
            return None
        await modal.dismiss(None)
        return plan

    async def _choose(self, draft: Draft) -> bool:
        """Show the pages back and forth; true once everything is confirmed."""
        from roost_tui.modals.import_pages import Step

        at = 0
        while True:
            pages = _pages(draft)
            if at >= len(pages):
                return True
            answer = await self._desk.ask(pages[at](draft))
            if answer is None:
                return False
            at = max(at + (1 if answer is Step.NEXT else -1), 0)

    async def _carry_out(self, draft: Draft) -> None:
        request = ImportRequest(self._scan, draft.choices(), start=draft.starts)
        outcome = await self._engine.import_bundles(self._workspace, request)
        draft.forget_answers()
        self._report(outcome)
        from roost_tui.modals.import_pages import OutcomePage

        await self._desk.ask(OutcomePage(draft, outcome))

    def _report(self, outcome: ImportOutcome) -> None:
        for result in outcome.results:
            self._desk.say(Severity.INFORMATION, result.sentence)  # the page says what failed
        added = [result.bundle for result in outcome.results if result.ok and result.bundle]
        if added:
            self._desk.show_bundle((self._workspace, added[0]))

    @property
    def _engine(self) -> EngineAPI:
        if self._desk.engine is None:
            raise Unavailable("nothing was done: the daemon is not connected; try again when it is")
        return self._desk.engine


def _pages(draft: Draft) -> tuple[Callable[[Draft], Page], ...]:
    """Return the pages that there is something on; which, changes with what is marked."""
    from roost_tui.modals.import_pages import ConfirmPage, EntriesPage, FilesPage
    from roost_tui.modals.import_questions import QuestionsPage

    if draft.asking:
        return FilesPage, EntriesPage, QuestionsPage, ConfirmPage
    return FilesPage, EntriesPage, ConfirmPage
