"""`Facade`: the verbs of `roost.contract.EngineAPI`, bound to the one who asks."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from roost.bundles import displayed
from roost.engine.credential_changes import CredentialChanges
from roost.engine.facade_installs import InstallVerbs
from roost.engine.facade_runs import RunVerbs
from roost.engine.facade_snapshots import SnapshotVerbs
from roost.engine.facade_tasks import TaskVerbs
from roost.engine.impact import check_action, impact_of
from roost.engine.installs import discard_files
from roost.engine.settings_changes import SettingsChanges
from roost.errors import (
    BadInput,
    BundleProtected,
    InvalidName,
)
from roost.models import (
    ActionResult,
    BundleDetail,
    BundleView,
    CredentialForm,
    CredentialOutcome,
    CredentialWrite,
    DaemonView,
    DoctorReport,
    EngineEvent,
    FigureSample,
    Impact,
    RespawnResult,
    SettingsChange,
    SettingsOutcome,
    VaultView,
    WhyReport,
    WorkspaceView,
    is_valid_name,
)

HISTORY_SHOWN = 50
"""Generations and transitions a bundle's detail holds."""

LABEL_LIMIT = 200
"""Characters of a workspace's label, which stands in every snapshot."""

logger = logging.getLogger(__name__)


class Facade(InstallVerbs, RunVerbs, TaskVerbs, SnapshotVerbs):
    """Meets `EngineAPI` inside the daemon.

    Args:
        engine: a started engine.
        actor: who asks, as audit and transitions record it.
        generation_id: whose token the actor has shown, if it is a program of a bundle.
    """

    # Daemon ------------------------------------------------------------------------------------

    async def events(self) -> AsyncIterator[EngineEvent]:
        async with self._engine.bus.subscribe() as subscription:
            async for event in subscription:
                yield event

    async def status(self) -> DaemonView:
        return self._engine.daemon_view()

    async def doctor(self) -> DoctorReport:
        return await self._engine.checkup.report()

    async def shutdown(self) -> None:
        await self._audit("daemon.stop", None, "daemon", "ok")
        self._engine.request_shutdown()

    # Workspaces --------------------------------------------------------------------------------

    async def workspaces(self) -> tuple[WorkspaceView, ...]:
        return tuple(self._engine.workspaces[key] for key in sorted(self._engine.workspaces))

    async def create_workspace(self, workspace: str, label: str | None = None) -> WorkspaceView:
        self._refuse_when_stopping()
        if not is_valid_name(workspace):
            raise InvalidName(workspace)
        shown = displayed(label or "") or workspace
        if len(shown) > LABEL_LIMIT:
            raise BadInput(
                f"the label of {workspace!r} has {len(shown)} characters and may have "
                f"{LABEL_LIMIT}; shorten it"
            )
        view = await self._engine.add_workspace(workspace, shown)
        await self._audit("workspace.create", workspace, workspace, "ok")
        return view

    # Bundles -----------------------------------------------------------------------------------

    async def bundles(self, workspace: str | None = None) -> tuple[BundleView, ...]:
        if workspace is not None:
            self._check_workspace(workspace)
        return self._engine.supervisor.views(workspace)

    async def bundle(self, workspace: str, name: str) -> BundleDetail:
        slot = self._engine.supervisor.slot(workspace, name)
        store = self._engine.store
        await self._engine.journal.flush()
        return BundleDetail(
            view=slot.view(),
            definition=slot.definition,
            argv=slot.argv,
            env_names=slot.env_names,
            generations=await store.generations.history(workspace, name, HISTORY_SHOWN),
            transitions=await store.transitions.newest(workspace, name, HISTORY_SHOWN),
        )

    async def remove(
        self, workspace: str, name: str, *, delete_data: bool = False, reason: str | None = None
    ) -> ActionResult:
        return await self._engine.whole(self._remove(workspace, name, delete_data, reason))

    async def _remove(
        self, workspace: str, name: str, delete_data: bool, reason: str | None
    ) -> ActionResult:
        engine = self._engine
        reason = await self._fit_reason(workspace, name, reason)
        try:
            await engine.supervisor.remove(workspace, name, actor=self._actor, reason=reason)
        except BundleProtected as refusal:
            await self._audit("bundle.remove", workspace, name, refusal.code)
            raise
        kept = "its logs, runs and files are kept"
        if delete_data:  # while the row stands no other bundle of this name owns these places
            await asyncio.to_thread(_remove_tree, engine.recipes.state_dir(workspace, name))
            engine.logs.remove(workspace, name)
            kept = "its logs and files are deleted, its runs are kept"
        async with engine.supervisor.forgetting(workspace, name):
            versions = await engine.store.bundles.versions(workspace, name)
            await engine.store.bundles.remove(workspace, name)
            await engine.forget_bundle(workspace, name)
        await engine.snapshots.forget(workspace, name)
        for version in versions:
            await discard_files(self._engine, version.definition)
        await self._audit("bundle.remove", workspace, name, "ok", reason or "")
        return ActionResult(True, f"{workspace}/{name} is removed with its credentials; {kept}")

    async def start(self, workspace: str, name: str) -> ActionResult:
        self._refuse_when_stopping()
        return await self._engine.whole(self._start(workspace, name))

    async def _start(self, workspace: str, name: str) -> ActionResult:
        result = await self._engine.supervisor.start(workspace, name, actor=self._actor)
        await self._audit("bundle.start", workspace, name, result.code)
        return result

    async def stop(self, workspace: str, name: str, *, reason: str | None = None) -> ActionResult:
        return await self._engine.whole(self._stop(workspace, name, reason))

    async def _stop(self, workspace: str, name: str, reason: str | None) -> ActionResult:
        reason = await self._fit_reason(workspace, name, reason)
        try:
            result = await self._engine.supervisor.stop(
                workspace, name, actor=self._actor, reason=reason
            )
        except BundleProtected as refusal:
            await self._audit("bundle.stop", workspace, name, refusal.code)
            raise
        await self._audit("bundle.stop", workspace, name, result.code, reason or "")
        return result

    async def respawn(
        self, workspace: str, name: str, *, reason: str | None = None
    ) -> RespawnResult:
        self._refuse_when_stopping()
        return await self._engine.whole(self._respawn(workspace, name, reason))

    async def _respawn(self, workspace: str, name: str, reason: str | None) -> RespawnResult:
        reason = await self._fit_reason(workspace, name, reason)
        result = await self._engine.supervisor.respawn(
            workspace, name, cause="operator", actor=self._actor, reason=reason
        )
        await self._audit("bundle.respawn", workspace, name, result.code, reason or "")
        return result

    async def impact(self, workspace: str, name: str, *, action: str = "bundle.stop") -> Impact:
        supervisor = self._engine.supervisor
        slot = supervisor.slot(workspace, name)
        check_action(action)
        run_ids = self._engine.recorder.active_ids(workspace, name)
        return await impact_of(slot, supervisor.slots, run_ids, action)

    async def figures_history(self, workspace: str, name: str) -> tuple[FigureSample, ...]:
        return self._engine.measurer.history(self._engine.supervisor.slot(workspace, name))

    async def why(self, workspace: str, name: str) -> WhyReport:
        # Loaded when it is asked for: few daemons ever are.
        from roost.engine.why import OrderedCheck

        engine = self._engine
        check = OrderedCheck(
            recipes=engine.recipes,
            credentials=engine.vault,
            logs=engine.logs,
            last_move=engine.journal.last_of,
            clock=engine.clock,
        )
        slot = engine.supervisor.slot(workspace, name)
        return await check.run(slot, is_closing=engine.is_stopping)

    async def change_settings(
        self, workspace: str, name: str, change: SettingsChange
    ) -> SettingsOutcome:
        self._refuse_when_stopping()
        engine = self._engine
        changes = SettingsChanges(
            engine.supervisor,
            engine.store.bundles,
            audit=self._audit,
            fit_reason=self._fit_reason,
        )
        outcome = await engine.whole(changes.change(workspace, name, change))
        if "snapshot" in outcome.changed:
            await engine.snapshots.follow_policy(workspace, name)
        return outcome

    # Credentials -------------------------------------------------------------------------------

    async def credential_form(self, workspace: str, name: str) -> CredentialForm:
        slot = self._engine.supervisor.slot(workspace, name)
        return await self._engine.vault.form(workspace, name, slot.definition.fields)

    async def write_credentials(
        self, workspace: str, name: str, write: CredentialWrite
    ) -> CredentialOutcome:
        self._refuse_when_stopping()
        return await self._engine.whole(self._credentials.write(workspace, name, write))

    async def restore_credentials(
        self, workspace: str, name: str, *, reason: str | None = None
    ) -> CredentialOutcome:
        self._refuse_when_stopping()
        return await self._engine.whole(self._credentials.restore(workspace, name, reason))

    @property
    def _credentials(self) -> CredentialChanges:
        return CredentialChanges(
            self._engine.supervisor,
            self._engine.vault,
            actor=self._actor,
            audit=self._audit,
            fit_reason=self._fit_reason,
        )

    async def vault(self) -> VaultView:
        return await self._engine.vault_keys.view()

    async def rotate_vault_key(self) -> VaultView:
        self._refuse_when_stopping()
        return await self._engine.whole(self._rotate())

    async def _rotate(self) -> VaultView:
        view = await self._engine.vault_keys.rotate()
        await self._audit("vault.rotate", None, "vault", "ok", view.key_id)
        return view


def _remove_tree(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
