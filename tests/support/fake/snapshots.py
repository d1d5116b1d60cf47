"""Snapshots of the fake: built at once, unless the test says how a build goes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.support.fake.controls import FakeControls
from tests.support.fake.settings import change_settings

from roost.errors import Refused, SnapshotMissing
from roost.models import (
    ActionResult,
    Reason,
    Runtime,
    SettingsChange,
    SnapshotBackend,
    SnapshotChanged,
    SnapshotDetail,
    SnapshotPart,
    SnapshotPhase,
    SnapshotPolicy,
    SnapshotState,
    SnapshotView,
    StartTimes,
)

NOT_PYTHON = Reason(
    "not_eligible", "it is no Python program; its starts are cold, and that is no fault"
)


class FakeSnapshots(FakeControls):
    """Builds, verifies and removes snapshots."""

    def put_snapshot(self, workspace: str, name: str, **changes: Any) -> None:
        """Change a bundle's snapshot and tell the viewers."""
        view = self._view_of(workspace, name)
        self.world.snapshots[workspace, name] = replace(view, **changes)
        self.world.publish(SnapshotChanged(workspace, name))

    def put_snapshot_detail(self, workspace: str, name: str, **changes: Any) -> None:
        """Say what the page of a snapshot shows besides its row."""
        self.world.snapshot_details[workspace, name] = changes

    def hold_builds(self) -> None:
        """Let builds wait in their first phase until `release_builds`."""
        self.switches.build_gate.clear()

    def release_builds(self, **end: Any) -> None:
        """Let builds go on.

        Args:
            end: what the views end as, where the builds do not make a snapshot.
        """
        self.switches.build_end = end
        self.switches.build_gate.set()

    async def snapshots(self, workspace: str | None = None) -> tuple[SnapshotView, ...]:
        self._begin("snapshots", workspace=workspace)
        if workspace is not None:
            self.world.require_workspace(workspace)
        return tuple(
            self._view_of(*key) for key in sorted(self.world.bundles) if workspace in (None, key[0])
        )

    async def snapshot(self, workspace: str, name: str) -> SnapshotDetail:
        self._begin("snapshot", workspace=workspace, name=name)
        bundle = self.world.require_bundle(workspace, name)
        view = self._view_of(workspace, name)
        detail = SnapshotDetail(view, allowed=bundle.definition.settings.snapshot_allow)
        if view.state is not None:
            detail = replace(
                detail,
                entry="module server",
                interpreter="/usr/bin/python3.11",
                key="5f" * 32,
                parts=(SnapshotPart("sources", "12 files of /srv/app"),),
            )
        return replace(detail, **self.world.snapshot_details.get((workspace, name), {}))

    async def build_snapshot(self, workspace: str, name: str) -> SnapshotView:
        self._begin("build_snapshot", workspace=workspace, name=name)
        self._refuse_when_stopping()
        self.world.require_bundle(workspace, name)
        view = self._view_of(workspace, name)
        if not view.is_eligible:
            raise Refused(f"no snapshot can be made of {name!r}: {NOT_PYTHON.sentence}")
        for phase in SnapshotPhase:
            self.put_snapshot(workspace, name, state=SnapshotState.BUILDING, phase=phase)
            await self.switches.build_gate.wait()
        if self.switches.build_end:
            self.put_snapshot(workspace, name, **self.switches.build_end)
            return self._view_of(workspace, name)
        self.put_snapshot(
            workspace,
            name,
            state=SnapshotState.READY,
            phase=None,
            backend=SnapshotBackend.ZYGOTE,
            reason=None,
            is_warm=True,
            built_at=self.clock.now(),
            build_ms=2400,
            modules=653,
            cold=StartTimes(10, 555, 824),
            restored=StartTimes(10, 26, 32),
            template_bytes=57_000_000,
        )
        return self._view_of(workspace, name)

    async def verify_snapshot(self, workspace: str, name: str) -> SnapshotView:
        self._begin("verify_snapshot", workspace=workspace, name=name)
        self.world.require_bundle(workspace, name)
        view = self._view_of(workspace, name)
        if view.state is None:
            raise SnapshotMissing(name)
        return view

    async def remove_snapshot(self, workspace: str, name: str) -> ActionResult:
        self._begin("remove_snapshot", workspace=workspace, name=name)
        self.world.require_bundle(workspace, name)
        found = self.world.snapshots.pop((workspace, name), None)
        if found is None or found.state is None:
            return ActionResult(True, f"{name} has no snapshot", "no_snapshot")
        self.world.publish(SnapshotChanged(workspace, name))
        return ActionResult(True, f"the snapshot of {name} is removed")

    async def set_snapshot_policy(
        self, workspace: str, name: str, policy: SnapshotPolicy
    ) -> SnapshotView:
        self._begin("set_snapshot_policy", workspace=workspace, name=name, policy=policy)
        bundle = self.world.require_bundle(workspace, name)
        change_settings(self.world, bundle, SettingsChange(snapshot=policy))
        self.put_snapshot(workspace, name, policy=policy)
        return self._view_of(workspace, name)

    def _view_of(self, workspace: str, name: str) -> SnapshotView:
        known = self.world.snapshots.get((workspace, name))
        if known is not None:
            return known
        bundle = self.world.bundles[workspace, name]
        runtime, policy = bundle.view.runtime, bundle.definition.settings.snapshot
        is_eligible = runtime in (Runtime.PYTHON, Runtime.UV)
        reason = None if is_eligible else NOT_PYTHON
        return SnapshotView(workspace, name, policy, is_eligible=is_eligible, reason=reason)
