"""Writes the ends of runs: claimed at once, written once, and never given up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from roost.clock import Clock
from roost.models import RunView
from roost.runs.active import ActiveRun
from roost.runs.kept_endings import KeptEndings
from roost.runs.values import FinalWrite, Settlement
from roost.store.base import RunRows

FINALIZE_TRIES = 3
"""Tries in a row; a store that fails three times is down, not busy."""

RETRY_PAUSE_S = 0.05
"""Seconds before the second try, and twice as long before the third: outlasts a checkpoint."""

logger = logging.getLogger(__name__)


class EndingWriter:
    """Writes terminal statuses.

    Args:
        on_settled: told of each run that has settled, with its row as it stands.
        on_gone: told of each run that is not ours to end any more.
    """

    def __init__(
        self,
        rows: RunRows,
        *,
        clock: Clock,
        kept: KeptEndings,
        on_settled: Callable[[RunView], None],
        on_gone: Callable[[str], None],
    ) -> None:
        self._rows = rows
        self._clock = clock
        self._kept = kept
        self._on_settled = on_settled
        self._on_gone = on_gone

    async def settle(self, run: ActiveRun, write: FinalWrite) -> Settlement:
        """End a run, or finish the end that was claimed before."""
        is_first = run.claimed is None
        if run.claimed is None:
            run.claimed = write
        settlement = await self.finish(run, tries=FINALIZE_TRIES)
        if settlement is Settlement.SETTLED and not is_first:
            return Settlement.EARLIER
        return settlement

    async def finish(self, run: ActiveRun, *, tries: int = 1) -> Settlement:
        """Write the claimed end of a run."""
        async with run.lock:
            if run.is_settled or run.claimed is None:
                return Settlement.EARLIER
            return await self._write(run, run.claimed, tries)

    async def _write(self, run: ActiveRun, write: FinalWrite, tries: int) -> Settlement:
        for attempt in range(1, tries + 1):
            try:
                return await self._try(run, write)
            except Exception as error:  # noqa: BLE001 - logged by `_keep`; no end may be lost
                if attempt == tries:
                    await self._keep(run, write, error)
                else:
                    await self._clock.sleep(RETRY_PAUSE_S * attempt)
        return Settlement.KEPT

    async def _try(self, run: ActiveRun, write: FinalWrite) -> Settlement:
        view = await self._rows.finalize(
            write.run_id,
            at=write.at,
            status=write.status,
            error=write.error,
            result=write.result,
            is_truncated=write.is_truncated,
            link=write.link,
            owner=None if run.epoch is None else run.owner,
            epoch=run.epoch or 0,
            lapsed_at=write.lapsed_at,
        )
        if view is None:
            return self._found(run, write, await self._rows.get(write.workspace, write.run_id))
        self._close(run, view)
        return Settlement.SETTLED

    def _found(self, run: ActiveRun, write: FinalWrite, view: RunView | None) -> Settlement:
        if view is None or view.status.is_active:
            logger.warning("run %s is not ours to end any more", write.run_id)
            run.is_settled = True
            self._kept.drop(write.run_id)
            self._on_gone(write.run_id)
            return Settlement.EARLIER
        self._close(run, view)
        # A try that was reported as failed may have been stored all the same.
        is_ours = (view.status, view.finished_at) == (write.status, write.at)
        return Settlement.SETTLED if is_ours else Settlement.EARLIER

    def _close(self, run: ActiveRun, view: RunView) -> None:
        run.is_settled, run.view = True, view
        if run.is_kept:
            self._kept.drop(view.id)
        self._on_settled(view)

    async def _keep(self, run: ActiveRun, write: FinalWrite, error: Exception) -> None:
        if run.is_kept:
            return
        run.is_kept = True
        logger.error(
            "the end of run %s (scope %s) could not be stored and is kept as %s: %s",
            write.run_id,
            write.scope,
            write.status,
            error,
        )
        await asyncio.to_thread(self._kept.save, write)
