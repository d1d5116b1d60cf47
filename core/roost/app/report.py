"""What a run tells people: the log on stderr, and one sentence for what ended it."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from roost.errors import BadInput, EntryFailed, HookFailed, RoostError
from roost.lifecycle.tracebacks import own_traceback

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2


@contextmanager
def log_on_stderr() -> Iterator[None]:
    """Log on stderr inside the block, unless somebody has set up logging already."""
    root = logging.getLogger()
    if root.handlers:
        yield
        return
    level, handler = root.level, logging.StreamHandler()
    handler.setFormatter(logging.Formatter(FORMAT))
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def report(error: RoostError) -> int:
    """Tell on stderr in one sentence why an app ended, and return its exit status.

    Where the app's own code raised, the log has said where. Only what was raised while it was
    imported comes with its traceback, as nothing logs yet.
    """
    cause = error.__cause__
    if isinstance(error, EntryFailed) and cause is not None:
        lines = traceback.format_exception(type(cause), cause, own_traceback(cause))
        sys.stderr.write("".join(lines))
    sys.stderr.write(f"{error.message}\n")
    told = cause if isinstance(error, HookFailed) and isinstance(cause, RoostError) else error
    return EXIT_BAD_INPUT if isinstance(told, BadInput) else EXIT_FAILED
