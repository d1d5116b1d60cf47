"""Runs that nobody holds any more are ended, and no others."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from tests.support.ledger import Ledger
from tests.support.stores import new_run

from roost.models import (
    BeginRequest,
    RunKind,
    RunLease,
    RunProgress,
    RunReport,
    RunStatus,
    RunView,
)
from roost.runs import Ending, OutsideWork
from roost.store import SqlStore

WINDOW_S = 600


async def begin(ledger: Ledger, **changes: Any) -> RunLease:
    values: dict[str, Any] = {"title": "index the mail", "lease_s": 60.0} | changes
    return await OutsideWork(ledger.recorder).begin("main", BeginRequest(**values), actor="ann")


async def report(ledger: Ledger, lease: RunLease) -> RunLease:
    told = RunReport(lease.epoch, steps=(RunProgress(1),))
    return await OutsideWork(ledger.recorder).report("main", lease.run.id, told)


async def row(store: SqlStore, run_id: str) -> RunView:
    view = await store.runs.get("main", run_id)
    assert view is not None
    return view


def later(ledger: Ledger, store: SqlStore, directory: Path) -> Ledger:
    """Return the ledger of the next daemon start, at the same time."""
    after = Ledger(store.runs, directory, owner="daemon-2")
    after.clock.advance((ledger.clock.now() - after.clock.now()) / 1000)
    return after


async def test_of_runs_with_expired_leases_only_those_silent_for_the_window_are_aborted(
    ledger: Ledger, store: SqlStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "roost.runs")
    silent, settled = await begin(ledger, scope="a"), await begin(ledger)
    await report(ledger, silent)
    await ledger.recorder.finalize("main", settled.run.id, Ending(RunStatus.SUCCEEDED))
    end = await row(store, settled.run.id)
    ledger.clock.advance(2)
    heard = await report(ledger, await begin(ledger, scope="b"))
    ledger.clock.advance(WINDOW_S - 1)  # 10:01 and 9:59 minutes
    live = await begin(ledger, lease_s=3600)

    assert await ledger.recorder.windowed_sweep() == 1

    swept = await row(store, silent.run.id)
    assert (swept.status, swept.error and swept.error.code) == (RunStatus.ABORTED, "lost")
    assert await row(store, heard.run.id) == heard.run
    assert await row(store, settled.run.id) == end
    assert "aborted 1 runs" in caplog.text

    call = await ledger.begin()
    after = later(ledger, store, tmp_path)
    assert await after.recorder.boot_sweep() == 1
    taken = await row(store, call.id)
    assert taken.error is not None and taken.error.code == "daemon_gone"
    assert "aborted 1 runs of an earlier daemon" in caplog.text
    assert (await row(store, live.run.id)).status is RunStatus.RUNNING
    assert (await begin(after, scope="a")).is_new


async def test_a_run_whose_lease_holds_is_never_swept_however_silent(
    ledger: Ledger, store: SqlStore
) -> None:
    lease = await begin(ledger, lease_s=3600)
    ledger.clock.advance(3599)
    assert await ledger.recorder.windowed_sweep() == 0
    assert await row(store, lease.run.id) == lease.run
    ledger.clock.advance(2)
    assert await ledger.recorder.windowed_sweep() == 1


async def test_after_a_boot_a_program_has_its_lease_once_more_to_come_back(
    ledger: Ledger, store: SqlStore, tmp_path: Path
) -> None:
    lease = await begin(ledger)
    ledger.clock.advance(3600)  # nobody could take a report
    after = later(ledger, store, tmp_path)
    await after.recorder.boot_sweep()
    assert await after.recorder.windowed_sweep() == 0
    after.clock.advance(59)
    assert await after.recorder.windowed_sweep() == 0
    await report(after, lease)
    after.clock.advance(59)
    assert await after.recorder.windowed_sweep() == 0
    after.clock.advance(WINDOW_S)
    assert await after.recorder.windowed_sweep() == 1


async def test_an_asked_stop_settles_as_soon_as_the_lease_runs_out(
    ledger: Ledger, store: SqlStore
) -> None:
    lease = await begin(ledger)
    await ledger.recorder.request_stop("main", lease.run.id, by="bob")
    ledger.clock.advance(59)
    assert await ledger.recorder.windowed_sweep() == 0
    ledger.clock.advance(2)
    assert await ledger.recorder.windowed_sweep() == 1
    view = await row(store, lease.run.id)
    assert view.error is not None and view.error.code == "stopped"
    assert "bob" in view.error.sentence


async def test_a_report_that_comes_first_saves_the_run_from_the_sweep(
    ledger: Ledger, store: SqlStore
) -> None:
    lease = await begin(ledger)
    ledger.clock.advance(WINDOW_S + 1)
    ledger.rows.gates["report"] = asyncio.Event()
    reporting = asyncio.create_task(report(ledger, lease))
    await ledger.rows.called("report")
    sweeping = asyncio.create_task(ledger.recorder.windowed_sweep())
    await ledger.rows.called("active_leases")
    ledger.rows.gates.pop("report").set()
    async with asyncio.timeout(30):
        told = await reporting
        assert await sweeping == 0
    assert await row(store, lease.run.id) == told.run


async def test_a_report_that_only_the_store_knows_of_stands_against_the_sweep(
    ledger: Ledger, store: SqlStore
) -> None:
    lease = await begin(ledger)
    ledger.clock.advance(WINDOW_S + 1)
    ledger.rows.gates["finalize"] = asyncio.Event()
    sweeping = asyncio.create_task(ledger.recorder.windowed_sweep())
    await ledger.rows.called("finalize")
    owner = (await store.runs.active_leases())[0].owner
    await store.runs.report(
        lease.run.id,
        at=ledger.clock.now(),
        steps=(),
        outputs=(),
        link=None,
        owner=owner,
        epoch=1,
    )
    ledger.rows.gates.pop("finalize").set()
    async with asyncio.timeout(30):
        assert await sweeping == 0
    assert (await row(store, lease.run.id)).status is RunStatus.RUNNING
    assert (await report(ledger, lease)).run.status is RunStatus.RUNNING


async def test_a_run_of_ours_is_live_as_long_as_somebody_works_on_it(
    ledger: Ledger, store: SqlStore
) -> None:
    working, lost = await ledger.begin(scope="a"), await ledger.begin(scope="b")
    command = await ledger.begin(kind=RunKind.COMMAND)
    ledger.recorder.add_worker(RunKind.TOOL_CALL, lambda run_id: run_id == working.id)
    ledger.clock.advance(WINDOW_S - 1)
    assert await ledger.recorder.windowed_sweep() == 0
    ledger.clock.advance(2)
    assert await ledger.recorder.windowed_sweep() == 1
    view = await row(store, lost.id)
    assert (view.status, view.error and view.error.code) == (RunStatus.ABORTED, "lost")
    for run in (working, command):
        assert (await row(store, run.id)).status is RunStatus.RUNNING


async def test_a_run_that_the_boot_sweep_missed_is_found_later(
    ledger: Ledger, store: SqlStore, tmp_path: Path
) -> None:
    call = await ledger.begin()
    after = later(ledger, store, tmp_path)
    after.rows.failures["active_of_other_owners"] = 1
    assert await after.recorder.boot_sweep() == 0
    after.clock.advance(WINDOW_S + 1)
    assert await after.recorder.windowed_sweep() == 1
    view = await row(store, call.id)
    assert view.error is not None and view.error.code == "daemon_gone"


async def test_a_sweep_that_fails_is_logged_and_tried_again(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    await begin(ledger)
    ledger.clock.advance(WINDOW_S + 1)
    ledger.rows.failures["active_leases"] = 1
    assert await ledger.recorder.windowed_sweep() == 0
    assert "the next one tries again" in caplog.text
    assert await ledger.recorder.windowed_sweep() == 1


async def test_an_end_that_the_sweep_could_not_store_is_written_later(
    ledger: Ledger, store: SqlStore
) -> None:
    lease = await begin(ledger)
    ledger.clock.advance(WINDOW_S + 1)
    ledger.rows.failures["finalize"] = 3
    assert await ledger.recorder.windowed_sweep() == 0
    await ledger.recorder.sweep()
    assert (await row(store, lease.run.id)).status is RunStatus.ABORTED


async def test_a_sweep_of_rows_that_only_the_store_knows_keeps_to_the_window(
    ledger: Ledger, store: SqlStore
) -> None:
    now = ledger.clock.now()
    for number, silence_s in enumerate((WINDOW_S - 1, WINDOW_S, WINDOW_S + 1)):
        at = now - silence_s * 1000
        run = new_run(
            f"r-{number}",
            owner="daemon-0",
            status=RunStatus.RUNNING,
            created_at=at,
            last_progress_at=at,
        )
        await store.runs.insert(run)
    assert await ledger.recorder.windowed_sweep() == 1
    assert (await row(store, "r-2")).status is RunStatus.ABORTED
    assert (await row(store, "r-1")).status is RunStatus.RUNNING
