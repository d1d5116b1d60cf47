"""`Shelf`: the snapshots of all bundles, and the one that starts and operators ask.

It decides how a bundle is started, has snapshots built and verified, keeps their templates alive
and learns from how starts went. Its state changes between two awaits and is told at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from roost.clock import Clock
from roost.errors import (
    Refused,
    RoostError,
    SnapshotMissing,
    SnapshotNotLoaded,
    SnapshotStale,
)
from roost.models import Reason, StartMode
from roost.models.snapshot import (
    SnapshotBackend,
    SnapshotDetail,
    SnapshotPolicy,
    SnapshotState,
    SnapshotView,
)
from roost.snapshots.backend import Backend, Template
from roost.snapshots.cold_start import ColdStart
from roost.snapshots.decide import Cold, Load, Refuse, decide
from roost.snapshots.item import ShelfItem
from roost.snapshots.record import RecordStore
from roost.snapshots.upkeep import Bundles, Name, Upkeep
from roost.snapshots.workshop import Workshop

IDLE_S = 1800.0
"""A template costs about as much memory as a process of the bundle; half an hour without a start
says that the next one may wait."""

WARM_AT_ONCE = 1
"""Loading a template uses a core, and the starts of a boot need the others."""

_GROWN = 1.5
"""A template this many times its size after the build is made anew."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """How a start is to go."""

    template: Template | None
    """To restore from; None for a cold start."""
    backend: SnapshotBackend = SnapshotBackend.ZYGOTE
    """What made the snapshot of `template`."""
    reason: Reason | None = None
    """Why it is cold; None where the policy is off or it is not cold."""


class Shelf:
    """The snapshots of a data directory.

    Args:
        bundles: the engine's side.
        backend: makes them.
        records: what is kept of them on disk.
        clock: for idle times and stamps.
        on_change: told workspace and name of every bundle whose view may be another one.
        idle_s: seconds after which an unused template is ended.
        warm_at_once: how many templates are loaded at the same time in the background.
    """

    def __init__(
        self,
        *,
        bundles: Bundles,
        backend: Backend,
        records: RecordStore,
        clock: Clock,
        on_change: Callable[[str, str], None],
        idle_s: float = IDLE_S,
        warm_at_once: int = WARM_AT_ONCE,
    ) -> None:
        self._upkeep = Upkeep(
            bundles=bundles,
            backend=backend,
            records=records,
            clock=clock,
            on_change=on_change,
            idle_s=idle_s,
            warm_at_once=warm_at_once,
        )
        self._workshop = Workshop(self._upkeep)

    async def open(self) -> None:
        """Read the records and begin to load templates in the background; delays nobody."""
        await asyncio.to_thread(self._upkeep.records.tidy)
        for workspace, name in await asyncio.to_thread(self._upkeep.records.all):
            item = self._item(workspace, name)
            item.take(await asyncio.to_thread(self._upkeep.records.load, workspace, name))
            if self._is_kept_loaded(item):
                item.warmth.begin()

    async def close(self) -> None:
        """End builds and templates; the processes started from these live on."""
        await self._workshop.close()
        await asyncio.gather(*(item.warmth.drop() for item in self._upkeep.items.values()))

    # Starts

    async def prepare(self, start: ColdStart) -> Prepared:
        """Say how a start is to go, after a look at everything its snapshot was made from.

        Raises:
            SnapshotMissing, SnapshotStale, SnapshotRefused, SnapshotBusy: the bundle is only
                started from its snapshot, which cannot be used.
            SnapshotNotLoaded: its template does not come up.
        """
        item = self._item(start.workspace, start.name)
        if self._upkeep.policy(item) is SnapshotPolicy.OFF:
            return Prepared(None)
        await self._upkeep.look(item, start)
        decision = decide(self._upkeep.policy(item), item.standing())
        if isinstance(decision, Refuse):
            raise decision.error
        if isinstance(decision, Load):
            return Prepared(await self._loaded(item), item.backend)
        if isinstance(decision, Cold):
            if item.usable_state is SnapshotState.READY:
                item.warmth.use()
            return Prepared(None, reason=decision.reason)
        return Prepared(item.warmth.use(), item.backend)

    async def loaded(self, workspace: str, name: str) -> Template:
        """Return the template of a bundle that is only started from it, once it is there.

        Raises:
            SnapshotMissing, SnapshotStale: there is nothing to make it from any more.
            SnapshotNotLoaded: it does not come up.
        """
        return await self._loaded(self._item(workspace, name))

    def restore_refused(self, workspace: str, name: str, template: Template, why: str) -> None:
        """Learn that a template started no process; it is made again, and the start is cold."""
        self._item(workspace, name).warmth.lose(template, why)

    def restored_start_failed(self, workspace: str, name: str, sentence: str) -> None:
        """Learn that a process from the snapshot did not become ready: a cold start comes next."""
        item = self._item(workspace, name)
        item.suspicion = sentence
        self._upkeep.tell(item)

    async def started(self, workspace: str, name: str, mode: StartMode, ready_ms: int) -> None:
        """Learn that a start became ready; a cold one convicts a suspect snapshot."""
        item = self._item(workspace, name)
        item.times.add(mode, ready_ms)
        suspicion, item.suspicion = item.suspicion, None
        if suspicion is not None and mode is StartMode.COLD and item.made is not None:
            await self._upkeep.give_up(
                item,
                Reason(
                    "restored_start_failed",
                    f"a start from it failed where a cold one worked: {suspicion}; "
                    f"`roost snapshot build {name}` makes it again",
                ),
            )
        self._upkeep.tell(item)

    def cold_start_failed(self, workspace: str, name: str) -> None:
        """Learn that a cold start failed too: the snapshot is not to blame."""
        item = self._item(workspace, name)
        item.suspicion = None
        self._upkeep.tell(item)

    def seed_times(
        self, workspace: str, name: str, mode: StartMode, ready_ms: Iterable[int]
    ) -> None:
        """Take over how long starts of earlier daemons took, oldest first."""
        self._item(workspace, name).times.seed(mode, ready_ms)

    # What operators ask for

    async def build(self, workspace: str, name: str) -> SnapshotView:
        """Build a bundle's snapshot; a cancelled caller only stops waiting.

        Raises:
            SnapshotBusy: one is being built.
            SnapshotRefused: there can be none, or a guard found what must not be in it.
            SnapshotFailed: the build broke off; an earlier snapshot is as it was.
            RoostError: the bundle's start cannot be resolved.
        """
        await self._workshop.build(self._item(workspace, name))
        return self.view(workspace, name)

    async def cancel_build(self, workspace: str, name: str) -> bool:
        """End a build under way and return whether there was one; nothing is left of it."""
        return await self._workshop.cancel(self._item(workspace, name))

    async def verify(self, workspace: str, name: str) -> SnapshotView:
        """Start the bundle from its snapshot once more and compare what it answers.

        Raises:
            SnapshotMissing: there is none.
            SnapshotBusy: it is being built.
            SnapshotStale: something has changed since it was made.
            SnapshotFailed: it answers otherwise or does not start, and is not used any more.
            RoostError: the bundle's start cannot be resolved, or the template does not come up.
        """
        await self._workshop.verify(self._item(workspace, name))
        return self.view(workspace, name)

    async def remove(self, workspace: str, name: str) -> bool:
        """Forget a bundle's snapshot and return whether there was one; a build is ended."""
        await self.cancel_build(workspace, name)
        item = self._item(workspace, name)
        had_one = item.made is not None or item.attempt is not None
        item.made = item.attempt = item.change = item.unreadable = item.suspicion = None
        await item.warmth.drop()
        await self._upkeep.erase(item)
        self._upkeep.tell(item)
        return had_one

    async def forget(self, workspace: str, name: str) -> None:
        """Drop everything about a bundle that was removed."""
        await self.remove(workspace, name)
        self._upkeep.items.pop((workspace, name), None)

    async def prune(self, versions: Mapping[Name, Collection[str]]) -> int:
        """Remove the records of bundles and versions that are gone, and return how many.

        Args:
            versions: every bundle there is, with the versions of it that are kept.
        """
        kept = {key: frozenset(each) for key, each in versions.items()}
        gone = [
            item
            for key, item in self._upkeep.items.items()
            if key not in kept or (item.made is not None and item.made.version not in kept[key])
        ]
        for item in gone:
            await self.forget(*item.key)
        return len(gone) + await asyncio.to_thread(self._upkeep.records.prune, kept)

    async def follow_policy(self, workspace: str, name: str) -> None:
        """Begin or end the template after a bundle's policy was changed."""
        item = self._item(workspace, name)
        if self._upkeep.policy(item) is SnapshotPolicy.OFF:
            await item.warmth.drop()
        elif item.usable_state is SnapshotState.READY:
            item.warmth.begin()
        self._upkeep.tell(item)

    def rest(self, workspace: str, name: str) -> None:
        """Learn that a bundle is not wanted to run: what waits for its next start only is ended."""
        item = self._upkeep.items.get((workspace, name))
        made = None if item is None else item.made
        if item is not None and made is not None and made.backend is SnapshotBackend.STANDBY:
            item.warmth.rest()

    async def measure(self) -> None:
        """Measure the living templates, and replace those that have grown."""
        for item in tuple(self._upkeep.items.values()):
            template, made = item.warmth.template, item.made
            if template is None:
                continue
            item.template_bytes = await template.measure()
            built = made.template_bytes if made is not None else None
            if built and item.template_bytes and item.template_bytes > built * _GROWN:
                item.warmth.lose(template, "it had grown to one and a half times its size")

    # What is shown

    async def examine(self, workspace: str, name: str) -> SnapshotView:
        """Look at a bundle that may never have been started, and return its view.

        Raises:
            RoostError: the bundle's start cannot be resolved.
        """
        item = self._item(workspace, name)
        start = await self._upkeep.bundles.cold_start(workspace, name)
        await self._upkeep.look(item, start, quick=False)
        return self.view(workspace, name)

    def view(self, workspace: str, name: str) -> SnapshotView:
        """Return a bundle's snapshot as it was at the newest look."""
        item = self._item(workspace, name)
        return item.view(self._upkeep.policy(item))

    def detail(self, workspace: str, name: str) -> SnapshotDetail:
        """Return everything about a bundle's snapshot, as of the newest look."""
        item = self._item(workspace, name)
        return item.detail(self._upkeep.policy(item))

    def _is_kept_loaded(self, item: ShelfItem) -> bool:
        """Whether it is loaded before the bundle's first start; a standby follows that."""
        made = item.made
        if made is None or made.backend is SnapshotBackend.STANDBY:
            return False
        return self._upkeep.policy(item) is not SnapshotPolicy.OFF

    def _item(self, workspace: str, name: str) -> ShelfItem:
        return self._upkeep.item(workspace, name)

    async def _loaded(self, item: ShelfItem) -> Template:
        try:
            return await item.warmth.wait(insists=True)
        except SnapshotStale:
            raise
        except Refused as error:
            raise SnapshotMissing(item.name, error.message) from error
        except RoostError as error:
            raise SnapshotNotLoaded(item.name, error.message) from error
