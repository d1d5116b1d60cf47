"""`EarlierEvent`: what earlier attempts of a run told."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class EarlierEvent:
    """One stored event. Its time is in epoch milliseconds."""

    seq: int
    at: int
    kind: str
    """``emit``, ``step``, ``output`` or ``status``."""
    name: str | None
    """Of an event that `emit` told."""
    data: Any
    """What `emit` told; of other kinds the text."""


def earlier_events(detail: dict[str, Any], newest: int) -> tuple[EarlierEvent, ...]:
    """Read the events of a run up to a number.

    Args:
        detail: the run, as the API tells it.
        newest: number of the last event that was there when this attempt began.
    """
    return tuple(_event(each) for each in detail["events"] if each["seq"] <= newest)


def _event(told: dict[str, Any]) -> EarlierEvent:
    data: Any = told["message"]
    if told["kind"] == "emit":
        with suppress(ValueError):  # what was too long is kept in part
            data = json.loads(data)
    return EarlierEvent(told["seq"], told["at"], told["kind"], told.get("name"), data)
