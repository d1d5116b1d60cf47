"""How deeply the arguments of a call may be nested."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from roost.errors import BadArguments

DEPTH_LIMIT = 100
"""Levels of nesting a call may carry: as many as its record keeps, and far below what the
libraries between here and the server can write."""


def check_depth(tool: str, arguments: dict[str, Any]) -> None:
    """Refuse arguments that are nested too deeply to be passed on.

    Raises:
        BadArguments: they are.
    """
    level: list[Any] = [arguments]
    for _ in range(DEPTH_LIMIT):
        level = [item for value in level for item in _inner(value)]
        if not level:
            return
    raise BadArguments(tool, f"its arguments are nested more than {DEPTH_LIMIT} levels deep")


def _inner(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list | tuple) else ()
