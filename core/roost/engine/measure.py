"""Figures of every process tree, taken at a steady interval."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import psutil

from roost.clock import Clock
from roost.models import BundleMeasure, CallFigures, Figures, FiguresChanged, SlotState
from roost.supervision import BundleSlot, Supervisor
from roost.supervision.backoff import HEALTHY_AFTER_S
from roost.supervision.ports import Publish

logger = logging.getLogger(__name__)


class Measurer:
    """Measures the running bundles and the daemon itself."""

    def __init__(
        self,
        supervisor: Supervisor,
        *,
        orphans: Callable[[], tuple[int, ...]],
        publish: Publish,
        clock: Clock,
        interval_s: float,
    ) -> None:
        self._supervisor = supervisor
        self._find_orphans = orphans
        self.orphans: tuple[int, ...] = ()
        self._publish = publish
        self._clock = clock
        self._interval_s = interval_s
        self._self = psutil.Process()
        self.cpu_percent = 0.0
        self.rss_bytes = 0

    async def run(self) -> None:
        """Measure for ever."""
        while True:
            try:
                await self.measure()
            except Exception:
                logger.exception("measuring failed")
            await self._clock.sleep(self._interval_s)

    async def measure(self) -> None:
        """Take all figures once and publish those that changed as one event."""
        self.cpu_percent = self._self.cpu_percent()
        self.rss_bytes = self._self.memory_info().rss
        self.orphans = self._find_orphans()
        slots = [slot for slot in self._supervisor.slots if slot.incarnation is not None]
        taken = await asyncio.to_thread(lambda: [_tree_figures(slot) for slot in slots])
        changed = [
            BundleMeasure(slot.workspace, slot.name, slot.figures, slot.calls)
            for slot, figures in zip(slots, taken, strict=True)
            if self._update(slot, figures)
        ]
        if changed:
            self._publish(FiguresChanged(tuple(changed)))

    def _update(self, slot: BundleSlot, figures: Figures | None) -> bool:
        incarnation = slot.incarnation
        if incarnation is None or figures is None:
            return False
        calls = CallFigures(*incarnation.link.figures()) if incarnation.link else None
        has_changed = (slot.figures, slot.calls) != (figures, calls)
        slot.figures, slot.calls = figures, calls
        ready_at = incarnation.ready_monotonic
        is_healthy = ready_at is not None and self._clock.monotonic() - ready_at > HEALTHY_AFTER_S
        if is_healthy and slot.state is SlotState.RUNNING and slot.backoff.failures:
            slot.backoff.reset()
            slot.publish_view()
        return has_changed


def _tree_figures(slot: BundleSlot) -> Figures | None:
    incarnation = slot.incarnation
    tree = incarnation.process.figures() if incarnation is not None else None
    if tree is None:
        return None
    return Figures(round(tree.cpu_percent, 1), tree.rss_bytes, tree.processes)
