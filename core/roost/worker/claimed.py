"""`Claimed`: a run that this worker does now, as the daemon told it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from roost.errors import Unavailable
from roost.sdk.courier import Lease


@dataclass(frozen=True, slots=True)
class Entry:
    """One named step as earlier attempts left it."""

    name: str
    state: str
    """``started``, ``done`` or ``failed``."""
    attempt: int
    value: Any = None
    was_interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Claimed:
    """Everything that a handler needs."""

    lease: Lease
    lease_s: float
    task: str
    attempt: int
    input: Any
    on_behalf_of: str | None
    journal: tuple[Entry, ...]

    @classmethod
    def read(cls, told: dict[str, Any]) -> Claimed:
        """Read one run of a claim's answer.

        Raises:
            Unavailable: it is none.
        """
        try:
            run = told["run"]
            return cls(
                lease=Lease.read({"run": run, "epoch": told["epoch"], "stop_requested": False}),
                lease_s=told["lease_ms"] / 1000,
                task=run["task"],
                attempt=run["attempt"],
                input=told["input"],
                on_behalf_of=run["on_behalf_of"],
                journal=tuple(_entry(each) for each in told["journal"]),
            )
        except (KeyError, TypeError):
            raise Unavailable(
                "what answers does not speak as a Roost daemon; is it another version?"
            ) from None


def _entry(told: dict[str, Any]) -> Entry:
    return Entry(
        name=told["name"],
        state=told["state"],
        attempt=told["attempt"],
        value=told["value"],
        was_interrupted=told["was_interrupted"],
    )
