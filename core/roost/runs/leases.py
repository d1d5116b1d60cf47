"""`Leases`: the reports of outside work, each stored under the lease it names or not at all."""

from __future__ import annotations

from roost.errors import LeaseLost, RunNotFound, StoreUnavailable
from roost.models import FinishRequest, LeasedRun, RunKind, RunLease, RunReport, RunView
from roost.runs.active import ActiveRun
from roost.runs.drafts import outside_owner
from roost.runs.endings import EndingWriter
from roost.runs.parts import LedgerParts
from roost.runs.values import Ending, Settlement

ATTACH_TRIES = 3
"""Tries to take a lease over that another daemon on this database changes at the same time."""


class Leases:
    """Hands leases on, renews them, and settles runs for who holds them."""

    def __init__(self, parts: LedgerParts) -> None:
        self._rows = parts.rows
        self._clock = parts.clock
        self._active = parts.active
        self._drafts = parts.drafts
        self._endings = parts.endings
        self._announce = parts.announce

    async def held(self, workspace: str, run_id: str) -> LeasedRun:
        """Return a run with its lease.

        Raises:
            RunNotFound: no such run in this workspace.
        """
        found = await self._rows.leased(workspace, run_id)
        if found is None:
            raise RunNotFound(run_id)
        return found

    async def attach(self, workspace: str, run_id: str, lease_ms: int) -> RunLease:
        """Take the lease of an active run over under the next epoch; a settled run stays as it is.

        Raises:
            RunNotFound: no such run in this workspace.
            StoreUnavailable: its end is still to be stored.
        """
        for _ in range(ATTACH_TRIES):
            run = await self._active.find(workspace, run_id)
            if run is None:
                return lease_of(await self.held(workspace, run_id), is_new=False)
            async with run.lock:
                if run.claimed is None and await self._take_over(run, lease_ms):
                    return lease_of(LeasedRun(run.view, run.owner, run.epoch or 0), is_new=False)
            if run.claimed is not None:
                await settle_claimed(run, self._endings)
        raise LeaseLost(run_id, "others take it over at the same time")

    async def report(self, workspace: str, run_id: str, report: RunReport) -> RunLease:
        """Store a report in one write and renew the lease.

        Raises:
            RunNotFound: no such run in this workspace.
            LeaseLost: the run has settled, or another epoch holds it.
        """
        run = await self._find(workspace, run_id)
        async with run.lock:
            self._check(run, report.epoch)
            at, view = self._clock.now(), run.view
            stored = await self._rows.report(
                run_id,
                at=at,
                steps=[self._drafts.step(view, progress) for progress in report.steps],
                outputs=self._drafts.outputs(view, report.output or ""),
                link=report.link and self._drafts.link(view, report.link),
                owner=run.owner,
                epoch=report.epoch,
            )
            if stored is None:
                self._active.forget(run_id)
                raise LeaseLost(run_id, "it has settled or somebody else holds it")
            self._announce(stored)
        return lease_of(LeasedRun(stored, run.owner, report.epoch))

    async def finish(self, workspace: str, run_id: str, end: FinishRequest) -> RunView:
        """Settle a run; the first end stays, and is the answer when it is asked for again.

        Raises:
            RunNotFound: no such run in this workspace.
            LeaseLost: another epoch holds it.
            StoreUnavailable: the end is kept and will be stored.
        """
        run = await self._active.find(workspace, run_id)
        if run is not None:
            _check_kind(run.view)
            async with run.lock:
                self._check_epoch(run.view.id, run.epoch or 0, end.epoch)
                if run.claimed is None:
                    link = end.link and self._drafts.link(run.view, end.link)
                    ending = Ending(end.status, end.error, end.result, link)
                    run.claimed = self._drafts.final_write(run.view, ending)
            await settle_claimed(run, self._endings)
        found = await self.held(workspace, run_id)
        _check_kind(found.run)
        self._check_epoch(run_id, found.epoch, end.epoch)
        if found.run.status.is_active:
            raise LeaseLost(run_id, "somebody else holds it")
        return found.run

    async def _take_over(self, run: ActiveRun, lease_ms: int) -> bool:
        owner, epoch = outside_owner(), run.epoch or 0
        view = await self._rows.take_over(
            run.view.id,
            at=self._clock.now(),
            owner=run.owner,
            epoch=epoch,
            new_owner=owner,
            lease_ms=lease_ms,
        )
        if view is None:
            self._active.forget(run.view.id)
            return False
        run.owner, run.epoch, run.lease_ms = owner, epoch + 1, lease_ms
        self._announce(view)
        return True

    async def _find(self, workspace: str, run_id: str) -> ActiveRun:
        run = await self._active.find(workspace, run_id)
        if run is None:
            found = await self.held(workspace, run_id)
            raise LeaseLost(run_id, f"the run has {found.run.status}")
        _check_kind(run.view)
        return run

    def _check(self, run: ActiveRun, epoch: int) -> None:
        if run.claimed is not None:
            raise LeaseLost(run.view.id, f"the run has {run.claimed.status}")
        self._check_epoch(run.view.id, run.epoch or 0, epoch)

    @staticmethod
    def _check_epoch(run_id: str, held: int, told: int) -> None:
        if held != told:
            raise LeaseLost(run_id, f"epoch {held} holds it")


async def settle_claimed(run: ActiveRun, endings: EndingWriter) -> None:
    """Write the end that was claimed for a run.

    Raises:
        StoreUnavailable: it is kept and will be stored.
    """
    if run.claimed is None:
        return
    if await endings.settle(run, run.claimed) is Settlement.KEPT:
        raise StoreUnavailable(
            f"the end of run {run.view.id} is kept and will be stored as soon as the store answers"
        )


def lease_of(leased: LeasedRun, *, is_new: bool = True) -> RunLease:
    """Return a lease as whoever holds it is told of it."""
    run = leased.run
    return RunLease(
        run=run,
        epoch=leased.epoch,
        until=run.lease_until or run.created_at,
        stop_requested=run.stop_requested_at is not None,
        is_new=is_new,
    )


def _check_kind(run: RunView) -> None:
    """Refuse reports for work that the daemon does itself."""
    if run.kind is not RunKind.EXTERNAL:
        raise LeaseLost(run.id, "it is no outside work, so nobody else reports for it")
