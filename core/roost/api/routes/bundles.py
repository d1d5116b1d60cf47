"""Bundles: what is installed, and the actions on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from starlette.responses import Response

from roost.api.declared import Body, Described, Query, Router
from roost.api.reply import reply
from roost.api.routes.common import (
    CONFLICT,
    PROTECTED,
    BundleName,
    GroundsBody,
    WorkspaceId,
    reason_of,
)
from roost.api.source import Engine
from roost.models import (
    ActionResult,
    BundleDetail,
    BundleView,
    FigureSample,
    Impact,
    InstalledVersion,
    InstallPlan,
    InstallRequest,
    RespawnResult,
    SettingsChange,
    SettingsOutcome,
    UpgradeOutcome,
    UpgradeRequest,
    WhyReport,
)

router = Router(prefix="/v1", tags=("bundles",))


@dataclass(frozen=True, slots=True)
class Rollback:
    """Which version to return to; without a number the newest before the current one."""

    number: Annotated[int | None, Described({"type": "integer", "minimum": 1})] = None
    reason: str | None = None


RollbackBody = Annotated[Rollback | None, Body()]

_INSIDE = "/workspaces/{workspace}/bundles"
_ONE = _INSIDE + "/{name}"


@router.get("/bundles", response_model=list[BundleView])
async def all_bundles(engine: Engine) -> Response:
    """List the bundles of all workspaces, by workspace and name."""
    return reply(await engine.bundles())


@router.get(_INSIDE, response_model=list[BundleView])
async def bundles(engine: Engine, workspace: WorkspaceId) -> Response:
    """List the bundles of one workspace by name."""
    return reply(await engine.bundles(workspace))


@router.post(_INSIDE, status_code=201, response_model=BundleView, responses=CONFLICT)
async def install(engine: Engine, workspace: WorkspaceId, request: InstallRequest) -> Response:
    """Install a bundle and, unless told not to, begin its start without waiting for it."""
    return reply(await engine.install(workspace, request), 201)


@router.post("/workspaces/{workspace}/plan", response_model=InstallPlan, responses=CONFLICT)
async def plan_install(engine: Engine, workspace: WorkspaceId, request: InstallRequest) -> Response:
    """Say what an install would do; nothing is written, fetched or run."""
    return reply(await engine.plan_install(workspace, request))


@router.get(_ONE, response_model=BundleDetail)
async def bundle(engine: Engine, workspace: WorkspaceId, name: BundleName) -> Response:
    """Return everything about one bundle."""
    return reply(await engine.bundle(workspace, name))


@router.delete(_ONE, response_model=ActionResult, responses=CONFLICT | PROTECTED)
async def remove(
    engine: Engine,
    workspace: WorkspaceId,
    name: BundleName,
    delete_data: Annotated[bool, Query(description="Delete its logs and runs too")] = False,
    reason: Annotated[str | None, Query(description="Required for a protected bundle")] = None,
) -> Response:
    """Stop a bundle and take it out."""
    return reply(await engine.remove(workspace, name, delete_data=delete_data, reason=reason))


@router.post(_ONE + "/start", response_model=ActionResult, responses=CONFLICT)
async def start(engine: Engine, workspace: WorkspaceId, name: BundleName) -> Response:
    """Start a stopped bundle and wait until it is ready or has failed."""
    return reply(await engine.start(workspace, name))


@router.post(_ONE + "/stop", response_model=ActionResult, responses=CONFLICT | PROTECTED)
async def stop(
    engine: Engine, workspace: WorkspaceId, name: BundleName, grounds: GroundsBody = None
) -> Response:
    """Stop a bundle and wait until its whole process tree is gone."""
    return reply(await engine.stop(workspace, name, reason=reason_of(grounds)))


@router.post(_ONE + "/respawn", response_model=RespawnResult, responses=CONFLICT)
async def respawn(
    engine: Engine, workspace: WorkspaceId, name: BundleName, grounds: GroundsBody = None
) -> Response:
    """Replace a bundle's process by a new generation and wait for the result.

    Missing and protected bundles are results here, not errors.
    """
    return reply(await engine.respawn(workspace, name, reason=reason_of(grounds)))


@router.get(_ONE + "/versions", response_model=list[InstalledVersion])
async def versions(engine: Engine, workspace: WorkspaceId, name: BundleName) -> Response:
    """List the versions of a bundle that are kept on this machine, newest first."""
    return reply(await engine.versions(workspace, name))


@router.post(_ONE + "/upgrade", response_model=UpgradeOutcome, responses=CONFLICT)
async def upgrade(
    engine: Engine, workspace: WorkspaceId, name: BundleName, request: UpgradeRequest
) -> Response:
    """Install another version beside the present one and respawn into it."""
    return reply(await engine.upgrade(workspace, name, request))


@router.post(_ONE + "/rollback", response_model=UpgradeOutcome, responses=CONFLICT)
async def rollback(
    engine: Engine, workspace: WorkspaceId, name: BundleName, choice: RollbackBody = None
) -> Response:
    """Make a kept version the current one again and respawn into it."""
    chosen = choice or Rollback()
    return reply(await engine.rollback(workspace, name, number=chosen.number, reason=chosen.reason))


@router.post(_ONE + "/pin", response_model=UpgradeOutcome, responses=CONFLICT)
async def pin(
    engine: Engine, workspace: WorkspaceId, name: BundleName, grounds: GroundsBody = None
) -> Response:
    """Replace a command that fetches its package at each start by an installed, pinned copy."""
    return reply(await engine.pin(workspace, name, reason=reason_of(grounds)))


@router.get(_ONE + "/impact", response_model=Impact)
async def impact(
    engine: Engine,
    workspace: WorkspaceId,
    name: BundleName,
    action: Annotated[str, Query(description="Which action is to be confirmed")] = "bundle.stop",
) -> Response:
    """Say what an interrupting action on this bundle would cut right now."""
    return reply(await engine.impact(workspace, name, action=action))


@router.get(_ONE + "/figures", response_model=list[FigureSample])
async def figures_history(engine: Engine, workspace: WorkspaceId, name: BundleName) -> Response:
    """Return the last figures of a bundle's process tree, oldest first."""
    return reply(await engine.figures_history(workspace, name))


@router.get(_ONE + "/why", response_model=WhyReport)
async def why(engine: Engine, workspace: WorkspaceId, name: BundleName) -> Response:
    """Run the ordered check of a bundle; changes nothing and ends within 10 s."""
    return reply(await engine.why(workspace, name))


@router.patch(_ONE + "/settings", response_model=SettingsOutcome, responses=PROTECTED)
async def change_settings(
    engine: Engine, workspace: WorkspaceId, name: BundleName, change: SettingsChange
) -> Response:
    """Change settings of an installed bundle; those left out stay, and no process is touched."""
    return reply(await engine.change_settings(workspace, name, change))
