"""`Facade`: the verbs of `roost.contract.EngineAPI`, bound to the one who asks."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from roost.bundles import BundleFolders, InstalledBundle, displayed, read_bundle
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
    BundleKind,
    BundleRow,
    BundleView,
    CallRequest,
    CredentialForm,
    CredentialOutcome,
    CredentialWrite,
    DaemonView,
    Definition,
    EngineEvent,
    Impact,
    InstallRequest,
    LogPage,
    RespawnResult,
    RunDetail,
    RunEvent,
    RunQuery,
    RunView,
    StopOutcome,
    ToolView,
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
        )
        try:
            row = await self._keep(workspace, installed, request)
        except BaseException:
            await self._discard_files(installed.definition)
            raise
        slot = await self._engine.supervisor.load(row)
        await self._audit("bundle.add", workspace, row.name, "ok", row.definition.source.origin)
        if request.start:
            self._engine.supervisor.begin_start(slot, actor=self._actor)
        return slot.view()

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
        await engine.supervisor.remove(workspace, name, actor=self._actor, reason=reason)
        kept = "its logs, runs and files are kept"
        if delete_data:  # while the row stands no other bundle of this name owns these places
            await asyncio.to_thread(_remove_tree, engine.recipes.state_dir(workspace, name))
            engine.logs.remove(workspace, name)
            kept = "its logs and files are deleted, its runs are kept"
        await engine.store.bundles.remove(workspace, name)
        await self._discard_files(definition)
        await self._audit("bundle.remove", workspace, name, "ok", reason or "")
        return ActionResult(True, f"{workspace}/{name} is removed with its credentials; {kept}")

    async def start(self, workspace: str, name: str) -> ActionResult:
        self._refuse_when_stopping()
        result = await self._engine.supervisor.start(workspace, name, actor=self._actor)
        await self._audit("bundle.start", workspace, name, result.code)
        return result

    async def stop(self, workspace: str, name: str, *, reason: str | None = None) -> ActionResult:
        reason = await self._fit_reason(workspace, name, reason)
        result = await self._engine.supervisor.stop(
            workspace, name, actor=self._actor, reason=reason
        )
        await self._audit("bundle.stop", workspace, name, result.code, reason or "")
        return result

    async def respawn(
        self, workspace: str, name: str, *, reason: str | None = None
    ) -> RespawnResult:
        self._refuse_when_stopping()
        reason = await self._fit_reason(workspace, name, reason)
        result = await self._engine.supervisor.respawn(
            workspace, name, cause="operator", actor=self._actor, reason=reason
        )
        await self._audit("bundle.respawn", workspace, name, result.code, reason or "")
        return result

    async def impact(self, workspace: str, name: str) -> Impact:
        slot = self._engine.supervisor.slot(workspace, name)
        run_ids = self._engine.recorder.active_ids(workspace, name)
        is_up = slot.incarnation is not None
        is_known = slot.definition.kind is BundleKind.MCP_STDIO or not is_up
        return Impact(
            run_ids=run_ids,
            is_known=is_known,
            protected=slot.definition.settings.protected,
            sentence=_impact_sentence(len(run_ids), is_known),
        )

    # Credentials -------------------------------------------------------------------------------

    async def credential_form(self, workspace: str, name: str) -> CredentialForm:
        slot = self._engine.supervisor.slot(workspace, name)
        return await self._engine.vault.form(workspace, name, slot.definition.fields)

    async def write_credentials(
        self, workspace: str, name: str, write: CredentialWrite
    ) -> CredentialOutcome:
        self._refuse_when_stopping()
        return await self._engine.whole(self._write_credentials(workspace, name, write))

    async def _write_credentials(
        self, workspace: str, name: str, write: CredentialWrite
    ) -> CredentialOutcome:
        slot = self._engine.supervisor.slot(workspace, name)
        fields = slot.definition.fields
        sensitive = {field.key for field in fields if field.sensitive}
        clears_sensitive = not sensitive.isdisjoint(write.clear)
        has_reason = bool(displayed(write.reason or ""))
        if clears_sensitive and slot.definition.settings.protected and not has_reason:
            raise BundleProtected(name, "clearing a sensitive field of it")
        revision, changed = await self._engine.vault.write(
            workspace, name, fields, write, self._actor
        )
        if not changed and not slot.restart_pending and "credentials" not in slot.stale_in():
            sentence = f"no field was changed; revision {revision} stands"
            return CredentialOutcome(revision, (), sentence, None)
        sentence = f"saved {', '.join(changed) or 'nothing new'} as revision {revision}"
        # Only now, so that a value that was just written is taken out of it too.
        reason = await self._fit_reason(workspace, name, write.reason)
        return await self._apply(
            workspace, name, revision, changed, sentence, clears_sensitive, reason
        )

    async def restore_credentials(self, workspace: str, name: str) -> CredentialOutcome:
        self._refuse_when_stopping()
        return await self._engine.whole(self._restore_credentials(workspace, name))

    async def _restore_credentials(self, workspace: str, name: str) -> CredentialOutcome:
        slot = self._engine.supervisor.slot(workspace, name)
        before = await self._engine.vault.form(workspace, name, slot.definition.fields)
        revision, changed = await self._engine.vault.restore(
            workspace, name, slot.definition.fields, self._actor
        )
        after = await self._engine.vault.form(workspace, name, slot.definition.fields)
        was_set = {entry.field.key for entry in before.fields if entry.is_set}
        clears_sensitive = any(
            entry.field.sensitive and not entry.is_set and entry.field.key in was_set
            for entry in after.fields
        )
        sentence = f"restored the previous values as revision {revision}"
        return await self._apply(
            workspace, name, revision, changed, sentence, clears_sensitive, None
        )

    async def _apply(
        self,
        workspace: str,
        name: str,
        revision: int,
        changed: tuple[str, ...],
        sentence: str,
        must_end_holder: bool,
        reason: str | None,
    ) -> CredentialOutcome:
        respawn = await self._engine.supervisor.credentials_changed(
            workspace,
            name,
            revision=revision,
            actor=self._actor,
            must_end_holder=must_end_holder,
            reason=reason,
        )
        outcome = "ok" if respawn is None else respawn.code
        detail = f"revision {revision}: {', '.join(changed)}"
        await self._audit("bundle.credentials", workspace, name, outcome, detail)
        return CredentialOutcome(revision, changed, sentence, respawn)

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


def _impact_sentence(runs: int, is_known: bool) -> str:
    if runs:
        return f"cuts {runs} run{'s' if runs > 1 else ''}"
    return "" if is_known else "what it is doing cannot be seen from here"


def _remove_tree(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
