"""Startup snapshots of bundles."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from roost.api.declared import Router
from roost.api.reply import reply
from roost.api.routes.common import CONFLICT, BundleName, WorkspaceId
from roost.api.source import Engine
from roost.models import ActionResult, SnapshotDetail, SnapshotPolicy, SnapshotView

router = Router(prefix="/v1", tags=("snapshots",))

_SNAPSHOT = "/workspaces/{workspace}/bundles/{name}/snapshot"


@router.get("/snapshots", response_model=list[SnapshotView])
async def snapshots(engine: Engine, workspace: str | None = None) -> Response:
    """Tell of every bundle whether it can have a snapshot and how that stands."""
    return reply(await engine.snapshots(workspace))


@router.get(_SNAPSHOT, response_model=SnapshotDetail)
async def snapshot(engine: Engine, workspace: WorkspaceId, name: BundleName) -> Response:
    """Return everything about one bundle's snapshot."""
    return reply(await engine.snapshot(workspace, name))


@router.post(_SNAPSHOT + "/build", response_model=SnapshotView, responses=CONFLICT)
async def build_snapshot(engine: Engine, workspace: WorkspaceId, name: BundleName) -> Response:
    """Build a bundle's snapshot and wait until it is ready, refused or failed."""
    return reply(await engine.build_snapshot(workspace, name))


@router.post(_SNAPSHOT + "/verify", response_model=SnapshotView, responses=CONFLICT)
async def verify_snapshot(engine: Engine, workspace: WorkspaceId, name: BundleName) -> Response:
    """Start a process from the snapshot, compare its answers with a cold one's, and end it."""
    return reply(await engine.verify_snapshot(workspace, name))


@router.delete(_SNAPSHOT, response_model=ActionResult, responses=CONFLICT)
async def remove_snapshot(engine: Engine, workspace: WorkspaceId, name: BundleName) -> Response:
    """Remove a bundle's snapshot; what was started from it goes on."""
    return reply(await engine.remove_snapshot(workspace, name))


@dataclass(frozen=True, slots=True)
class Policy:
    """Whether starts use the snapshot."""

    policy: SnapshotPolicy


@router.post(_SNAPSHOT + "/policy", response_model=SnapshotView, responses=CONFLICT)
async def set_snapshot_policy(
    engine: Engine, workspace: WorkspaceId, name: BundleName, wish: Policy
) -> Response:
    """Say whether starts of a bundle use its snapshot."""
    return reply(await engine.set_snapshot_policy(workspace, name, wish.policy))
