"""What an install request turns into."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from roost.errors import BadInput
from roost.models import (
    BundleKind,
    BundleView,
    ConfigField,
    Definition,
    FieldType,
    InstallRequest,
    Runtime,
    SlotState,
    Source,
    SourceKind,
)


def origin_of(request: InstallRequest) -> str:
    """Return what names the thing to install."""
    named = request.entry or request.requirement or request.path or " ".join(request.command[:1])
    given = named or (urlsplit(request.url).hostname if request.url else "")
    if not given:
        raise BadInput("an install needs a path, a package, an address or a command; give one")
    return given


def definition_from(name: str, request: InstallRequest) -> Definition:
    """Return the definition an install makes."""
    kinds = {
        SourceKind.COMMAND: request.kind,
        SourceKind.APP: BundleKind.WEB,
        SourceKind.URL: BundleKind.MCP_HTTP,
    }
    kind = kinds.get(request.source, BundleKind.MCP_STDIO)
    fields = tuple(
        ConfigField(key, FieldType.STRING, key, sensitive=True) for key in sorted(request.env)
    )
    return Definition(
        kind=kind,
        runtime=_runtime_of(request),
        title=name,
        version="1.0.0",
        command=request.command[0] if request.command else "python3",
        args=request.command[1:],
        env={key: f"${{user_config.{key}}}" for key in request.env},
        source=Source(request.source, origin_of(request)),
        fields=fields,
        url=request.url,
        port=request.port or None,
        ready_path=request.ready_path or "/",
        settings=request.settings,
        after=request.after,
    )


def _runtime_of(request: InstallRequest) -> Runtime:
    program = Path(request.command[0]).name if request.command else "python3"
    return Runtime.PYTHON if program.startswith("python") else Runtime.BINARY


def installed_view(
    workspace: str, name: str, request: InstallRequest, definition: Definition, at: int
) -> BundleView:
    """Return the view of a bundle right after its install."""
    return BundleView(
        workspace=workspace,
        name=name,
        title=definition.title,
        kind=definition.kind,
        runtime=definition.runtime,
        version=definition.version,
        state=SlotState.STOPPED,
        since=at,
        should_run=request.start,
        protected=request.settings.protected,
    )
