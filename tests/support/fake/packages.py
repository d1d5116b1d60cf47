"""Installs of the fake, reviewed first, and the versions that are kept of a bundle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.support.fake.controls import FakeControls
from tests.support.fake.installs import definition_from, installed_view, origin_of
from tests.support.fake.world import FakeBundle

from roost.errors import AlreadyExists, InvalidName, Refused
from roost.models import (
    BundleKind,
    BundleView,
    Definition,
    InstalledVersion,
    InstallPlan,
    InstallRequest,
    PinnedCopy,
    PlanNote,
    RespawnResult,
    SlotState,
    SourceKind,
    ToolView,
    UpgradeOutcome,
    UpgradeRequest,
    is_valid_name,
    slug,
)

ECHO = ToolView("echo", "Echo", "Answers with what it was given", is_read_only=True)
WAIT = ToolView("wait", "Wait", "Goes on until it is stopped or finished by the test")

MCP_KINDS = (BundleKind.MCP_STDIO, BundleKind.MCP_HTTP)

FETCHERS = ("npx", "uvx")
"""Commands that fetch their package at each start."""


class FakePackages(FakeControls):
    """Installs, upgrades and rolls back."""

    def review_with(self, **changes: Any) -> None:
        """Say what every later plan of an install has in place of what it would say."""
        self.world.plan_changes = changes

    async def plan_install(self, workspace: str, request: InstallRequest) -> InstallPlan:
        self._begin("plan_install", workspace=workspace, request=request)
        self._refuse_when_stopping()
        is_taken = (workspace, request.name) in self.world.bundles
        name = str(request.name) if is_taken else self._free_name(workspace, request)
        definition = definition_from(name, request)
        taken = PlanNote("name_taken", f"There is a bundle {name!r} already.")
        plan = InstallPlan(
            name=name,
            definition=definition,
            argv=(definition.command, *definition.args) if not request.url else (),
            directories=(f"/home/ops/.local/share/roost/bundles/{workspace}/{name}",),
            env_names=tuple(sorted(definition.env)),
            given_fields=tuple(sorted(request.env)),
            missing_fields=(),
            notes=((taken,) if is_taken else ()) + _notes(request),
            copy=_copy(request),
            sha256="5f" * 32 if request.source is SourceKind.MCPB else None,
        )
        return replace(plan, **self.world.plan_changes)

    async def install(self, workspace: str, request: InstallRequest) -> BundleView:
        self._begin("install", workspace=workspace, request=request)
        self._refuse_when_stopping()
        return self._install(workspace, request)

    def _install(self, workspace: str, request: InstallRequest) -> BundleView:
        name = self._free_name(workspace, request)
        definition = definition_from(name, request)
        view = installed_view(workspace, name, request, definition, self.clock.now())
        if workspace not in self.world.workspaces:
            self.add_workspace(workspace)
        bundle = self.world.put_bundle(view, definition)
        if bundle.view.kind in MCP_KINDS:
            self.add_tool(workspace, name, ECHO, result={"content": []})
            self.add_tool(workspace, name, WAIT)
        if request.env:
            self.set_form(workspace, name, bundle.definition.fields, dict(request.env))
        self._versions(bundle)
        if request.start:
            self.switches.spawn(self._slots.start(bundle, cause="operator"))
        return bundle.view

    def _free_name(self, workspace: str, request: InstallRequest) -> str:
        self.world.require_may_install(workspace)
        name = request.name or slug(origin_of(request).rsplit("/", 1)[-1])
        if not is_valid_name(name):
            raise InvalidName(name)
        if (workspace, name) in self.world.bundles:
            raise AlreadyExists("bundle", name)
        return name

    async def versions(self, workspace: str, name: str) -> tuple[InstalledVersion, ...]:
        self._begin("versions", workspace=workspace, name=name)
        bundle = self.world.require_bundle(workspace, name)
        return tuple(sorted(self._versions(bundle), key=lambda entry: -entry.number))

    async def upgrade(self, workspace: str, name: str, request: UpgradeRequest) -> UpgradeOutcome:
        self._begin("upgrade", workspace=workspace, name=name, request=request)
        self._refuse_when_stopping()
        bundle = self.world.require_bundle(workspace, name)
        wanted = definition_from(name, request.install)
        return await self._upgrade(bundle, wanted, request.reason)

    async def rollback(
        self, workspace: str, name: str, *, number: int | None = None, reason: str | None = None
    ) -> UpgradeOutcome:
        self._begin("rollback", workspace=workspace, name=name, number=number, reason=reason)
        self._refuse_when_stopping()
        bundle = self.world.require_bundle(workspace, name)
        kept = self._versions(bundle)
        current = _current(kept)
        earlier = [entry.number for entry in kept if entry.number < current.number]
        wanted = number if number is not None else max(earlier, default=0)
        if wanted not in bundle.kept:
            said = f"version {wanted}" if number is not None else "no version before this one"
            raise Refused(f"{said} of {name!r} is not kept; `roost versions` lists what is")
        return await self._make_current(bundle, wanted, reason, "rolled back")

    async def pin(self, workspace: str, name: str, *, reason: str | None = None) -> UpgradeOutcome:
        self._begin("pin", workspace=workspace, name=name, reason=reason)
        self._refuse_when_stopping()
        bundle = self.world.require_bundle(workspace, name)
        definition = bundle.definition
        if definition.command not in FETCHERS:
            raise Refused(f"{name} fetches nothing when it starts, so there is nothing to pin")
        package = _package(definition.args)
        pinned = replace(
            definition, version="1.4.2", command="${prepared}", requirements=(f"{package}@1.4.2",)
        )
        return await self._upgrade(bundle, pinned, reason)

    async def _upgrade(
        self, bundle: FakeBundle, definition: Definition, reason: str | None
    ) -> UpgradeOutcome:
        kept = self._versions(bundle)
        number = max(entry.number for entry in kept) + 1
        definition = replace(
            definition, settings=bundle.definition.settings, fields=bundle.definition.fields
        )
        kept.append(self._entry(number, definition))
        bundle.kept[number] = definition
        return await self._make_current(bundle, number, reason, "installed")

    async def _make_current(
        self, bundle: FakeBundle, number: int, reason: str | None, verb: str
    ) -> UpgradeOutcome:
        kept = bundle.versions
        before = _current(kept)
        kept[:] = [replace(entry, is_current=entry.number == number) for entry in kept]
        bundle.definition = bundle.kept[number]
        self.world.change_bundle(bundle, version=bundle.definition.version)
        respawn = await self._respawn_into(bundle, reason)
        view = bundle.view
        sentence = f"version {number} of {view.name} was {verb}; version {before.number} is kept"
        return UpgradeOutcome(view.workspace, view.name, before, _current(kept), sentence, respawn)

    async def _respawn_into(self, bundle: FakeBundle, reason: str | None) -> RespawnResult | None:
        view = bundle.view
        if not view.should_run:
            return None
        if view.protected and view.state is SlotState.RUNNING and not reason:
            self.world.change_bundle(bundle, stale=("version",), restart_pending=True)
            sentence = f"{view.name} is protected, so a respawn needs a reason"
            return RespawnResult(False, view.workspace, view.name, sentence, "protected")
        return await self._slots.respawn(bundle, cause="upgrade")

    def _versions(self, bundle: FakeBundle) -> list[InstalledVersion]:
        """Return what is kept of a bundle; one that was put there as it is has its first."""
        if not bundle.versions:
            bundle.kept[1] = bundle.definition
            bundle.versions.append(self._entry(1, bundle.definition, is_current=True))
        return bundle.versions

    def _entry(
        self, number: int, definition: Definition, *, is_current: bool = False
    ) -> InstalledVersion:
        return InstalledVersion(
            number=number,
            version=definition.version,
            origin=definition.source.origin,
            sha256=definition.source.sha256,
            config_hash=f"c0ffe{number}",
            installed_at=self.clock.now(),
            installed_by=self.actor,
            is_current=is_current,
            ready_ms=180,
        )


def _current(kept: list[InstalledVersion]) -> InstalledVersion:
    return next(entry for entry in kept if entry.is_current)


def _package(args: tuple[str, ...]) -> str:
    return next((word for word in args if not word.startswith("-")), "")


def _notes(request: InstallRequest) -> tuple[PlanNote, ...]:
    if request.command[:1] and request.command[0] in FETCHERS:
        said = "it fetches the newest release of its package at each start"
        return (PlanNote("unpinned", said),)
    return ()


def _copy(request: InstallRequest) -> PinnedCopy | None:
    if request.command[:1] and request.command[0] in FETCHERS:
        package = _package(request.command[1:])
        said = f"{package} is installed once as it is now; starts fetch nothing and are faster"
        return PinnedCopy(package, said)
    return None
