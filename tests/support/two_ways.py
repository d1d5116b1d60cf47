"""One request, answered by the application and by the framework alone, with the same engine."""

from __future__ import annotations

import asyncio
import inspect
import json
import types
import typing
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from starlette.datastructures import State
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from tests.support.fake_engine import FakeEngine

from roost.api.app import _MODULES
from roost.api.bearer import Bearer
from roost.api.declared import Body, Depends, Header, Operation, Query
from roost.api.frames import EngineFrames
from roost.api.gate import Gate
from roost.api.operations import Operations
from roost.clock import Clock
from roost.events import EventBus

OPERATIONS = tuple(each for module in _MODULES for each in module.router.operations)

HeaderList = Sequence[tuple[bytes, bytes]]

JSON: HeaderList = ((b"content-type", b"application/json"),)


@dataclass(frozen=True, slots=True)
class Told:
    """What the engine answers: enough of everything that a route looks into."""

    verb: str
    workspace: str = "w"
    id: str = "r-1"
    kind: str = "output"
    seq: int = 1
    run: Told | None = None


class RecordingEngine:
    """Knows every verb, and writes down who calls which with what."""

    def __init__(self, bus: EventBus) -> None:
        self.bus = bus
        self.calls: list[str] = []
        self.raises: Exception | None = None
        self.breaks: Exception | None = None
        """Raised when something is followed, behind the first of it."""

    def facade(self, actor: str, generation_id: str | None = None) -> RecordingEngine:
        self.calls.append(f"as {actor} {generation_id}")
        return self

    def __getattr__(self, verb: str) -> Any:
        def record(*args: Any, **named: Any) -> None:
            # The order of named arguments means nothing.
            self.calls.append(f"{verb} {args!r} {_whole(args)!r} {sorted(named.items())!r}")

        async def answer(*args: Any, **named: Any) -> Told:
            record(*args, **named)
            if self.raises is not None:
                raise self.raises
            return Told(verb, run=Told("run"))

        def follow(*args: Any, **named: Any) -> AsyncIterator[Told]:
            record(*args, **named)
            return self._followed(verb)

        return follow if verb in ("run_events", "follow_log") else answer

    async def _followed(self, verb: str) -> AsyncIterator[Told]:
        if self.raises is not None:
            raise self.raises
        yield Told(verb)
        if self.breaks is not None:
            raise self.breaks
        yield Told(verb, seq=2)


def _whole(value: Any) -> Any:
    """Return a value with what its text leaves out, such as variables, which may be secret."""
    if is_dataclass(value):
        return [(each.name, _whole(getattr(value, each.name))) for each in fields(value)]
    if isinstance(value, tuple | list):
        return type(value)(map(_whole, value))
    return value


@dataclass(frozen=True, slots=True)
class Ask:
    """A request as the server hands it on."""

    method: str
    path: str
    query: bytes = b""
    headers: HeaderList = ()
    body: bytes = b""
    pieces: int = 1
    """In how many messages the body comes."""
    leaves_after: int | None = None
    """After how many of them the client is gone; None means it stays."""

    @property
    def scope(self) -> Scope:
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": self.path,
            "raw_path": self.path.encode(),
            "root_path": "",
            "query_string": self.query,
            "headers": [(b"host", b"roost"), *self.headers],
            "client": ("uid:0", 0),
            "server": ("roost", 80),
            "state": {},
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """All that a request led to."""

    status: int | None
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    is_complete: bool
    calls: tuple[str, ...]


class Counting(Operations):
    """Counts what it leaves to the framework."""

    left = 0

    async def _leave(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.left += 1
        await super()._leave(scope, receive, send)


class TwoWays:
    """The application and the framework, over one engine.

    Args:
        bus: closed already, so that every stream ends.
        clock: measures the silence of streams.
        operations: what is offered; all of the API unless told otherwise.
    """

    def __init__(
        self, bus: EventBus, clock: Clock, operations: Iterable[Operation] = OPERATIONS
    ) -> None:
        self.engine = RecordingEngine(bus)
        frames = EngineFrames(bus.start_id)
        state = State({"source": self.engine, "frames": frames, "clock": clock})
        self.operations = Counting(tuple(operations), state)
        self.app: ASGIApp = Gate(Bearer(self.operations))

    async def both(self, ask: Ask) -> tuple[Answer, Answer]:
        """Return what the application answers, and what the framework does."""
        by_app = await self.answer(self.app, ask)
        return by_app, await self.answer(self.operations.framework(), ask)

    async def answer(self, app: ASGIApp, ask: Ask) -> Answer:
        """Send one request to one of them."""
        self.engine.calls.clear()
        sent: list[Message] = []
        arriving = iter(_messages(ask))

        async def receive() -> Message:
            message = next(arriving, None)
            if message is None and ask.leaves_after is None:
                await asyncio.Event().wait()  # the client stays, and has no more to say
            return message or {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        await app(ask.scope, receive, send)
        return _answer(sent, tuple(self.engine.calls))


def _messages(ask: Ask) -> list[Message]:
    size = max(1, -(-len(ask.body) // ask.pieces))
    bodies = [ask.body[at : at + size] for at in range(0, len(ask.body), size)] or [b""]
    messages: list[Message] = [
        {"type": "http.request", "body": each, "more_body": at + 1 < len(bodies)}
        for at, each in enumerate(bodies)
    ]
    return messages[: ask.leaves_after]


def _answer(sent: list[Message], calls: tuple[str, ...]) -> Answer:
    starts = [each for each in sent if each["type"] == "http.response.start"]
    pieces = [each for each in sent if each["type"] == "http.response.body"]
    assert len(starts) <= 1
    return Answer(
        status=starts[0]["status"] if starts else None,
        headers=tuple(sorted(starts[0]["headers"])) if starts else (),
        body=b"".join(each.get("body", b"") for each in pieces),
        is_complete=bool(pieces) and not pieces[-1].get("more_body", False),
        calls=calls,
    )


@cache
def shared_two_ways() -> TwoWays:
    """Make them once: the framework takes longer to load than it takes to ask a thousand times."""
    fake = FakeEngine(workspaces=("w",))
    fake.bus.close("the end")
    return TwoWays(fake.bus, fake.clock)


# What an operation takes, from its declaration.


@dataclass(frozen=True, slots=True)
class Taken:
    """The parameters of one operation."""

    path: tuple[str, ...]
    query: dict[str, Any]
    headers: tuple[str, ...]
    body: Any
    """The type of its body; None when it takes none."""


def taken(operation: Operation) -> Taken:
    """Return what an operation takes, without the help of either way."""
    path = tuple(part[1:-1] for part in operation.path.split("/") if part.startswith("{"))
    query: dict[str, Any] = {}
    headers: list[str] = []
    body: Any = None
    hints = get_type_hints(operation.endpoint, include_extras=True)
    for name in inspect.signature(operation.endpoint).parameters:
        kind, *extras = get_args(hints[name]) if _is_annotated(hints[name]) else (hints[name],)
        if name in path or kind is Request or any(isinstance(e, Depends) for e in extras):
            continue
        if any(isinstance(each, Header) for each in extras):
            headers.append(name.replace("_", "-"))
        elif any(isinstance(e, Body) for e in extras) or any(map(is_dataclass, _choices(kind))):
            body = kind
        else:
            query[name] = (kind, next((e for e in extras if isinstance(e, Query)), Query()))
    return Taken(path, query, tuple(headers), body)


def _is_annotated(hint: Any) -> bool:
    return get_origin(hint) is typing.Annotated


def _choices(kind: Any) -> tuple[Any, ...]:
    if _is_annotated(kind):
        return _choices(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        return tuple(each for part in get_args(kind) for each in _choices(part))
    return (kind,)


def sample(kind: Any, *, whole: bool = True) -> Any:
    """Return JSON that fits a type; of a model with all its fields, or only what it needs."""
    kind = next((each for each in _choices(kind) if each is not types.NoneType), kind)
    if is_dataclass(kind):
        hints = get_type_hints(kind, include_extras=True)
        return {
            each.name: sample(hints[each.name], whole=whole)
            for each in fields(kind)
            if whole or (each.default is MISSING and each.default_factory is MISSING)
        }
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind)).value
    if get_origin(kind) in (tuple, list):
        return [sample(get_args(kind)[0], whole=whole)]
    if get_origin(kind) is dict:
        return {"key": sample(get_args(kind)[1], whole=whole)}
    return {str: "text", int: 7, float: 1.5, bool: True}.get(kind, {"any": [1, None]})


def places(kind: Any, value: Any, at: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    """List where something stands in a sample, with the type of each place."""
    found: list[tuple[tuple[Any, ...], Any]] = [(at, kind)]
    bare = next((each for each in _choices(kind) if each is not types.NoneType), kind)
    if is_dataclass(bare):
        hints = get_type_hints(bare, include_extras=True)
        for name in value:
            found += places(hints[name], value[name], (*at, name))
    elif get_origin(bare) in (tuple, list) and value:
        found += places(get_args(bare)[0], value[0], (*at, 0))
    elif get_origin(bare) is dict and value:
        found += places(get_args(bare)[1], value["key"], (*at, "key"))
    return found


def changed(value: Any, at: tuple[Any, ...], new: Any) -> Any:
    """Return a value with something else at one place."""
    if not at:
        return new
    copy = value.copy()
    copy[at[0]] = changed(value[at[0]], at[1:], new)
    return copy


def path_of(operation: Operation, part: str = "w") -> str:
    """Return the path of an operation, with this in every place that has a name."""
    names = taken(operation).path
    return operation.path.format(**dict.fromkeys(names, part))


def ask_for(operation: Operation, **changes: Any) -> Ask:
    """Return a request in order, but for the changes."""
    body = taken(operation).body
    usual: dict[str, Any] = {"method": operation.method, "path": path_of(operation)}
    if body is not None:
        usual |= {"headers": JSON, "body": json.dumps(sample(body)).encode()}
    return Ask(**usual | changes)
