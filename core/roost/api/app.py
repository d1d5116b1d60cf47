"""`create_app`: the application of one engine."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

import roost
from roost.api.bearer import Bearer, TokenSource
from roost.api.frames import EngineFrames
from roost.api.gate import Gate
from roost.api.refusals import install_error_handlers
from roost.api.routes import (
    bundles,
    credentials,
    daemon,
    imports,
    logs,
    runs,
    snapshots,
    tasks,
    vault,
)
from roost.api.source import EngineSource
from roost.clock import Clock

_TAGS = [
    {"name": "daemon", "description": "The daemon, its workspaces and the stream of changes"},
    {"name": "bundles", "description": "What is installed, and the actions on it"},
    {"name": "import", "description": "Servers that MCP clients of this machine have"},
    {"name": "credentials", "description": "Forms are read, values are only written"},
    {"name": "vault", "description": "The key that credentials are sealed with"},
    {"name": "runs", "description": "Records of work, and the tools whose calls are runs"},
    {"name": "tasks", "description": "Durable tasks, their workers and their schedules"},
    {"name": "snapshots", "description": "Prepared starts of bundles"},
    {"name": "logs", "description": "What the bundles wrote"},
]


class _App(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """Describe the API, once somebody asks for it."""
        if self.openapi_schema is None:
            self.openapi_schema = get_openapi(
                title=self.title,
                summary=self.summary,
                version=self.version,
                tags=self.openapi_tags,
                routes=[route.described() for route in self.state.routes],
            )
        return self.openapi_schema


def create_app(source: EngineSource, *, clock: Clock, tokens: TokenSource | None = None) -> FastAPI:
    """Build the application.

    Args:
        source: the engine it answers for.
        clock: measures the silence of event streams.
        tokens: knows what supervised programs show; None knows no token.
    """
    app = _App(
        title="Roost",
        summary="The control plane for apps, over the daemon's own socket",
        version=roost.__version__,
        openapi_url="/v1/openapi.json",
        openapi_tags=_TAGS,
        docs_url=None,  # both pages load their scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.source = source
    app.state.frames = EngineFrames(source.bus.start_id)
    app.state.clock = clock
    install_error_handlers(app)
    app.add_middleware(Bearer, tokens=tokens)
    app.add_middleware(Gate)
    modules = (daemon, bundles, imports, credentials, vault, runs, tasks, snapshots, logs)
    app.state.routes = [route for module in modules for route in module.router.routes]
    app.router.routes.extend(app.state.routes)  # including a router makes each route a second time
    return app
