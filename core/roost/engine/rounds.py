"""`Rounds`: what the engine does again and again while it runs, each in a task of its own."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from roost.models import DaemonChanged, DaemonView
from roost.runs.retention import Retention, RetentionLimits

if TYPE_CHECKING:
    from roost.engine.engine import Engine

RUN_SWEEP_INTERVAL_S = 15.0
"""How often ends of runs that the store did not take are offered again, and runs that nobody holds
any more are looked for."""

RUN_RETENTION_INTERVAL_S = 3600.0
"""How often settled runs past the limits are removed: those are days and thousands."""

SNAPSHOT_MEASURE_INTERVAL_S = 60.0
"""How often the memory of living templates is read, which takes milliseconds for each; they grow
by leaks of what they hold, if at all."""


class Rounds:
    """Measures, shows, sweeps and retains until it is stopped.

    Args:
        engine: a started engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._clock = engine.clock
        self._tasks = [
            asyncio.create_task(engine.measurer.run(), name="measurer"),
            asyncio.create_task(self._show_daemon(), name="daemon-view"),
            asyncio.create_task(self._sweep_runs(), name="run-sweep"),
            asyncio.create_task(self._retain_runs(), name="run-retention"),
            asyncio.create_task(self._measure_snapshots(), name="snapshot-memory"),
        ]

    async def stop(self) -> None:
        """End them all."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def _show_daemon(self) -> None:
        engine = self._engine
        shown: DaemonView | None = None
        while True:
            view = engine.daemon_view()
            if view != shown:
                shown = view
                engine.bus.publish(DaemonChanged(view))
            await self._clock.sleep(engine.settings.figures_interval_s)

    async def _sweep_runs(self) -> None:
        engine = self._engine
        while True:
            await self._clock.sleep(RUN_SWEEP_INTERVAL_S)
            await engine.recorder.sweep()
            await engine.recorder.windowed_sweep()
            await engine.tasks.sweep()

    async def _retain_runs(self) -> None:
        engine, settings = self._engine, self._engine.settings
        retention = Retention(
            engine.store.runs,
            RetentionLimits(settings.run_days_kept, settings.runs_kept, settings.run_events_kept),
            clock=self._clock,
            forget=engine.recorder.forget,
        )
        while True:
            await self._clock.sleep(RUN_SWEEP_INTERVAL_S)
            await retention.run_once()
            await self._clock.sleep(RUN_RETENTION_INTERVAL_S)

    async def _measure_snapshots(self) -> None:
        while True:
            await self._clock.sleep(SNAPSHOT_MEASURE_INTERVAL_S)
            await self._engine.snapshots.measure()
