"""`Retention`: lets go of settled runs that are old or too many, and says how many."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from roost.clock import Clock
from roost.models import KeptRun
from roost.store.base import RunRows

DAY_MS = 86_400_000

BATCH_RUNS = 200
"""Runs deleted in one transaction, so that it takes some milliseconds."""

BATCH_EVENTS = 2000
"""Events deleted in one transaction, for the same reason."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetentionLimits:
    """What is kept of settled runs."""

    days: float
    """Days after its end for which a run is kept."""
    runs: int
    """Settled runs kept in each workspace: its newest ones."""
    events: int
    """Events kept of each settled run: its newest ones."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What one pass has removed."""

    old: int = 0
    """Runs that had ended too long ago."""
    beyond: int = 0
    """Runs that were more than their workspace keeps."""
    events: int = 0
    """Events of runs that are kept."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was removed."""
        return not (self.old or self.beyond or self.events)


class Retention:
    """Removes settled runs with their payloads and events in small batches; never active ones.

    Args:
        forget: told of the ids of the runs that are removed.
    """

    def __init__(
        self,
        rows: RunRows,
        limits: RetentionLimits,
        *,
        clock: Clock,
        forget: Callable[[Sequence[str]], None],
    ) -> None:
        self._rows = rows
        self._limits = limits
        self._clock = clock
        self._forget = forget

    async def run_once(self) -> Removed:
        """Remove what is past the limits; errors are logged and never raised."""
        try:
            removed = await self._remove()
        except Exception:
            logger.exception("retention of runs failed; the next pass goes on where it ended")
            return Removed()
        if not removed.is_empty:
            logger.info(
                "retention removed %d runs older than %g days, %d beyond the newest %d of their "
                "workspace, and %d events of others",
                removed.old,
                self._limits.days,
                removed.beyond,
                self._limits.runs,
                removed.events,
            )
        return removed

    async def _remove(self) -> Removed:
        oldest = self._clock.now() - round(self._limits.days * DAY_MS)
        rows, limits = self._rows, self._limits
        old = await self._remove_all(lambda: rows.settled_before(oldest, limit=BATCH_RUNS))
        beyond = await self._remove_all(lambda: rows.settled_beyond(limits.runs, limit=BATCH_RUNS))
        return Removed(old, beyond, await self._trim())

    async def _remove_all(self, find: Callable[[], Awaitable[Sequence[KeptRun]]]) -> int:
        removed = 0
        while found := await find():
            for run in found:
                if run.event_count > BATCH_EVENTS:
                    await self._drop_events(run, run.last_seq)
            gone = 0
            for batch in _batches(found):
                gone += await self._rows.remove_settled([run.id for run in batch])
                self._forget([run.id for run in batch])
                await asyncio.sleep(0)  # whoever waits to write comes first
            removed += gone
            if not gone:  # what is found again and not removed would be found for ever
                return removed
        return removed

    async def _trim(self) -> int:
        trimmed, keep = 0, self._limits.events
        while found := await self._rows.settled_with_more_events(keep, limit=BATCH_RUNS):
            gone = 0
            for run in found:
                gone += await self._drop_events(run, run.last_seq - keep)
            trimmed += gone
            if not gone:
                return trimmed
        return trimmed

    async def _drop_events(self, run: KeptRun, up_to: int) -> int:
        dropped = 0
        while gone := await self._rows.drop_events(run.id, up_to=up_to, limit=BATCH_EVENTS):
            dropped += gone
            await asyncio.sleep(0)
        return dropped


def _batches(found: Sequence[KeptRun]) -> list[list[KeptRun]]:
    """Group runs so that no group has many more events than one transaction may delete."""
    batches: list[list[KeptRun]] = [[]]
    events = 0
    for run in found:
        count = min(run.event_count, BATCH_EVENTS)
        if batches[-1] and events + count > BATCH_EVENTS:
            batches.append([])
            events = 0
        batches[-1].append(run)
        events += count
    return batches
