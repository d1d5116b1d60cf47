"""Checks of what a program declares and names, before anybody relies on it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

from roost.errors import BadInput

NAME_LIMIT = 200
"""Characters of a name; it has to fit into a line."""

LONGEST_S = 10 * 365 * 86_400.0
"""Ten years; more is a mistake in the unit."""

TRIES_LIMIT = 100
"""Further attempts; more is a loop that nobody looks at."""

SLOTS_LIMIT = 1000


def check_name(what: str, name: object) -> str:
    """Return a name that runs can be found by.

    Raises:
        BadInput: it is none.
    """
    if not isinstance(name, str):
        hint = f"; write @task('NAME') above {_called(name)}" if callable(name) else ""
        raise BadInput(f"{what} needs a name that is a text, not {_kind(name)}{hint}")
    if not name.strip() or len(name) > NAME_LIMIT or not name.isprintable():
        raise BadInput(
            f"{what} needs a name of 1 to {NAME_LIMIT} printable characters, not {name[:50]!r}"
        )
    return name


def check_seconds(what: str, value: object) -> float:
    """Return a time in seconds, 0 or more.

    Raises:
        BadInput: it is none.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not 0 <= value <= LONGEST_S:  # type: ignore[arg-type, operator]  # a number by now
        raise BadInput(f"{what} is in seconds, 0 or more, not {value!r}")
    return float(value)  # type: ignore[arg-type]  # as above


def check_count(what: str, value: object, least: int, most: int) -> int:
    """Return a whole number within its bounds.

    Raises:
        BadInput: it is none.
    """
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or not least <= value <= most:  # type: ignore[operator]  # a number by now
        raise BadInput(f"{what} is a whole number from {least} to {most}, not {value!r}")
    return int(value)  # type: ignore[call-overload, no-any-return]  # as above


def check_choice(what: str, value: object, choices: tuple[str, ...]) -> str:
    """Return one of some words.

    Raises:
        BadInput: it is none of them.
    """
    if not isinstance(value, str) or value not in choices:
        raise BadInput(f"{what} is {' or '.join(map(repr, choices))}, not {value!r}")
    return value


def check_transient(name: str, kinds: object) -> tuple[type[Exception], ...]:
    """Return the errors that a task declares transient.

    Raises:
        BadInput: they are no classes of exceptions.
    """
    found = kinds if isinstance(kinds, tuple) else (kinds,)
    if not all(isinstance(each, type) and issubclass(each, Exception) for each in found):
        raise BadInput(
            f"transient of the task {name!r} is a tuple of exception classes, such as "
            f"(TimeoutError, ConnectionError), not {kinds!r}"
        )
    return found


def check_handler(name: str, handler: object) -> Callable[..., Any]:
    """Return a function that can be called with a context and an input.

    Raises:
        BadInput: it cannot.
    """
    if not callable(handler):
        raise BadInput(f"the task {name!r} is a function, not {_kind(handler)}")
    if inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler):
        raise BadInput(f"the task {name!r} returns its result once; it must not yield")
    try:
        inspect.signature(handler).bind(None, None)
    except TypeError:
        raise BadInput(
            f"the task {name!r} is called with a context and an input; write "
            f"def {_called(handler)}(ctx, input)"
        ) from None
    return handler


def _kind(value: object) -> str:
    return type(value).__name__


def _called(value: object) -> str:
    return str(getattr(value, "__name__", "the function"))
