"""`Facade`: the verbs of `roost.contract.EngineAPI`, bound to the one who asks."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from roost.bundles import (
    AppDescription,
    BundleFolders,
    InstalledBundle,
    check_after,
    check_strategy,
    displayed,
    read_bundle,
)
from roost.engine.app_reader import AppReader
from roost.engine.credential_changes import CredentialChanges
from roost.engine.impact import check_action, impact_of
from roost.engine.settings_changes import SettingsChanges, order_of
from roost.engine.why import OrderedCheck
from roost.errors import (
    BadInput,
    BundleProtected,
    InvalidName,
    RoostError,
    ShuttingDown,
    WorkspaceNotFound,
)
from roost.models import (
    ActionResult,
    AuditEntry,
    BundleDetail,
    BundleRow,
    BundleView,
    CallRequest,
    CredentialForm,
    CredentialOutcome,
    CredentialWrite,
    DaemonView,
    Definition,
    DoctorReport,
    EngineEvent,
    FigureSample,
    Impact,
    InstallRequest,
    LogPage,
    RespawnResult,
    RunDetail,
    RunEvent,
    RunQuery,
    RunView,
    SettingsChange,
    SettingsOutcome,
    StopOutcome,
    ToolView,
    WhyReport,
    WorkspaceView,
    is_valid_name,
)
from roost.vault import Scrubber

if TYPE_CHECKING:
    from roost.engine.engine import Engine

HISTORY_SHOWN = 50
"""Generations and transitions a bundle's detail holds."""

LABEL_LIMIT = 200
"""Characters of a workspace's label, which stands in every snapshot."""

REASON_LIMIT = 500
"""Characters kept of a reason, which stands in every view of what it explains."""

UNSCRUBBED = "[not kept: it could not be scrubbed]"

logger = logging.getLogger(__name__)


class Facade:
    """Meets `EngineAPI` inside the daemon.

    Args:
        engine: a started engine.
        actor: who asks, as audit and transitions record it.
    """

    def __init__(self, engine: Engine, actor: str) -> None:
        self._engine = engine
        self._actor = actor

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

    def _check_workspace(self, workspace: str) -> None:
        if workspace not in self._engine.workspaces:
            raise WorkspaceNotFound(workspace)

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

    async def install(self, workspace: str, request: InstallRequest) -> BundleView:
        self._refuse_when_stopping()
        self._check_workspace(workspace)
        installed = await asyncio.to_thread(
            read_bundle,
            request,
            workspace=workspace,
            bundles_dir=self._engine.data_dir / "bundles",
            python=sys.executable,
            which=self._engine.which,
            taken={view.name for view in self._engine.supervisor.views(workspace)},
            describe=self._app_describer(workspace, request),
        )
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
            await self._discard_files(installed.definition)
            raise
        slot = await self._engine.supervisor.load(row)
        await self._audit("bundle.add", workspace, row.name, "ok", row.definition.source.origin)
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
        self._refuse_when_stopping()  # unpacking may have taken a while
        engine = self._engine
        row = BundleRow(
            workspace=workspace,
            name=installed.name,
            definition=installed.definition,
            should_run=request.start,
            installed_at=engine.clock.now(),
        )
        fields, values = installed.definition.fields, installed.values
        sealed = engine.vault.first_rows(workspace, row.name, fields, values, self._actor)
        await engine.store.bundles.add(row, sealed)
        return row

    async def _discard_files(self, definition: Definition) -> None:
        if definition.root is not None:
            folders = BundleFolders(self._engine.data_dir / "bundles")
            await asyncio.to_thread(folders.discard, Path(definition.root))

    async def remove(
        self, workspace: str, name: str, *, delete_data: bool = False, reason: str | None = None
    ) -> ActionResult:
        return await self._engine.whole(self._remove(workspace, name, delete_data, reason))

    async def _remove(
        self, workspace: str, name: str, delete_data: bool, reason: str | None
    ) -> ActionResult:
        engine = self._engine
        reason = await self._fit_reason(workspace, name, reason)
        definition = engine.supervisor.slot(workspace, name).definition
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
            await engine.store.bundles.remove(workspace, name)
        await self._discard_files(definition)
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
        return await engine.whole(changes.change(workspace, name, change))

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

    # Tools and runs ----------------------------------------------------------------------------

    async def tools(self, workspace: str, name: str) -> tuple[ToolView, ...]:
        return self._engine.supervisor.tools(workspace, name)

    async def call_tool(self, workspace: str, name: str, request: CallRequest) -> RunView:
        self._refuse_when_stopping()
        self._engine.supervisor.slot(workspace, name)
        run = await self._engine.calls.begin(workspace, name, request, actor=self._actor)
        await self._audit("bundle.call", workspace, f"{name}.{request.tool}", "ok", run.id)
        return run

    async def runs(self, query: RunQuery) -> tuple[RunView, ...]:
        if query.workspace is not None:
            self._check_workspace(query.workspace)
        return await self._engine.store.runs.list(query)

    async def run(self, workspace: str, run_id: str) -> RunDetail:
        return await self._engine.recorder.detail(workspace, run_id)

    def run_events(self, workspace: str, run_id: str, *, after: int = 0) -> AsyncIterator[RunEvent]:
        return self._engine.recorder.events(workspace, run_id, after=after)

    async def stop_run(self, workspace: str, run_id: str) -> StopOutcome:
        outcome = await self._engine.calls.stop(workspace, run_id, by=self._actor)
        await self._audit("run.stop", workspace, run_id, "ok" if outcome.stopped else "settled")
        return outcome

    # Logs --------------------------------------------------------------------------------------

    async def log_page(
        self,
        workspace: str,
        name: str,
        *,
        generation: int | None = None,
        before: int | None = None,
        after: int | None = None,
        limit: int = 500,
    ) -> LogPage:
        self._engine.supervisor.slot(workspace, name)
        return await asyncio.to_thread(
            self._engine.logs.page,
            workspace,
            name,
            generation=generation,
            before=before,
            after=after,
            limit=limit,
        )

    async def follow_log(
        self, workspace: str, name: str, *, tail: int = 200
    ) -> AsyncIterator[LogPage]:
        self._engine.supervisor.slot(workspace, name)
        async for page in self._engine.logs.follow(workspace, name, tail=tail):
            yield page

    # Inside ------------------------------------------------------------------------------------

    async def _fit_reason(self, workspace: str, name: str, reason: str | None) -> str | None:
        """Return a reason fit to be kept: one line, bounded, without the bundle's secrets.

        One that says nothing is none. A missing bundle has no secrets; its caller hears of it.
        """
        if reason is None or not displayed(reason):
            return None
        found = {view.name for view in self._engine.supervisor.views(workspace)}
        if name in found:
            fields = self._engine.supervisor.slot(workspace, name).definition.fields
            try:
                known = await self._engine.vault.resolve(workspace, name, fields)
            except RoostError:
                return UNSCRUBBED
            reason = Scrubber(known.secrets).text(reason)
        shown = displayed(reason)
        return shown if len(shown) <= REASON_LIMIT else shown[: REASON_LIMIT - 1] + "…"

    def _refuse_when_stopping(self) -> None:
        if self._engine.is_stopping:
            raise ShuttingDown

    async def _audit(
        self, action: str, workspace: str | None, target: str, outcome: str, detail: str = ""
    ) -> None:
        entry = AuditEntry(
            self._engine.clock.now(), self._actor, action, workspace, target, outcome, detail
        )
        try:
            await self._engine.store.audit.add(entry)
        except RoostError:
            logger.exception("an audit entry was not written: %s on %s", action, target)


def _remove_tree(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
