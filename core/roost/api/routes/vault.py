"""The vault's key: where it is kept, and its rotation."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from roost.api.reply import reply
from roost.api.routes.common import PROTECTED, StrictRoute
from roost.api.source import Engine
from roost.models import VaultView

router = APIRouter(prefix="/v1/vault", tags=["vault"], route_class=StrictRoute)


@router.get("", response_model=VaultView)
async def vault(engine: Engine) -> Response:
    """Say where the vault's key is kept and what it opens."""
    return reply(await engine.vault())


@router.post("/rotate", response_model=VaultView, responses=PROTECTED)
async def rotate_vault_key(engine: Engine) -> Response:
    """Seal every stored value with a new key and forget the former one."""
    return reply(await engine.rotate_vault_key())
