"""`Sweeps`: ends runs that nobody else ends."""

from __future__ import annotations

import asyncio
import logging

from roost.models import RunKind
from roost.runs.active import ActiveRun, ActiveRuns
from roost.runs.drafts import Drafts
from roost.runs.endings import EndingWriter
from roost.runs.kept_endings import KeptEndings
from roost.runs.values import Ending, Settlement
from roost.store.base import RunRows

SWEPT_KINDS = (RunKind.TOOL_CALL, RunKind.COMMAND)
"""Kinds whose work lives in the daemon and so ended with it."""

DAEMON_GONE = Ending.aborted(
    "daemon_gone", "the daemon that worked on it ended; nobody knows how far it came"
)

logger = logging.getLogger(__name__)


class Sweeps:
    """Sweeps at boot and now and then.

    Args:
        owner: id of this daemon start; runs of every other owner are left over.
    """

    def __init__(
        self,
        rows: RunRows,
        *,
        owner: str,
        active: ActiveRuns,
        drafts: Drafts,
        endings: EndingWriter,
        kept: KeptEndings,
    ) -> None:
        self._rows = rows
        self._owner = owner
        self._active = active
        self._drafts = drafts
        self._endings = endings
        self._kept = kept

    async def boot(self) -> int:
        """End the runs of earlier daemons that cannot go on; errors never stop the boot.

        Ends that an earlier daemon could not store are written first, as they were meant.

        Returns:
            How many runs were aborted.
        """
        try:
            await self._write_kept_of_earlier_daemons()
            aborted = await self._abort_left_over()
        except Exception:
            logger.exception("the boot sweep of runs failed; their scopes may stay occupied")
            return 0
        if aborted:
            logger.info("the boot sweep aborted %d runs of an earlier daemon", aborted)
        return aborted

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
