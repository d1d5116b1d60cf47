"""Imports of the fake: a plan that a test puts there, and what carrying it out makes."""

from __future__ import annotations

from tests.support.fake.packages import FakePackages

from roost.errors import RoostError
from roost.models import (
    ImportChoice,
    ImportedFile,
    ImportEntry,
    ImportOutcome,
    ImportPlan,
    ImportRequest,
    ImportResult,
    ImportScan,
    InstallRequest,
    SourceKind,
)


class FakeImports(FakePackages):
    """Finds what the test put there."""

    def set_import_plan(self, files: tuple[ImportedFile, ...], *entries: ImportEntry) -> None:
        """Say what every later scan finds."""
        self.world.import_plan = ImportPlan(files, entries)

    async def plan_import(self, workspace: str, scan: ImportScan) -> ImportPlan:
        self._begin("plan_import", workspace=workspace, scan=scan)
        self._refuse_when_stopping()
        self.world.require_may_install(workspace)
        await self.switches.scan_gate.wait()
        return self.world.import_plan

    async def import_bundles(self, workspace: str, request: ImportRequest) -> ImportOutcome:
        self._begin("import_bundles", workspace=workspace, request=request)
        self._refuse_when_stopping()
        self.world.require_may_install(workspace)
        known = {entry.id: entry for entry in self.world.import_plan.entries}
        results = [
            self._import(workspace, known.get(choice.id), choice, starts=request.start)
            for choice in request.choices
        ]
        return ImportOutcome(tuple(results))

    def _import(
        self, workspace: str, entry: ImportEntry | None, choice: ImportChoice, *, starts: bool
    ) -> ImportResult:
        if entry is None:
            return ImportResult(choice.id, False, "it changed since it was reviewed; scan again")
        if problem := _refusal(entry, choice):
            return ImportResult(choice.id, False, problem)
        request = InstallRequest(
            SourceKind.MCP_SERVERS,
            name=choice.name or entry.name,
            path=entry.path,
            entry=entry.entry,
            command=entry.argv,
            start=starts,
        )
        try:
            view = self._install(workspace, request)
        except RoostError as error:
            return ImportResult(choice.id, False, error.message)
        return ImportResult(choice.id, True, f"{entry.entry} was added as {view.name}", view.name)


def _refusal(entry: ImportEntry, choice: ImportChoice) -> str:
    if entry.problem:
        return entry.problem
    if entry.secret_arguments and not choice.secret_arguments:
        return "a secret stands in its command line, which has to be allowed"
    required = [question for question in entry.questions if question.is_required]
    absent = [
        question.title
        for question in required
        if question.key not in choice.answers and question.default is None
    ]
    return f"{', '.join(absent)} is not answered" if absent else ""
