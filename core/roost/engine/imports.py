"""`Imports`: the servers of MCP clients become bundles, by a plan that was reviewed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from roost.bundles import BundleFolders, InstalledBundle
from roost.bundles.clients.found import Found, FoundEntry, find_entries
from roost.bundles.clients.review import chosen_bundle, review
from roost.bundles.install_place import InstallPlace, describe_nothing
from roost.bundles.programs import Programs
from roost.engine.credential_changes import Audit
from roost.engine.installs import Installs
from roost.engine.package_finder import PackageFinder
from roost.errors import Changed, RoostError
from roost.models import (
    Definition,
    ImportChoice,
    ImportOutcome,
    ImportPlan,
    ImportRequest,
    ImportResult,
    ImportScan,
    InstallRequest,
    SourceKind,
)

if TYPE_CHECKING:
    from roost.engine.engine import Engine


class Imports:
    """Imports on behalf of one actor, whom `installs` knows."""

    def __init__(self, engine: Engine, installs: Installs, *, audit: Audit) -> None:
        self._engine = engine
        self._installs = installs
        self._audit = audit

    async def plan(self, workspace: str, scan: ImportScan) -> ImportPlan:
        """Say what could be imported; nothing is written or run.

        Raises:
            BadInput: a path of the scan is not absolute.
        """
        installed, place = self._installed(workspace), self._place(workspace)
        return await asyncio.to_thread(self._reviewed, scan, installed, place)

    async def carry_out(self, workspace: str, request: ImportRequest) -> ImportOutcome:
        """Install the choices one by one, as their files have them now.

        Raises:
            BadInput: a path of the scan is not absolute; nothing was installed.
        """
        return await self._engine.whole(self._carry_out(workspace, request))

    def _reviewed(
        self, scan: ImportScan, installed: Mapping[str, Definition], place: InstallPlace
    ) -> ImportPlan:
        return review(self._found(scan), installed, place)

    def _found(self, scan: ImportScan) -> Found:
        return find_entries(scan, self._engine.environ)

    async def _carry_out(self, workspace: str, request: ImportRequest) -> ImportOutcome:
        found = await asyncio.to_thread(self._found, request.scan)
        entries = {entry.id: entry for entry in found.entries}
        results = [
            await self._import(workspace, entries, choice, should_start=request.start)
            for choice in request.choices
        ]
        done = sum(result.ok for result in results)
        await self._audit(
            "bundle.import", workspace, "clients", "ok", f"{done} of {len(results)} entries"
        )
        return ImportOutcome(tuple(results))

    async def _import(
        self,
        workspace: str,
        entries: Mapping[str, FoundEntry],
        choice: ImportChoice,
        *,
        should_start: bool,
    ) -> ImportResult:
        """Import one choice; what it fails with is its own result."""
        try:
            name = await self._install(workspace, entries, choice, should_start=should_start)
        except RoostError as error:
            return ImportResult(choice.id, ok=False, sentence=error.message)
        return ImportResult(choice.id, ok=True, sentence=f"{name} is installed", bundle=name)

    async def _install(
        self,
        workspace: str,
        entries: Mapping[str, FoundEntry],
        choice: ImportChoice,
        *,
        should_start: bool,
    ) -> str:
        if choice.id not in entries:
            raise Changed(
                f"the entry {choice.id[:40]!r} changed since the plan or is gone; review the plan "
                "again"
            )
        place = self._place(workspace)
        bundle: InstalledBundle = await asyncio.to_thread(
            chosen_bundle, entries[choice.id], choice, place
        )
        if choice.resolve:
            pinned = await PackageFinder(self._engine).pinned(bundle.definition)
            bundle = replace(bundle, definition=pinned)
        request = InstallRequest(SourceKind.MCP_SERVERS, start=should_start)
        return (await self._installs.add(workspace, bundle, request)).name

    def _installed(self, workspace: str) -> dict[str, Definition]:
        supervisor = self._engine.supervisor
        return {
            view.name: supervisor.slot(workspace, view.name).definition
            for view in supervisor.views(workspace)
        }

    def _place(self, workspace: str) -> InstallPlace:
        engine = self._engine
        return InstallPlace(
            workspace=workspace,
            folders=BundleFolders(engine.data_dir / "bundles"),
            programs=Programs(sys.executable, engine.which),
            taken={view.name for view in engine.supervisor.views(workspace)},
            describe=describe_nothing,
            home=engine.environ.get("HOME", ""),
        )
