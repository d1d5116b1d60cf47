"""Saga: a durable task that takes back what it has done when a later part of it fails.

``roost add --worker saga --directory DIR``, and then from any program
``submit("travel.book", {"parts": ["flight", "hotel"], "ledger": "/tmp/ledger.txt"})``.
Booking and cancelling are steps. A refusal is what a booking returns, not an error that it raises:
so it is kept too, and an attempt that comes after a crash in the middle of the cancelling goes on
with that instead of booking again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from roost import StopRequested, SyncTaskContext, task


class NotBooked(Exception):
    """A part was refused, and all the others are cancelled."""


@task("travel.book", recovery="resume")
def book(ctx: SyncTaskContext, input: dict[str, Any]) -> dict[str, Any]:
    """Book every part of a journey, or none."""
    ledger, booked = Path(input["ledger"]), list[str]()
    try:
        for part in input["parts"]:
            refusal = ctx.step(f"book {part}", reserve, ledger, part)
            if refusal is not None:
                raise NotBooked(refusal)
            booked.append(part)
            ctx.progress(len(booked), len(input["parts"]), f"booked {part}")
    except (NotBooked, StopRequested):
        for part in reversed(booked):
            ctx.step(f"cancel {part}", cancel, ledger, part)
            ctx.emit("cancelled", {"part": part})
        raise
    return {"booked": booked}


def reserve(ledger: Path, part: str) -> str | None:
    """Book one part, and return why it was refused; None when it was not."""
    if part.startswith("full "):
        return f"{part} has no room"
    _write(ledger, f"book {part}")
    return None


def cancel(ledger: Path, part: str) -> None:
    """Take one booking back."""
    _write(ledger, f"cancel {part}")


def _write(ledger: Path, line: str) -> None:
    with ledger.open("a") as file:
        file.write(f"{line}\n")
