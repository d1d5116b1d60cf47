"""Tracebacks that begin where the app's own code does."""

from __future__ import annotations

import logging
from types import TracebackType

_ON_THE_WAY = ("roost.lifecycle.", "roost.app.", "importlib.")
"""Modules whose frames only lead to the app's code."""


def own_traceback(error: BaseException) -> TracebackType | None:
    """Return an error's traceback without the frames that lead to the app's code."""
    found = error.__traceback__
    while found is not None and _is_on_the_way(found):
        found = found.tb_next
    return found


def log_with_traceback(logger: logging.Logger, message: str, error: BaseException) -> None:
    """Log an error of the app's code, with where it was raised."""
    logger.error("%s", message, exc_info=(type(error), error, own_traceback(error)))


def _is_on_the_way(found: TracebackType) -> bool:
    name = str(found.tb_frame.f_globals.get("__name__", ""))
    return name.startswith(_ON_THE_WAY)
