"""`SnapshotVerbs`: startup snapshots, bound to the one who asks."""

from __future__ import annotations

from roost.engine.facade_base import FacadeBase
from roost.engine.settings_changes import SettingsChanges
from roost.models import (
    ActionResult,
    SettingsChange,
    SnapshotDetail,
    SnapshotPolicy,
    SnapshotView,
)


class SnapshotVerbs(FacadeBase):
    """The verbs of `EngineAPI` about startup snapshots."""

    async def snapshots(self, workspace: str | None = None) -> tuple[SnapshotView, ...]:
        if workspace is not None:
            self._check_workspace(workspace)
        slots = self._engine.supervisor.slots
        return await self._engine.snapshots.views(
            tuple(slot for slot in slots if workspace in (None, slot.workspace))
        )

    async def snapshot(self, workspace: str, name: str) -> SnapshotDetail:
        self._engine.supervisor.slot(workspace, name)
        return await self._engine.snapshots.detail(workspace, name)

    async def build_snapshot(self, workspace: str, name: str) -> SnapshotView:
        self._refuse_when_stopping()
        self._engine.supervisor.slot(workspace, name)
        view = await self._engine.whole(self._engine.snapshots.build(workspace, name))
        await self._audit("snapshot.build", workspace, name, str(view.state))
        return view

    async def verify_snapshot(self, workspace: str, name: str) -> SnapshotView:
        self._refuse_when_stopping()
        self._engine.supervisor.slot(workspace, name)
        view = await self._engine.whole(self._engine.snapshots.verify(workspace, name))
        await self._audit("snapshot.verify", workspace, name, str(view.state))
        return view

    async def remove_snapshot(self, workspace: str, name: str) -> ActionResult:
        self._engine.supervisor.slot(workspace, name)
        result = await self._engine.whole(self._engine.snapshots.remove(workspace, name))
        await self._audit("snapshot.remove", workspace, name, result.code)
        return result

    async def set_snapshot_policy(
        self, workspace: str, name: str, policy: SnapshotPolicy
    ) -> SnapshotView:
        self._refuse_when_stopping()
        engine = self._engine
        changes = SettingsChanges(
            engine.supervisor, engine.store.bundles, audit=self._audit, fit_reason=self._fit_reason
        )
        change = SettingsChange(snapshot=policy)
        await engine.whole(changes.change(workspace, name, change))
        await engine.snapshots.follow_policy(workspace, name)
        return (await engine.snapshots.detail(workspace, name)).view
