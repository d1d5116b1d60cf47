"""`Journal`: which named steps are done, and which one an earlier attempt left in the middle."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from roost.errors import BadInput
from roost.sdk.endings import described
from roost.sdk.outbox import Item
from roost.sdk.request import check_json
from roost.worker.checks import check_name
from roost.worker.claimed import Entry
from roost.worker.failures import StepFailed

VALUE_LIMIT = 1024 * 1024
"""Bytes of one result; the daemon keeps no more."""


@dataclass(frozen=True, slots=True)
class Memo:
    """What a step returned that an earlier attempt has done."""

    value: Any


class Journal:
    """The steps of one attempt; a name stands for one step, however often a loop turns.

    Args:
        entries: what earlier attempts left.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = {entry.name: entry for entry in entries}
        self._used: set[str] = set()

    def open(self, name: object) -> Memo | None:
        """Begin a step; return what it came to when an earlier attempt has done it.

        Raises:
            BadInput: it has no name, or this attempt has used the name already.
        """
        checked = check_name("a step", name)
        if checked in self._used:
            raise BadInput(
                f"the step {checked!r} is used twice in one attempt, so that nobody could tell "
                'their results apart; give each one a name, as in ctx.step(f"page-{n}", ...)'
            )
        self._used.add(checked)
        entry = self._entries.get(checked)
        return Memo(entry.value) if entry is not None and entry.state == "done" else None

    def interrupted_in(self, name: str) -> int | None:
        """Return the attempt that ended in the middle of a step; None when none did."""
        entry = self._entries.get(name)
        return entry.attempt if entry is not None and entry.state == "started" else None

    def was_interrupted(self, name: str) -> bool:
        """Say whether any earlier attempt ended in the middle of a step."""
        entry = self._entries.get(name)
        return entry is not None and (entry.state == "started" or entry.was_interrupted)


def started(name: str) -> Item:
    """Return what is told before a step's function runs."""
    return _item({"name": name, "state": "started"})


def failed(name: str, error: BaseException) -> Item:
    """Return what is told of a step whose function raised."""
    return _item({"name": name, "state": "failed", "error": described(error)})


def done(name: str, value: Any) -> tuple[Any, Item]:
    """Return what a step came to as every attempt sees it, and what is told of it.

    Raises:
        StepFailed: it cannot be kept.
    """
    try:
        check_json("result of this step", value)
        # A tuple is a list from here on, as it is after a crash.
        kept = json.loads(json.dumps(value))
        size = len(json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode())
    except BadInput as error:
        raise StepFailed(name, error.message) from None
    except UnicodeEncodeError:
        raise StepFailed(name, "its result holds half a surrogate pair, which is no text") from None
    if size > VALUE_LIMIT:
        raise StepFailed(
            name,
            f"its result has more than {VALUE_LIMIT} bytes as JSON; let it return where it lies",
        )
    return kept, _item({"name": name, "state": "done", "value": kept})


def _item(write: dict[str, Any]) -> Item:
    return Item(journal=write, size=len(json.dumps(write)))
