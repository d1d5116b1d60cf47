"""Strict bodies: what parsers read in two ways, or a framework quietly converts, is refused."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

REPEATED_KEY = "names the same key twice in one object"
"""What is wrong with a body that standard JSON allows and we refuse."""

_MISFIT = re.compile(
    r"Expected `(?P<expected>[^`]*)`, got `(?P<got>bool|str|int|float)`(?: - at `\$(?P<place>.*)`)?"
)
"""How msgspec tells of a scalar in the wrong place; it names kinds, never the value."""

_WORDS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "array": "a list",
    "object": "an object",
}


def decode(body: bytes) -> Any:
    """Decode standard JSON: no NaN, no half surrogates, and no object that names a key twice.

    Raises:
        json.JSONDecodeError: it is none; the error's `msg` may be `REPEATED_KEY`.
    """
    try:
        value = msgspec.json.decode(body)
        # `len` for the numbers: only the keys are looked at, and long digits are costly.
        json.loads(body, object_pairs_hook=_refuse_repeats, parse_int=len, parse_float=len)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise json.JSONDecodeError("not valid JSON", "", 0) from error
    return value


def lax_problem(value: Any, kind: Any) -> dict[str, Any] | None:
    """Find a scalar that a lenient reading would convert, such as false for the number 0.

    Returns:
        The problem in the form of a validation error, or None. What is wrong in other ways is left
        to the validation itself.
    """
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        found = _MISFIT.fullmatch(str(error))
        if found is not None and _is_lax(found["got"], found["expected"].split(" | ")):
            return _problem(found["expected"].split(" | "), found["place"] or "")
    return None


def _is_lax(got: str, expected: list[str]) -> bool:
    return got in ("bool", "str") or "bool" in expected


def _problem(expected: list[str], place: str) -> dict[str, Any]:
    words = " or ".join(_WORDS.get(kind, kind) for kind in expected)
    location = ("body", *filter(None, re.split(r"[.\[\]]+", place)))
    return {"type": "lax_type", "loc": location, "msg": f"must be {words}", "input": None}


def _refuse_repeats(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        raise json.JSONDecodeError(REPEATED_KEY, "", 0)
