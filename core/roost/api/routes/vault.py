"""The vault's key: where it is kept, and its rotation."""

from __future__ import annotations

from starlette.responses import Response

from roost.api.declared import Router
from roost.api.reply import reply
from roost.api.routes.common import PROTECTED
from roost.api.source import Engine
from roost.models import VaultView

router = Router(prefix="/v1/vault", tags=("vault",))


@router.get("", response_model=VaultView)
async def vault(engine: Engine) -> Response:
    """Say where the vault's key is kept and what it opens."""
    return reply(await engine.vault())


@router.post("/rotate", response_model=VaultView, responses=PROTECTED)
async def rotate_vault_key(engine: Engine) -> Response:
    """Seal every stored value with a new key and forget the former one."""
    return reply(await engine.rotate_vault_key())
