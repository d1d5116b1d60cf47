"""`InstallVerbs`: installs, versions and imports, bound to the one who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.engine.facade_base import FacadeBase
from roost.engine.installs import Installs
from roost.engine.upgrades import Upgrades
from roost.models import (
    BundleView,
    ImportOutcome,
    ImportPlan,
    ImportRequest,
    ImportScan,
    InstalledVersion,
    InstallPlan,
    InstallRequest,
    UpgradeOutcome,
    UpgradeRequest,
)

if TYPE_CHECKING:
    from roost.engine.imports import Imports


class InstallVerbs(FacadeBase):
    """The verbs of `EngineAPI` about installs, versions and imports."""

    async def plan_install(self, workspace: str, request: InstallRequest) -> InstallPlan:
        self._refuse_when_stopping()
        self._check_may_install(workspace)
        return await self._installs.plan(workspace, request)

    async def install(self, workspace: str, request: InstallRequest) -> BundleView:
        self._refuse_when_stopping()
        self._check_may_install(workspace)
        return await self._installs.install(workspace, request)

    @property
    def _installs(self) -> Installs:
        return Installs(self._engine, actor=self._actor, audit=self._audit)

    async def versions(self, workspace: str, name: str) -> tuple[InstalledVersion, ...]:
        return await self._upgrades.versions(workspace, name)

    async def upgrade(self, workspace: str, name: str, request: UpgradeRequest) -> UpgradeOutcome:
        self._refuse_when_stopping()
        return await self._upgrades.upgrade(workspace, name, request)

    async def rollback(
        self, workspace: str, name: str, *, number: int | None = None, reason: str | None = None
    ) -> UpgradeOutcome:
        self._refuse_when_stopping()
        return await self._upgrades.rollback(workspace, name, number, reason)

    async def pin(self, workspace: str, name: str, *, reason: str | None = None) -> UpgradeOutcome:
        self._refuse_when_stopping()
        return await self._upgrades.pin(workspace, name, reason)

    @property
    def _upgrades(self) -> Upgrades:
        return Upgrades(
            self._engine,
            self._installs,
            actor=self._actor,
            audit=self._audit,
            fit_reason=self._fit_reason,
        )

    async def plan_import(self, workspace: str, scan: ImportScan) -> ImportPlan:
        self._refuse_when_stopping()
        self._check_may_install(workspace)
        return await self._imports.plan(workspace, scan)

    async def import_bundles(self, workspace: str, request: ImportRequest) -> ImportOutcome:
        self._refuse_when_stopping()
        self._check_may_install(workspace)
        return await self._imports.carry_out(workspace, request)

    @property
    def _imports(self) -> Imports:
        # Loaded when it is asked for: few daemons ever are.
        from roost.engine.imports import Imports

        return Imports(self._engine, self._installs, audit=self._audit)
