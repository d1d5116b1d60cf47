"""How a block of outside work ended, in the words of its run."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

SENTENCE_LIMIT = 500
"""Characters; what an exception says may hold a whole document."""


class StopRequested(BaseException):
    """Somebody asked this run to stop.

    It is no `Exception`, so that work that goes on after errors ends nevertheless.
    """

    def __init__(self, run_id: str) -> None:
        super().__init__(f"run {run_id} was asked to stop")
        self.run_id = run_id


class AlreadyFinished(Exception):
    """The idempotency key belongs to a run that has finished: there is nothing left to do."""

    def __init__(self, run: dict[str, Any]) -> None:
        super().__init__(
            f"run {run.get('id')} of this key has already {run.get('status')}; use a new key to "
            "do it again"
        )
        self.run = run
        """The finished run, as the API tells it."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The status a run ends with, and why."""

    status: str
    code: str | None = None
    sentence: str | None = None

    def body(self) -> dict[str, Any]:
        """Return the fields of the finishing request."""
        if self.code is None:
            return {"status": self.status}
        return {"status": self.status, "error": {"code": self.code, "sentence": self.sentence}}


STOPPED = Ending("aborted", "stopped", "it ended because it was asked to stop")
_INTERRUPTED = Ending("aborted", "stopped", "its program was interrupted")
_INTERRUPTIONS = (KeyboardInterrupt, asyncio.CancelledError, GeneratorExit)


def ending_of(error: BaseException | None, *, has_seen_stop: bool) -> Ending:
    """Return how a block ended that was left with this error.

    Args:
        error: what left the block; None for an ordinary end.
        has_seen_stop: whether the work has learnt of a stop: an ordinary end then follows from it.
    """
    if isinstance(error, StopRequested) or (error is None and has_seen_stop):
        return STOPPED
    if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
        return Ending("succeeded")
    if isinstance(error, _INTERRUPTIONS):
        return STOPPED if has_seen_stop else _INTERRUPTED
    if isinstance(error, SystemExit):
        return Ending("failed", "work_failed", _short(f"it ended with exit status {error.code}"))
    return Ending("failed", "work_failed", described(error))


def described(error: BaseException) -> str:
    """Return an exception in one line: its type, and its text where it has one."""
    said = str(error)
    return _short(f"{type(error).__name__}: {said}" if said else type(error).__name__)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SENTENCE_LIMIT else line[: SENTENCE_LIMIT - 1] + "…"
