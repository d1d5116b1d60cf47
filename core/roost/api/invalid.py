"""What the framework refuses by itself, in the one shape of all errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from roost.api.refusals import announces_json, refusal, refusal_of
from roost.api.strict_json import REPEATED_KEY
from roost.errors import BadInput, NotFound, RoostError

_UNSAFE_PROBLEMS = frozenset({"value_error", "assertion_error"})
"""Kinds of validation problems whose text may repeat the value, which may be a secret."""

_FIELD_VALUES = ("body", "set")
"""Where the values of credential fields stand, the only ones of several kinds."""


def install_error_handlers(app: FastAPI) -> None:
    """Give every error of the application the one shape."""
    app.add_exception_handler(RoostError, _on_roost_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_error)


async def _on_roost_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RoostError)
    return refusal_of(error, request.method, request.scope["path"])


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = _problems(error.errors(), is_json=announces_json(request))
    listed = "; ".join(f"{place}: {words}" for place, words in problems.items())
    sentence = f"the request cannot be used as it is: {listed}. Correct these and send it again"
    return refusal(BadInput(sentence, fields=problems))


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    where = f"{request.method} {request.scope['path']}"
    if error.status_code == 404:
        return refusal(NotFound(f"there is no {where}; GET /v1/openapi.json lists what there is"))
    if error.status_code == 405:
        sentence = f"{where} is not offered; GET /v1/openapi.json lists what is"
        return refusal(BadInput(sentence), 405, {"allow": ", ".join(_methods_at(request))})
    sentence = f"{where} cannot be read as a request; send JSON as /v1/openapi.json describes"
    return refusal(BadInput(sentence), error.status_code, error.headers)


def _methods_at(request: Request) -> list[str]:
    """Return what the path offers; the framework names the methods of one of its routes only."""
    path = request.scope["path"]
    routes: Sequence[APIRoute] = request.app.state.routes
    return sorted({name for r in routes if r.path_regex.match(path) for name in r.methods or ()})


def _problems(found: Sequence[Mapping[str, Any]], *, is_json: bool) -> dict[str, str]:
    """Say what is wrong with each place, once: a value of several kinds fails at each of them."""
    problems: dict[str, str] = {}
    for problem in found:
        place = tuple(problem["loc"])
        if place == ("body",) and problem["type"] != "missing" and not is_json:
            problems["body"] = "must be announced as content-type application/json"
        elif place[:2] == _FIELD_VALUES and len(place) > 3:
            problems[_place(place[:3])] = "must be a text, a number, true, false or a list of texts"
        else:
            problems[_place(place)] = _words(problem)
    return problems


def _place(location: Sequence[int | str]) -> str:
    """Name the field: ``body.tool``; positions in the text say nothing to people."""
    named = [str(part) for part in location if not isinstance(part, int)]
    return ".".join(named) or "body"


def _words(problem: Mapping[str, Any]) -> str:
    if problem["type"] in _UNSAFE_PROBLEMS:
        return "does not fit"
    if problem["type"] == "json_invalid":
        told = problem.get("ctx", {}).get("error")
        return REPEATED_KEY if told == REPEATED_KEY else "is not valid JSON"
    words = str(problem["msg"])
    return words[:1].lower() + words[1:]
