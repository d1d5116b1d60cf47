"""`LedgerParts`: what the recorder shares with those who write runs under leases of others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from roost.clock import Clock
from roost.models import RunView
from roost.runs.active import ActiveRuns
from roost.runs.drafts import Drafts
from roost.runs.endings import EndingWriter
from roost.runs.payload import Payloads
from roost.store.base import RunRows


@dataclass(frozen=True, slots=True)
class LedgerParts:
    """One ledger."""

    rows: RunRows
    clock: Clock
    active: ActiveRuns
    drafts: Drafts
    payloads: Payloads
    endings: EndingWriter
    announce: Callable[[RunView], RunView]
    """Told of each row that was stored, under the run's lock."""
