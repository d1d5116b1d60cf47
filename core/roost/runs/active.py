"""`ActiveRuns`: the runs this daemon may still write to, by id."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from roost.models import LeasedRun, RunKind, RunView
from roost.runs.values import FinalWrite
from roost.store.base import RunRows

LEASED_KINDS = (RunKind.EXTERNAL, RunKind.TASK)
"""Kinds whose lease outlives a daemon: others hold it, or it waits for a worker to claim it."""


@dataclass(slots=True)
class ActiveRun:
    """A run that has not settled, as this daemon knows it."""

    view: RunView
    epoch: int | None
    """Epoch of the lease under which it is written; None for a run of another daemon start."""
    owner: str = ""
    """Owner of that lease: this daemon start, or what stands for the program that does the work."""
    lease_ms: int | None = None
    """How long the lease of others' work holds from each report on."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Guards the order in which the run's writes are stored and published."""
    claimed: FinalWrite | None = None
    """The end that won; set once, without an await between check and claim."""
    is_kept: bool = False
    """Whether the end was tried in vain and waits for the store."""
    is_settled: bool = False


def as_found(leased: LeasedRun) -> ActiveRun:
    """Return a run of the store as this daemon may write to it."""
    if leased.run.kind not in LEASED_KINDS:
        return ActiveRun(leased.run, epoch=None)
    return ActiveRun(leased.run, leased.epoch, leased.owner, leased.lease_ms)


class ActiveRuns:
    """Finds active runs: ours in memory; outside work and those of earlier daemons in the store."""

    def __init__(self, rows: RunRows) -> None:
        self._rows = rows
        self._runs: dict[str, ActiveRun] = {}

    def add(self, run: ActiveRun) -> ActiveRun:
        """Take a run in, or return what is known of it already."""
        return self._runs.setdefault(run.view.id, run)

    def forget(self, run_id: str) -> None:
        """Let go of a run that has settled, was never stored, or is not ours any more."""
        self._runs.pop(run_id, None)

    def known(self, run_id: str) -> ActiveRun | None:
        """Return a run without asking the store."""
        return self._runs.get(run_id)

    def kept(self) -> tuple[ActiveRun, ...]:
        """Return the runs whose end waits for the store."""
        return tuple(run for run in self._runs.values() if run.is_kept)

    async def find(self, workspace: str, run_id: str) -> ActiveRun | None:
        """Return an active run of a workspace, or None when there is none (any more)."""
        known = self._runs.get(run_id)
        if known is not None:
            return known if known.view.workspace == workspace else None
        found = await self._rows.leased(workspace, run_id)
        if found is None or not found.run.status.is_active:
            return None
        return self.add(as_found(found))
