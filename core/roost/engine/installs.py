"""`Installs`: what a client asks to install is reviewed, read, and becomes a bundle of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from roost.bundles import (
    AppDescription,
    BundleFolders,
    InstalledBundle,
    check_after,
    check_strategy,
    needs_lookup,
    plan_bundle,
    read_bundle,
)
from roost.engine.app_reader import AppReader
from roost.engine.credential_changes import Audit
from roost.engine.package_finder import PackageFinder
from roost.engine.settings_changes import order_of
from roost.errors import AlreadyExists, ShuttingDown
from roost.models import (
    BundleRow,
    BundleView,
    Definition,
    InstallPlan,
    InstallRequest,
    LaunchContext,
    PlanNote,
)

if TYPE_CHECKING:
    from roost.engine.engine import Engine


class Installs:
    """Installs bundles on behalf of one actor."""

    def __init__(self, engine: Engine, *, actor: str, audit: Audit) -> None:
        self._engine = engine
        self._actor = actor
        self._audit = audit

    async def plan(self, workspace: str, request: InstallRequest) -> InstallPlan:
        """Say what an install would do; nothing is fetched or run, and nothing stays written."""
        engine = self._engine
        plan = await asyncio.to_thread(
            plan_bundle,
            request,
            workspace=workspace,
            bundles_dir=engine.data_dir / "bundles",
            context=partial(self._facts, workspace),
            python=sys.executable,
            which=engine.which,
            taken=self._taken(workspace) - {request.name},
        )
        if request.name in self._taken(workspace):
            plan = replace(plan, notes=(_name_taken(plan.name), *plan.notes))
        check_strategy(plan.name, plan.definition)
        check_after(plan.name, request.after, order_of(engine.supervisor, workspace))
        return plan

    def _facts(self, workspace: str, name: str) -> LaunchContext:
        return self._engine.recipes.context(workspace, name, prepared_dir=None, port=None)

    def _taken(self, workspace: str) -> set[str]:
        return {view.name for view in self._engine.supervisor.views(workspace)}

    async def install(self, workspace: str, request: InstallRequest) -> BundleView:
        """Read what is to be installed and add it."""
        installed = await self.read(workspace, request)
        return await self._engine.whole(self._add(workspace, installed, request))

    async def read(
        self, workspace: str, request: InstallRequest, *, instead_of: str | None = None
    ) -> InstalledBundle:
        """Read a request, unpack what it names, and look up the version of a package.

        Args:
            instead_of: the bundle that an upgrade is for, whose name is not taken.
        """
        installed = await asyncio.to_thread(
            read_bundle,
            request,
            workspace=workspace,
            bundles_dir=self._engine.data_dir / "bundles",
            python=sys.executable,
            which=self._engine.which,
            taken=self._taken(workspace) - {instead_of},
            describe=self._app_describer(workspace, request),
        )
        if not request.resolve and not needs_lookup(installed.definition):
            return installed
        try:
            definition = await PackageFinder(self._engine).pinned(installed.definition)
        except BaseException:
            await discard_files(self._engine, installed.definition)
            raise
        return replace(installed, definition=definition)

    async def add(
        self, workspace: str, installed: InstalledBundle, request: InstallRequest
    ) -> BundleView:
        """Add what was read, whole."""
        return await self._engine.whole(self._add(workspace, installed, request))

    async def _add(
        self, workspace: str, installed: InstalledBundle, request: InstallRequest
    ) -> BundleView:
        try:
            check_strategy(installed.name, installed.definition)
            known = order_of(self._engine.supervisor, workspace)
            check_after(installed.name, installed.definition.after, known)
            row = await self._keep(workspace, installed, request)
        except BaseException:
            await discard_files(self._engine, installed.definition)
            raise
        slot = await self._engine.supervisor.load(row)
        origin = row.definition.source.origin
        await self._audit("bundle.add", workspace, row.name, "ok", origin)
        if request.start:
            self._engine.supervisor.begin_start(slot, actor=self._actor)
        return slot.view()

    def _app_describer(
        self, workspace: str, request: InstallRequest
    ) -> Callable[[tuple[str, ...]], AppDescription]:
        """Return what loads an app for the thread that reads the request."""
        engine, loop = self._engine, asyncio.get_running_loop()
        apps = AppReader(engine.driver, engine.store.data_id, engine.recipes.base_env)

        def describe(command: tuple[str, ...]) -> AppDescription:
            described = apps.describe(command, workspace=workspace, directory=str(request.path))
            return asyncio.run_coroutine_threadsafe(described, loop).result()

        return describe

    async def _keep(
        self, workspace: str, installed: InstalledBundle, request: InstallRequest
    ) -> BundleRow:
        """Write the row and the values that came with it, both or none."""
        engine = self._engine
        if engine.is_stopping:  # unpacking may have taken a while
            raise ShuttingDown
        row = BundleRow(
            workspace=workspace,
            name=installed.name,
            definition=installed.definition,
            should_run=request.start,
            installed_at=engine.clock.now(),
        )
        fields, values = installed.definition.fields, installed.values
        sealed = engine.vault.first_rows(workspace, row.name, fields, values, self._actor)
        await self._make_first_workspace(workspace)
        await engine.store.bundles.add(row, sealed, by=self._actor)
        return row

    async def _make_first_workspace(self, workspace: str) -> None:
        if workspace in self._engine.workspaces:
            return
        with suppress(AlreadyExists):  # another first install was quicker
            await self._engine.add_workspace(workspace, workspace)
            await self._audit("workspace.create", workspace, workspace, "ok", "")


def _name_taken(name: str) -> PlanNote:
    return PlanNote(
        "name_taken",
        f"There is a bundle {name!r} already: take another name, or give this to `roost upgrade`.",
    )


async def discard_files(engine: Engine, definition: Definition) -> None:
    """Remove the unpacked files of a definition, where it has any."""
    if definition.root is not None:
        folders = BundleFolders(engine.data_dir / "bundles")
        await asyncio.to_thread(folders.discard, Path(definition.root))
