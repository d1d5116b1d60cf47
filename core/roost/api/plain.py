"""`PlainCall`: calls an endpoint with the arguments of a request that is in order.

What is in order is read the same way by everybody: whole decimal numbers within their bounds, the
words of an enumeration, and JSON that fits its model without any conversion. A request with
anything else `NotPlain` leaves to the framework, which accepts or refuses it in its own words.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from dataclasses import is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
from starlette.requests import Request

from roost.api.declared import Body, Depends, Header, Path, Query
from roost.api.refusals import announces_json
from roost.api.strict_json import decode

Reader = Callable[[Request, bytes], Any]
"""Takes one argument from a request and its body."""

_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}")

_TRUTH = {"true": True, "false": False}


class NotPlain(Exception):
    """Something of a request has to be looked at closer."""


class PlainCall:
    """A coroutine function, and where each of its arguments comes from.

    Args:
        function: its parameters are declared as `roost.api.declared` says.
        path_names: the names in the path.
    """

    def __init__(self, function: Callable[..., Any], path_names: frozenset[str]) -> None:
        self._function = function
        self._readers: dict[str, Reader] = {}
        self._calls: dict[str, PlainCall] = {}
        hints = get_type_hints(function, include_extras=True)
        for name, parameter in inspect.signature(function).parameters.items():
            kind, marker = _parts(hints[name])
            if isinstance(marker, Depends):
                self._calls[name] = PlainCall(marker.call, path_names)
            elif name in path_names:
                self._readers[name] = _from_path(name)
            else:
                self._readers[name] = _reader(name, kind, marker, parameter.default)

    async def __call__(self, request: Request, body: bytes) -> Any:
        """Call it; nothing has been done yet when this raises `NotPlain`."""
        arguments = {name: read(request, body) for name, read in self._readers.items()}
        for name, call in self._calls.items():
            arguments[name] = await call(request, body)
        return await self._function(**arguments)


def _parts(hint: Any) -> tuple[Any, object]:
    """Return the type of a parameter and its marker."""
    if get_origin(hint) is not Annotated:
        return hint, None
    kind, *extras = get_args(hint)
    markers = [e for e in extras if isinstance(e, Path | Query | Header | Body | Depends)]
    return kind, markers[0] if markers else None


def _reader(name: str, kind: Any, marker: object, default: Any) -> Reader:
    if kind is Request:
        return lambda request, _: request
    if isinstance(marker, Header):
        return _from_header(name.replace("_", "-"), default)
    bare = _without_none(kind)
    if isinstance(marker, Body) or is_dataclass(bare):
        return _from_body(kind, default)
    if get_origin(bare) is list:
        return _from_list(name, get_args(bare)[0], default)
    return _from_query(name, bare, marker if isinstance(marker, Query) else Query(), default)


def _without_none(kind: Any) -> Any:
    if get_origin(kind) not in (Union, UnionType):
        return kind
    left = [each for each in get_args(kind) if each is not NoneType]
    return left[0] if len(left) == 1 else kind


def _from_path(name: str) -> Reader:
    return lambda request, _: request.path_params[name]


def _from_header(name: str, default: Any) -> Reader:
    return lambda request, _: request.headers.get(name, default)


def _from_body(kind: Any, default: Any) -> Reader:
    def read(request: Request, body: bytes) -> Any:
        if not body:
            return _given(default)
        if not announces_json(request):
            raise NotPlain
        try:
            return msgspec.convert(decode(body), kind)
        except (json.JSONDecodeError, msgspec.ValidationError):
            raise NotPlain from None

    return read


def _from_list(name: str, kind: type[Enum], default: Any) -> Reader:
    def read(request: Request, _: bytes) -> Any:
        words = request.query_params.getlist(name)
        try:
            return [kind(word) for word in words] if words else _given(default)
        except ValueError:
            raise NotPlain from None

    return read


def _from_query(name: str, kind: Any, rule: Query, default: Any) -> Reader:
    def read(request: Request, _: bytes) -> Any:
        text = request.query_params.get(name)
        if text is None:
            return _given(default)
        if kind is str:
            return text
        if kind is int and _NUMBER.fullmatch(text):
            return _bounded(int(text), rule)
        if kind is bool and text in _TRUTH:
            return _TRUTH[text]
        raise NotPlain

    return read


def _bounded(number: int, rule: Query) -> int:
    if (rule.ge is not None and number < rule.ge) or (rule.le is not None and number > rule.le):
        raise NotPlain
    return number


def _given(default: Any) -> Any:
    if default is inspect.Parameter.empty:
        raise NotPlain
    return default
