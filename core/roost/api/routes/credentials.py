"""Credentials: forms are read, values are only written."""

from __future__ import annotations

from starlette.responses import Response

from roost.api.declared import Router
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
from roost.models import CredentialForm, CredentialOutcome, CredentialWrite

router = Router(
    prefix="/v1/workspaces/{workspace}/bundles/{name}/credentials", tags=("credentials",)
)


@router.get("", response_model=CredentialForm)
async def credential_form(engine: Engine, workspace: WorkspaceId, name: BundleName) -> Response:
    """Return the form of a bundle; sensitive values are never in it."""
    return reply(await engine.credential_form(workspace, name))


@router.patch("", response_model=CredentialOutcome, responses=CONFLICT | PROTECTED)
async def write_credentials(
    engine: Engine, workspace: WorkspaceId, name: BundleName, write: CredentialWrite
) -> Response:
    """Set and clear fields in one atomic write, then respawn the bundle with them."""
    return reply(await engine.write_credentials(workspace, name, write))


@router.post("/restore", response_model=CredentialOutcome, responses=CONFLICT | PROTECTED)
async def restore_credentials(
    engine: Engine, workspace: WorkspaceId, name: BundleName, grounds: GroundsBody = None
) -> Response:
    """Bring the previous revision back as a new one, then respawn the bundle with it."""
    return reply(await engine.restore_credentials(workspace, name, reason=reason_of(grounds)))
