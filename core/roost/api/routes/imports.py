"""Importing what MCP clients of this machine are configured with."""

from __future__ import annotations

from starlette.responses import Response

from roost.api.declared import Router
from roost.api.reply import reply
from roost.api.routes.common import WorkspaceId
from roost.api.source import Engine
from roost.models import ImportOutcome, ImportPlan, ImportRequest, ImportScan

router = Router(prefix="/v1", tags=("import",))

_IMPORT = "/workspaces/{workspace}/import"


@router.post(_IMPORT + "/plan", response_model=ImportPlan)
async def plan_import(engine: Engine, workspace: WorkspaceId, scan: ImportScan) -> Response:
    """Find the servers that MCP clients have; nothing is written or run."""
    return reply(await engine.plan_import(workspace, scan))


@router.post(_IMPORT, response_model=ImportOutcome)
async def import_bundles(
    engine: Engine, workspace: WorkspaceId, request: ImportRequest
) -> Response:
    """Install the chosen entries of a reviewed plan; each has a result of its own."""
    return reply(await engine.import_bundles(workspace, request))
