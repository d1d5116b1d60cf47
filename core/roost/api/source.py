"""What the API stands on, and who a request is from."""

from __future__ import annotations

import functools
import pwd
from typing import Annotated, Protocol, cast

from starlette.requests import Request
from starlette.types import Scope

from roost.api.bearer import GRANT, Grant, ReportingEngine
from roost.api.declared import Depends
from roost.api.frames import EngineFrames
from roost.clock import Clock
from roost.contract import EngineAPI
from roost.events import EventBus

UID_PREFIX = "uid:"
"""How the server marks a peer in the connection's client address."""


class EngineSource(Protocol):
    """The engine as the API needs it."""

    @property
    def bus(self) -> EventBus:
        """The one numbered stream of changes."""
        ...

    def facade(self, actor: str, generation_id: str | None = None) -> EngineAPI:
        """Return the engine as seen by one actor, whose name its records will carry.

        Args:
            generation_id: whose token the actor has shown, if it is a program of a bundle.
        """
        ...


# The dependencies are coroutines, which have nothing to wait for: the framework would run functions
# in threads of their own, and each way there and back is longer than all that they do.


async def _source(request: Request) -> EngineSource:
    return _source_of(request)


def _source_of(request: Request) -> EngineSource:
    source: EngineSource = request.app.state.source
    return source


async def _engine(request: Request) -> EngineAPI:
    return engine_of(request.scope, _source_of(request))


def engine_of(scope: Scope, source: EngineSource) -> EngineAPI:
    """Return the engine as whoever sent a request sees it: a program with a token, or a peer."""
    grant: Grant | None = scope.get(GRANT)
    if grant is not None:
        # Whatever else a route asks of the engine is not there: a fault, never a way in.
        own = ReportingEngine(source.facade(grant.bundle, grant.generation_id), grant)
        return cast(EngineAPI, own)
    address, _ = scope.get("client") or ("", 0)
    return source.facade(actor_name(address))


async def _frames(request: Request) -> EngineFrames:
    frames: EngineFrames = request.app.state.frames
    return frames


async def _clock(request: Request) -> Clock:
    clock: Clock = request.app.state.clock
    return clock


def actor_name(address: str) -> str:
    """Return the user name behind a peer's address ``uid:N``, or the address when there is none."""
    number = address.removeprefix(UID_PREFIX)
    if number == address or not number.isdigit():
        return address or "unknown"
    return _user_name(int(number)) or address


@functools.lru_cache(maxsize=64)
def _user_name(uid: int) -> str | None:
    # Cached: a look-up may go to a directory service and blocks the loop while it does.
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


Source = Annotated[EngineSource, Depends(_source)]
Engine = Annotated[EngineAPI, Depends(_engine)]
Frames = Annotated[EngineFrames, Depends(_frames)]
Time = Annotated[Clock, Depends(_clock)]
