"""`Workshop`: builds and verifies snapshots, one at a time for each bundle."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from roost.errors import (
    RoostError,
    SnapshotBusy,
    SnapshotFailed,
    SnapshotMissing,
    SnapshotRefused,
    SnapshotStale,
)
from roost.models import Reason
from roost.models.snapshot import SnapshotBackend, SnapshotPhase, SnapshotPolicy, SnapshotState
from roost.snapshots.answers import AnswersDiffer, refuse_other_answers
from roost.snapshots.backend import Built, Template, Verifier
from roost.snapshots.cold_start import ColdStart
from roost.snapshots.item import ShelfItem
from roost.snapshots.record import Attempt, Made
from roost.snapshots.upkeep import Upkeep

logger = logging.getLogger(__name__)


class Workshop:
    """Builds under way outlive the caller who asked for them, until `close`."""

    def __init__(self, upkeep: Upkeep) -> None:
        self._upkeep = upkeep
        self._tasks: set[asyncio.Task[Attempt | None]] = set()

    async def close(self) -> None:
        """End all builds; nothing is left of them."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def build(self, item: ShelfItem) -> None:
        """Build a bundle's snapshot; a cancelled caller only stops waiting.

        Raises:
            SnapshotBusy: one is being built.
            SnapshotRefused: there can be none, or a guard found what must not be in it.
            SnapshotFailed: the build broke off or was ended; an earlier snapshot is as it was.
            RoostError: the bundle's start cannot be resolved.
        """
        if item.building is not None:
            raise SnapshotBusy(item.name)
        task = self._own(self._build(item), f"build the snapshot of {item.workspace}/{item.name}")
        item.building, item.phase = task, None
        task.add_done_callback(lambda _: self._built(item))
        self._upkeep.tell(item)
        attempt = await self._outcome(item, task)
        if attempt is None:
            return
        if attempt.state is SnapshotState.REFUSED:
            raise SnapshotRefused(item.name, attempt.reason.sentence)
        phase = attempt.phase or "its beginning"
        raise SnapshotFailed(item.name, phase, attempt.reason.sentence)

    async def _outcome(self, item: ShelfItem, task: asyncio.Task[Attempt | None]) -> Attempt | None:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.cancelled():  # the caller was
                raise
        raise SnapshotFailed(item.name, item.phase or "its beginning", "it was ended")

    async def cancel(self, item: ShelfItem) -> bool:
        """End a build under way and return whether there was one; nothing is left of it."""
        building = item.building
        if building is None:
            return False
        building.cancel()
        await asyncio.wait({building})
        return True

    async def verify(self, item: ShelfItem) -> None:
        """Start the bundle from its snapshot once more and compare what it answers.

        Raises:
            SnapshotMissing: there is none.
            SnapshotBusy: it is being built.
            SnapshotStale: something has changed since it was made.
            SnapshotFailed: it answers otherwise or does not start, and is not used any more.
            RoostError: the bundle's start cannot be resolved, or the template does not come up.
        """
        if item.building is not None:
            raise SnapshotBusy(item.name)
        if item.made is None:
            raise SnapshotMissing(item.name)
        start = await self._upkeep.bundles.cold_start(*item.key)
        await self._upkeep.look(item, start, contents=True)
        if item.change is not None:
            raise SnapshotStale(item.name, item.change.sentence)
        template = await item.warmth.wait()
        made = item.made
        if made is None:
            raise SnapshotMissing(item.name)
        reason = await _difference(made, template, self._upkeep.bundles.verifier(start))
        if reason is not None:
            await self._upkeep.give_up(item, reason, SnapshotPhase.VERIFY)
            raise SnapshotFailed(item.name, SnapshotPhase.VERIFY, reason.sentence)

    async def _build(self, item: ShelfItem) -> Attempt | None:
        """Build and publish; returns how it ended where nothing was made."""
        upkeep = self._upkeep
        start = await upkeep.bundles.cold_start(*item.key)
        backend = await asyncio.to_thread(upkeep.backend.of, start)
        item.entry = await asyncio.to_thread(backend.entry, start)
        item.wanted = backend.kind
        if isinstance(item.entry, Reason):
            raise SnapshotRefused(item.name, item.entry.sentence)
        tracer, verifier = upkeep.bundles.tracer(start), upkeep.bundles.verifier(start)
        built = await backend.build(start, tracer, verifier, lambda phase: self._enter(item, phase))
        if isinstance(built, Attempt):
            item.attempt = built
            await upkeep.save(item)
            return built
        await self._publish(item, built, start)
        return None

    async def _publish(self, item: ShelfItem, built: Built, start: ColdStart) -> None:
        item.made, item.attempt, item.change = built.made, None, None
        item.suspicion = item.unreadable = None
        item.warmth.adopt(built.template)
        item.template_bytes = built.made.template_bytes or await built.template.measure()
        waits = built.made.backend is not SnapshotBackend.STANDBY or start.should_run
        if self._upkeep.policy(item) is SnapshotPolicy.OFF or not waits:
            await item.warmth.drop()
        await self._upkeep.save(item)

    def _enter(self, item: ShelfItem, phase: SnapshotPhase) -> None:
        item.phase = phase
        self._upkeep.tell(item)

    def _built(self, item: ShelfItem) -> None:
        item.building = None
        self._upkeep.tell(item)

    def _own(
        self, work: Coroutine[Any, Any, Attempt | None], name: str
    ) -> asyncio.Task[Attempt | None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Attempt | None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, RoostError):
            logger.error("could not %s", task.get_name(), exc_info=error)


async def _difference(made: Made, template: Template, verifier: Verifier) -> Reason | None:
    """Return how a restored start fails or answers otherwise, if it does."""
    try:
        refuse_other_answers(made.answers, await verifier.verify(template))
    except AnswersDiffer as differ:
        return differ.reason
    except RoostError as error:
        return Reason(error.code, error.message)
    return None
