"""`FakeEngine`: an `EngineAPI` in memory with realistic semantics, and a source for the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from tests.support.fake.clock import FakeClock
from tests.support.fake.controls import FakeControls
from tests.support.fake.forms import cleared_fields, write_problems
from tests.support.fake.impacts import impact_on
from tests.support.fake.imports import FakeImports
from tests.support.fake.outside import FakeOutside
from tests.support.fake.pages import log_page, page_behind
from tests.support.fake.schedules import FakeSchedules
from tests.support.fake.settings import change_settings
from tests.support.fake.snapshots import FakeSnapshots
from tests.support.fake.switches import Switches
from tests.support.fake.vault import FakeVault
from tests.support.fake.why import report_of
from tests.support.fake.world import FakeBundle, FakeWorld

from roost.errors import (
    AlreadyExists,
    BadFields,
    InvalidName,
    LogNotFound,
    Refused,
)
from roost.events import EventBus
from roost.models import (
    ActionResult,
    BundleDetail,
    BundleView,
    Change,
    Closing,
    ConfigField,
    CredentialField,
    CredentialForm,
    CredentialOutcome,
    CredentialWrite,
    DaemonChanged,
    DaemonView,
    DoctorReport,
    EngineEvent,
    FieldValue,
    FigureSample,
    Impact,
    LogPage,
    RespawnResult,
    SettingsChange,
    SettingsOutcome,
    SlotState,
    ToolView,
    WhyReport,
    WorkspaceView,
    is_valid_name,
)

T = TypeVar("T")


class FakeEngine(FakeImports, FakeVault, FakeSchedules, FakeOutside, FakeSnapshots):
    """Implements `EngineAPI` in memory on the real event bus, and is an API source too.

    Args:
        clock: time for stamps; a fixed one by default.
        workspaces: ids that exist from the start.
        actor: who the calls are made by.
        queue_limit: changes a reader may be behind before it is given a fresh snapshot.
    """

    def __init__(
        self,
        *,
        clock: FakeClock | None = None,
        workspaces: tuple[str, ...] = ("default",),
        actor: str = "ops",
        start_id: str = "fake",
        queue_limit: int = 2000,
    ) -> None:
        world = FakeWorld(clock or FakeClock(), start_id, queue_limit=queue_limit)
        super().__init__(world, Switches(), actor)
        for workspace in workspaces:
            self.add_workspace(workspace)

    # An API source

    @property
    def bus(self) -> EventBus:
        return self.world.bus

    def facade(self, actor: str, generation_id: str | None = None) -> FakeEngine:
        """Return the same fake as another caller sees it."""
        other = FakeEngine.__new__(FakeEngine)
        FakeControls.__init__(other, self.world, self.switches, actor, generation_id)
        return other

    # Streams

    async def events(self) -> AsyncIterator[EngineEvent]:
        self._begin("events")
        async with self.bus.subscribe() as subscription:
            while True:
                event = await self._unless_gone(subscription.next())
                yield event
                if isinstance(event, Change) and isinstance(event.body, Closing):
                    return

    async def follow_log(
        self, workspace: str, name: str, *, tail: int = 200
    ) -> AsyncIterator[LogPage]:
        self._begin("follow_log", workspace=workspace, name=name, tail=tail)
        bundle = self.world.require_bundle(workspace, name)
        number, position = max(bundle.logs, default=0), 0
        if number:
            page = log_page(bundle.logs, number, limit=tail)
            position = page.end_offset
            yield page
        while not self.world.is_closed:
            newer = page_behind(bundle.logs, number, position)
            if newer is None:
                await self.world.wait_for_change()
                continue
            number, position = newer.generation, newer.end_offset
            yield newer

    # Daemon and workspaces

    async def status(self) -> DaemonView:
        self._begin("status")
        return self.world.daemon_view()

    async def doctor(self) -> DoctorReport:
        self._begin("doctor")
        return DoctorReport(self.world.findings, self.clock.now())

    async def shutdown(self) -> None:
        self._begin("shutdown")
        if self.world.daemon.is_stopping:
            return
        self.world.daemon = replace(self.world.daemon, is_stopping=True)
        self.world.publish(DaemonChanged(self.world.daemon_view()))
        asyncio.get_running_loop().call_soon(self.close, "the daemon was asked to stop")

    async def workspaces(self) -> tuple[WorkspaceView, ...]:
        self._begin("workspaces")
        return tuple(self.world.workspaces[key] for key in sorted(self.world.workspaces))

    async def create_workspace(self, workspace: str, label: str | None = None) -> WorkspaceView:
        self._begin("create_workspace", workspace=workspace, label=label)
        self._refuse_when_stopping()
        if not is_valid_name(workspace):
            raise InvalidName(workspace)
        if workspace in self.world.workspaces:
            raise AlreadyExists("workspace", workspace)
        return self.add_workspace(workspace, label)

    # Bundles

    async def bundles(self, workspace: str | None = None) -> tuple[BundleView, ...]:
        self._begin("bundles", workspace=workspace)
        if workspace is not None:
            self.world.require_workspace(workspace)
        return tuple(
            bundle.view
            for key, bundle in sorted(self.world.bundles.items())
            if workspace in (None, key[0])
        )

    async def bundle(self, workspace: str, name: str) -> BundleDetail:
        self._begin("bundle", workspace=workspace, name=name)
        bundle = self.world.require_bundle(workspace, name)
        definition = bundle.definition
        return BundleDetail(
            view=bundle.view,
            definition=definition,
            argv=(definition.command, *definition.args),
            env_names=tuple(sorted(definition.env)),
            generations=tuple(bundle.generations),
            transitions=tuple(bundle.transitions),
        )

    async def remove(
        self, workspace: str, name: str, *, delete_data: bool = False, reason: str | None = None
    ) -> ActionResult:
        self._begin(
            "remove", workspace=workspace, name=name, delete_data=delete_data, reason=reason
        )
        bundle = self.world.require_bundle(workspace, name)
        self._refuse_protected(bundle, "removal", reason)
        self._slots.stop(bundle)
        self.world.remove_bundle(bundle)
        return ActionResult(True, f"{name} was removed")

    async def start(self, workspace: str, name: str) -> ActionResult:
        self._begin("start", workspace=workspace, name=name)
        self._refuse_when_stopping()
        bundle = self.world.require_bundle(workspace, name)
        if bundle.view.state is SlotState.RUNNING:
            return ActionResult(True, f"{name} is running already", "already_running")
        result = await self._slots.start(bundle, cause="operator")
        return ActionResult(result.ok, result.sentence, result.code)

    async def stop(self, workspace: str, name: str, *, reason: str | None = None) -> ActionResult:
        self._begin("stop", workspace=workspace, name=name, reason=reason)
        bundle = self.world.require_bundle(workspace, name)
        if bundle.view.state is SlotState.STOPPED:
            return ActionResult(True, f"{name} is stopped already", "already_stopped")
        self._refuse_protected(bundle, "a stop", reason)
        self._slots.stop(bundle)
        return ActionResult(True, f"{name} was stopped")

    async def respawn(
        self, workspace: str, name: str, *, reason: str | None = None
    ) -> RespawnResult:
        self._begin("respawn", workspace=workspace, name=name, reason=reason)
        self._refuse_when_stopping()
        bundle = self.world.bundles.get((workspace, name))
        if bundle is None:
            sentence = f"there is no bundle {name!r} in workspace {workspace!r}"
            return RespawnResult(False, workspace, name, sentence, "bundle_not_found")
        if bundle.view.protected and not reason:
            sentence = f"{name} is protected, so a respawn needs a reason"
            return RespawnResult(False, workspace, name, sentence, "protected")
        return await self._slots.respawn(bundle, cause="operator")

    async def impact(self, workspace: str, name: str, *, action: str = "bundle.stop") -> Impact:
        self._begin("impact", workspace=workspace, name=name, action=action)
        bundle = self.world.require_bundle(workspace, name)
        return impact_on(self.world, bundle, action)

    async def figures_history(self, workspace: str, name: str) -> tuple[FigureSample, ...]:
        self._begin("figures_history", workspace=workspace, name=name)
        return tuple(self.world.require_bundle(workspace, name).samples)

    async def why(self, workspace: str, name: str) -> WhyReport:
        self._begin("why", workspace=workspace, name=name)
        bundle = self.world.require_bundle(workspace, name)
        return bundle.why or report_of(bundle, self.clock.now())

    async def change_settings(
        self, workspace: str, name: str, change: SettingsChange
    ) -> SettingsOutcome:
        self._begin("change_settings", workspace=workspace, name=name, change=change)
        self._refuse_when_stopping()
        bundle = self.world.require_bundle(workspace, name)
        return change_settings(self.world, bundle, change)

    # Credentials

    async def credential_form(self, workspace: str, name: str) -> CredentialForm:
        self._begin("credential_form", workspace=workspace, name=name)
        bundle = self.world.require_bundle(workspace, name)
        return CredentialForm(
            workspace,
            name,
            bundle.view.credential_revision,
            tuple(_form_field(bundle, entry) for entry in bundle.fields),
            can_restore=bundle.previous is not None,
        )

    async def write_credentials(
        self, workspace: str, name: str, write: CredentialWrite
    ) -> CredentialOutcome:
        self._begin("write_credentials", workspace=workspace, name=name, write=write)
        self._refuse_when_stopping()
        bundle = self.world.require_bundle(workspace, name)
        if problems := write_problems(bundle.fields, write):
            raise BadFields(name, problems)
        sensitive = {entry.key for entry in bundle.fields if entry.sensitive}
        if sensitive & set(write.clear):
            self._refuse_protected(bundle, "clearing a credential", write.reason)
        values = {key: value for key, value in bundle.values.items() if key not in write.clear}
        return await self._store_values(bundle, values | write.set)

    async def restore_credentials(
        self, workspace: str, name: str, *, reason: str | None = None
    ) -> CredentialOutcome:
        self._begin("restore_credentials", workspace=workspace, name=name, reason=reason)
        self._refuse_when_stopping()
        bundle = self.world.require_bundle(workspace, name)
        if bundle.previous is None:
            raise Refused(f"no previous revision of {name!r} is kept; write the values again")
        if cleared_fields(bundle, bundle.previous):
            self._refuse_protected(bundle, "clearing a credential", reason)
        return await self._store_values(bundle, bundle.previous)

    # Tools

    async def tools(self, workspace: str, name: str) -> tuple[ToolView, ...]:
        self._begin("tools", workspace=workspace, name=name)
        bundle = self._require_running(workspace, name)
        return tuple(bundle.tools.values())

    # Logs

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
        self._begin(
            "log_page",
            workspace=workspace,
            name=name,
            generation=generation,
            before=before,
            after=after,
            limit=limit,
        )
        bundle = self.world.require_bundle(workspace, name)
        newest_first = sorted(bundle.logs, reverse=True)
        if generation is None or generation < 0:
            index = -(generation or 0)
            number = newest_first[index] if index < len(newest_first) else 0
        else:
            number = generation
        if number not in bundle.logs:
            raise LogNotFound(f"no log of that generation of {name!r} is kept; try a newer one")
        return log_page(bundle.logs, number, before=before, after=after, limit=limit)

    # Inside

    async def _unless_gone(self, coroutine: Coroutine[Any, Any, T]) -> T:
        wanted = asyncio.create_task(coroutine)
        gone = asyncio.create_task(self.world.gone.wait())
        try:
            await asyncio.wait({wanted, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not wanted.done():
                self.world.check_connection()
            return await wanted
        finally:
            for task in (wanted, gone):
                task.cancel()
            await asyncio.gather(wanted, gone, return_exceptions=True)

    async def _store_values(
        self, bundle: FakeBundle, values: dict[str, FieldValue]
    ) -> CredentialOutcome:
        view, old, cleared = bundle.view, bundle.values, cleared_fields(bundle, values)
        keys = [entry.key for entry in bundle.fields]
        changed = tuple(key for key in keys if old.get(key) != values.get(key))
        revision = view.credential_revision + 1
        stamp = (revision, self.clock.now(), self.actor)
        bundle.field_revisions = {
            key: stamp if key in changed else bundle.field_revisions[key] for key in values
        }
        bundle.previous, bundle.values = old, dict(values)
        self.world.change_bundle(
            bundle, credential_revision=revision, missing_fields=bundle.missing
        )
        respawn = await self._slots.apply(bundle, must_end=bool(cleared))
        sentence = f"{', '.join(changed) or 'nothing'} changed in revision {revision}"
        if cleared and view.state is SlotState.RUNNING:
            sentence += "; the process that held it has ended"
        return CredentialOutcome(revision, changed, sentence, respawn)


def _form_field(bundle: FakeBundle, entry: ConfigField) -> CredentialField:
    if entry.key not in bundle.values:
        return CredentialField(entry, is_set=False)
    revision, at, by = bundle.field_revisions[entry.key]
    value = None if entry.sensitive else bundle.values[entry.key]
    return CredentialField(entry, True, value, revision, at, by)
