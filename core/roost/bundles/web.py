"""What is asked for a web bundle at its install: its port and its readiness path."""

from __future__ import annotations

import re
from dataclasses import dataclass

from roost.errors import BadInput
from roost.models import BundleKind, InstallRequest
from roost.models.port import parse_port

_PATH = re.compile(r"/[!-~]*")
"""What a request line can hold: visible characters of ASCII."""


@dataclass(frozen=True, slots=True)
class WebPlace:
    """Where a bundle of this kind serves; without meaning for other kinds."""

    env: dict[str, str]
    """The environment asked for, without the port: that is Roost's to hand out."""
    port: int | None = None
    """Fixed port, or None for a free one at each start."""
    ready_path: str = "/"


def read_web(request: InstallRequest, kind: BundleKind) -> WebPlace:
    """Check and return what is asked for a bundle of this kind.

    A literal `PORT` in the environment of a web bundle asks for the same as `port`.

    Raises:
        BadPort: the port is none.
        BadInput: the path is none, two different ports are asked for, or the bundle is no web app.
    """
    if kind is not BundleKind.WEB:
        refuse_web(request)
        return WebPlace(request.env)
    return WebPlace(
        {name: value for name, value in request.env.items() if name != "PORT"},
        asked_port(request),
        _ready_path(request),
    )


def refuse_web(request: InstallRequest) -> None:
    """Refuse what only a web bundle can have.

    Raises:
        BadInput: the request has a port or a readiness path.
    """
    if request.port is not None or request.ready_path is not None:
        raise BadInput(
            "a port and a readiness path are for web bundles only; leave them out, or install a "
            "command with the kind `web`"
        )


def asked_port(request: InstallRequest) -> int | None:
    """Return the fixed port that is asked for, by `port` or a literal `PORT`; None for a free one.

    Raises:
        BadPort: it is none.
        BadInput: two different ports are asked for.
    """
    in_environment = parse_port(request.env.get("PORT"), 0)
    asked = parse_port(None if request.port is None else str(request.port), in_environment)
    if in_environment and asked != in_environment:
        raise BadInput(
            f"PORT says {in_environment} and the port asked for is {asked}; leave one of them out"
        )
    return asked or None


def _ready_path(request: InstallRequest) -> str:
    path = "/" if request.ready_path is None else request.ready_path
    if not _PATH.fullmatch(path):
        raise BadInput(f"{path!r} is not a readiness path; give one such as /healthz")
    return path
