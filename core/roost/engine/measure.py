"""Figures of every process tree, taken at a steady interval."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from weakref import WeakKeyDictionary

from roost.clock import Clock
from roost.drivers.base import Measurement, TreeFigures
from roost.engine.figure_history import FigureHistory
from roost.engine.own_use import OwnUse
from roost.models import BundleMeasure, CallFigures, Figures, FigureSample, FiguresChanged
from roost.supervision import BundleSlot, Supervisor
from roost.supervision.ports import Publish

logger = logging.getLogger(__name__)

COST_SHARE = 0.001
"""Share of one processor that measuring may take: with very many processes on the machine the
interval is stretched, so that the daemon stays idle where its bundles are."""

LONGEST_PAUSE_S = 30.0


class Measurer:
    """Measures the running bundles and the daemon itself.

    Args:
        measure: measures every process tree at once.
        interval_s: seconds between two measurements, where they are cheap enough.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        *,
        measure: Callable[[], Awaitable[Measurement]],
        publish: Publish,
        clock: Clock,
        interval_s: float,
    ) -> None:
        self._supervisor = supervisor
        self._measure_trees = measure
        self.orphans: tuple[int, ...] = ()
        self._publish = publish
        self._clock = clock
        self._interval_s = interval_s
        self._self = OwnUse()
        self.cpu_percent = 0.0
        self.rss_bytes = 0
        # By slot, not by name: a bundle that is removed takes its past with it.
        self._histories: WeakKeyDictionary[BundleSlot, FigureHistory] = WeakKeyDictionary()

    async def run(self) -> None:
        """Measure for ever."""
        while True:
            pause_s = self._interval_s
            try:
                pause_s = _pause_after(await self.measure(), self._interval_s)
            except Exception:
                logger.exception("measuring failed")
            await self._clock.sleep(pause_s)

    async def measure(self) -> float:
        """Take all figures once and publish those that changed as one event.

        Returns:
            The processor time that it took, in seconds.
        """
        self.cpu_percent = self._self.cpu_percent()
        self.rss_bytes = self._self.rss_bytes()
        found = await self._measure_trees()
        began = time.thread_time()
        self.orphans = found.orphans
        changed = [
            BundleMeasure(slot.workspace, slot.name, slot.figures, slot.calls)
            for slot in self._supervisor.slots
            if self._update(slot, found)
        ]
        if changed:
            self._publish(FiguresChanged(tuple(changed)))
        return found.cost_s + time.thread_time() - began

    def history(self, slot: BundleSlot) -> tuple[FigureSample, ...]:
        """Return the last figures of a bundle, oldest first."""
        history = self._histories.get(slot)
        return history.samples() if history is not None else ()

    def _history(self, slot: BundleSlot) -> FigureHistory:
        history = self._histories.get(slot)
        if history is None:
            history = self._histories[slot] = FigureHistory()
        return history

    def _update(self, slot: BundleSlot, found: Measurement) -> bool:
        incarnation = slot.incarnation
        tree = found.figures.get(incarnation.process.handle) if incarnation is not None else None
        if incarnation is None or tree is None:
            return False
        figures = _shown(tree)
        self._history(slot).add(self._clock.now(), figures)
        calls = CallFigures(*incarnation.link.figures()) if incarnation.link else None
        has_changed = (slot.figures, slot.calls) != (figures, calls)
        slot.figures, slot.calls = figures, calls
        return has_changed


def _shown(tree: TreeFigures) -> Figures:
    return Figures(
        cpu_percent=round(tree.cpu_percent, 1),
        rss_bytes=tree.rss_bytes,
        processes=tree.processes,
        threads=tree.threads,
        descriptors=tree.descriptors,
    )


def _pause_after(cost_s: float, interval_s: float) -> float:
    """Return the pause after a measurement that took this much processor time."""
    return max(interval_s, min(cost_s / COST_SHARE, LONGEST_PAUSE_S))
