"""`create_app`: the application of one engine."""

from __future__ import annotations

from fastapi import FastAPI

import roost
from roost.api.bearer import Bearer, TokenSource
from roost.api.frames import EngineFrames
from roost.api.gate import Gate
from roost.api.refusals import install_error_handlers
from roost.api.routes import bundles, credentials, daemon, imports, logs, runs, vault
from roost.api.routes.common import EVERYWHERE
from roost.api.source import EngineSource
from roost.clock import Clock

_TAGS = [
    {"name": "daemon", "description": "The daemon, its workspaces and the stream of changes"},
    {"name": "bundles", "description": "What is installed, and the actions on it"},
    {"name": "import", "description": "Servers that MCP clients of this machine have"},
    {"name": "credentials", "description": "Forms are read, values are only written"},
    {"name": "vault", "description": "The key that credentials are sealed with"},
    {"name": "runs", "description": "Records of work, and the tools whose calls are runs"},
    {"name": "logs", "description": "What the bundles wrote"},
]


def create_app(source: EngineSource, *, clock: Clock, tokens: TokenSource | None = None) -> FastAPI:
    """Build the application.

    Args:
        source: the engine it answers for.
        clock: measures the silence of event streams.
        tokens: knows what supervised programs show; None knows no token.
    """
    app = FastAPI(
        title="Roost",
        summary="The control plane for apps, over the daemon's own socket",
        version=roost.__version__,
        openapi_url="/v1/openapi.json",
        openapi_tags=_TAGS,
        docs_url=None,  # both pages load their scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        responses=EVERYWHERE,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.source = source
    app.state.frames = EngineFrames(source.bus.start_id)
    app.state.clock = clock
    install_error_handlers(app)
    app.add_middleware(Bearer, tokens=tokens)
    app.add_middleware(Gate)
    modules = (daemon, bundles, imports, credentials, vault, runs, logs)
    routers = [module.router for module in modules]
    for router in routers:
        app.include_router(router)
    app.state.routes = [route for router in routers for route in router.routes]
    return app
