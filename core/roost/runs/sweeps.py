"""`Sweeps`: ends runs that nobody else ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from roost.clock import Clock
from roost.models import LeasedRun, RunKind
from roost.runs.active import ActiveRun, ActiveRuns, as_found
from roost.runs.drafts import Drafts
from roost.runs.endings import FINALIZE_TRIES, EndingWriter
from roost.runs.kept_endings import KeptEndings
from roost.runs.values import Ending, Settlement
from roost.store.base import RunRows

SWEPT_KINDS = (RunKind.TOOL_CALL, RunKind.COMMAND)
"""Kinds whose work lives in the daemon and so ended with it."""

WINDOW_S = 600.0
"""Silence after which a run without an owner is given up, unless the settings say otherwise."""

DAEMON_GONE = Ending.aborted(
    "daemon_gone", "the daemon that worked on it ended; nobody knows how far it came"
)
NOBODY = Ending.aborted("lost", "nobody works on it any more; nobody knows how far it came")
LAPSED = Ending.aborted("lost", "its program was not heard of any more and its lease ran out")

logger = logging.getLogger(__name__)

IsWorking = Callable[[str], bool]
"""Says whether somebody works on the run of this id now."""


class Sweeps:
    """Sweeps at boot and now and then.

    Args:
        owner: id of this daemon start; runs of every other owner are left over.
        window_ms: silence after which a run without an owner is given up.
    """

    def __init__(
        self,
        rows: RunRows,
        *,
        owner: str,
        clock: Clock,
        active: ActiveRuns,
        drafts: Drafts,
        endings: EndingWriter,
        kept: KeptEndings,
        window_ms: int,
    ) -> None:
        self._rows = rows
        self._owner = owner
        self._clock = clock
        self._active = active
        self._drafts = drafts
        self._endings = endings
        self._kept = kept
        self._window_ms = window_ms
        self._workers: dict[RunKind, IsWorking] = {}
        self._booted_at = 0
        """Since when programs could renew their leases here; 0 before the boot sweep."""

    def add_worker(self, kind: RunKind, is_working: IsWorking) -> None:
        """Let runs of a kind that this daemon began be swept once nobody works on them."""
        self._workers[kind] = is_working

    async def boot(self) -> int:
        """End the runs of earlier daemons that cannot go on; errors never stop the boot.

        Ends that an earlier daemon could not store are written first, as they were meant.

        Returns:
            How many runs were aborted.
        """
        self._booted_at = self._clock.now()
        try:
            await self._write_kept_of_earlier_daemons()
            aborted = await self._abort_left_over()
        except Exception:
            logger.exception("the boot sweep of runs failed; their scopes may stay occupied")
            return 0
        if aborted:
            logger.info("the boot sweep aborted %d runs of an earlier daemon", aborted)
        return aborted

    async def windowed(self) -> int:
        """End active runs without an owner that have been silent for the window.

        Errors are logged and never raised.

        Returns:
            How many runs were aborted.
        """
        aborted = 0
        try:
            for found in await self._rows.active_leases():
                aborted += await self._end_if_given_up(found)
        except Exception:
            logger.exception("the sweep of silent runs failed; the next one tries again")
        if aborted:
            logger.info("the sweep aborted %d runs that nobody works on any more", aborted)
        return aborted

    async def settle_if_lapsed(self, run: ActiveRun) -> bool:
        """End outside work whose lease ran out if it was asked to stop or is silent for long.

        Returns:
            Whether it was ended here.
        """
        async with run.lock:  # no report comes between the look and the claim
            if run.claimed is not None:
                return False
            ending = await self._newest_ending(run)
            if ending is None:
                return False
            write = self._drafts.final_write(run.view, ending)
            run.claimed = replace(write, lapsed_at=self._clock.now())
        return await self._endings.finish(run, tries=FINALIZE_TRIES) is Settlement.SETTLED

    async def write_kept(self) -> None:
        """Write the ends that the store did not take earlier."""
        for run in self._active.kept():
            await self._endings.finish(run)

    async def _write_kept_of_earlier_daemons(self) -> None:
        for write in await asyncio.to_thread(self._kept.load):
            run = await self._active.find(write.workspace, write.run_id)
            if run is None:
                self._kept.drop(write.run_id)
                continue
            run.is_kept = True
            await self._endings.settle(run, write)

    async def _abort_left_over(self) -> int:
        aborted = 0
        for view in await self._rows.active_of_other_owners(self._owner):
            if view.kind not in SWEPT_KINDS:
                continue
            run = self._active.add(ActiveRun(view, epoch=None))
            write = self._drafts.final_write(view, DAEMON_GONE)
            aborted += await self._endings.settle(run, write) is Settlement.SETTLED
        return aborted

    async def _end_if_given_up(self, found: LeasedRun) -> bool:
        if found.run.kind is RunKind.TASK:
            return False  # it waits as long as it takes, or is recovered
        if found.run.kind is RunKind.EXTERNAL:
            if self._outside_ending(found) is None:
                return False
            return await self.settle_if_lapsed(self._active.add(as_found(found)))
        if not self._is_silent(found.run.last_progress_at, found.run.created_at):
            return False
        if found.owner != self._owner:
            return await self._end(self._active.add(as_found(found)), DAEMON_GONE)
        is_working = self._workers.get(found.run.kind)
        if is_working is None or is_working(found.run.id):
            return False
        ours = ActiveRun(found.run, found.epoch, found.owner)
        return await self._end(self._active.add(ours), NOBODY)

    async def _newest_ending(self, run: ActiveRun) -> Ending | None:
        found = await self._rows.leased(run.view.workspace, run.view.id)
        if found is not None and found.run.status.is_active:
            return self._outside_ending(found)
        self._active.forget(run.view.id)
        return None

    def _outside_ending(self, found: LeasedRun) -> Ending | None:
        run = found.run
        # While no daemon ran, no program could renew its lease: it gets its length once more.
        ends_at = max(run.lease_until or 0, self._booted_at + (found.lease_ms or 0))
        if self._clock.now() < ends_at:
            return None
        if run.stop_requested_at is not None:
            told = f"stopped by {run.stop_requested_by}; its program did not end it itself"
            return Ending.aborted("stopped", told)
        return LAPSED if self._is_silent(run.last_progress_at, run.created_at) else None

    def _is_silent(self, last_progress_at: int | None, created_at: int) -> bool:
        return self._clock.now() - (last_progress_at or created_at) > self._window_ms

    async def _end(self, run: ActiveRun, ending: Ending) -> bool:
        write = self._drafts.final_write(run.view, ending)
        return await self._endings.settle(run, write) is Settlement.SETTLED
