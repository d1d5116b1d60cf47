"""`Upkeep`: what starts, builds and the background have in common about one bundle's snapshot."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

from roost.clock import Clock
from roost.errors import SnapshotMissing, SnapshotRefused, SnapshotStale
from roost.models import Reason
from roost.models.snapshot import SnapshotBackend, SnapshotPhase, SnapshotPolicy, SnapshotState
from roost.snapshots.backend import Backend, Template, Tracer, Verifier
from roost.snapshots.cold_start import ColdStart
from roost.snapshots.entry import Entry
from roost.snapshots.item import ShelfItem
from roost.snapshots.record import Attempt, Made, RecordStore
from roost.snapshots.warmth import Warmth

logger = logging.getLogger(__name__)

Name = tuple[str, str]
"""Workspace and name of a bundle."""


class Bundles(Protocol):
    """The engine's side: what is asked about bundles."""

    def policy(self, workspace: str, name: str) -> SnapshotPolicy:
        """Return whether starts of a bundle use its snapshot."""
        ...

    async def cold_start(self, workspace: str, name: str) -> ColdStart:
        """Resolve a bundle's cold start without starting anything.

        Raises:
            RoostError: there is no such bundle, or it cannot be resolved as it is.
        """
        ...

    def tracer(self, start: ColdStart) -> Tracer:
        """Return what starts the bundle under trace."""
        ...

    def verifier(self, start: ColdStart) -> Verifier:
        """Return what starts the bundle from a template, beside what runs of it."""
        ...


class Upkeep:
    """The items of a shelf, and the steps that touch one of them.

    Args:
        bundles: the engine's side.
        backend: makes snapshots.
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
        idle_s: float,
        warm_at_once: int,
    ) -> None:
        self.bundles = bundles
        self.backend = backend
        self.records = records
        self.clock = clock
        self.items: dict[Name, ShelfItem] = {}
        self._on_change = on_change
        self._idle_s = idle_s
        self._gate = asyncio.Semaphore(warm_at_once)
        self._writing = asyncio.Lock()
        """Held while a record is written or removed: the newest word is the last one on disk."""

    def item(self, workspace: str, name: str) -> ShelfItem:
        """Return a bundle's item, made on first use."""
        found = self.items.get((workspace, name))
        if found is None:
            warmth = Warmth(
                f"{workspace}/{name}",
                lambda: self.open_template(workspace, name),
                clock=self.clock,
                gate=self._gate,
                idle_s=self._idle_s,
                on_change=lambda: self._on_change(workspace, name),
            )
            found = self.items[workspace, name] = ShelfItem(workspace, name, warmth)
        return found

    def policy(self, item: ShelfItem) -> SnapshotPolicy:
        """Return whether starts of the bundle use its snapshot."""
        return self.bundles.policy(item.workspace, item.name)

    def tell(self, item: ShelfItem) -> None:
        """Say that its view may be another one."""
        self._on_change(item.workspace, item.name)

    async def look(
        self, item: ShelfItem, start: ColdStart, *, contents: bool = False, quick: bool = True
    ) -> None:
        """Compare what a snapshot was made from with what is there now.

        Args:
            item: whose snapshot.
            start: the bundle's cold start as it is now.
            contents: whether to read the bundle's own files too.
            quick: whether to do without running the bundle's interpreter.
        """
        item.wanted, item.entry = await asyncio.to_thread(self._entry, start, quick)
        made, before = item.made, item.change
        if made is None or isinstance(item.entry, Reason):
            return
        change = await self._change(made, start, contents=contents)
        if item.made is made:
            item.change = change
            if change is not None and made.backend is SnapshotBackend.STANDBY:
                self._unpark(item)
            if change != before:
                self.tell(item)

    def _entry(self, start: ColdStart, quick: bool) -> tuple[SnapshotBackend, Entry | Reason]:
        backend = self.backend.of(start)
        return backend.kind, backend.entry(start, quick=quick)

    def _unpark(self, item: ShelfItem) -> None:
        """End a process that waits for a start which would not take it."""
        if item.warmth.template is not None:
            item.warmth.rest()

    async def open_template(self, workspace: str, name: str) -> Template:
        """Make a template again, of what the snapshot was made from and of nothing else.

        Raises:
            SnapshotMissing, SnapshotRefused, SnapshotStale: there is nothing to make it from.
            RoostError: the start cannot be resolved, or the template does not come up.
        """
        item = self.item(workspace, name)
        start = await self.bundles.cold_start(workspace, name)
        await self.look(item, start, contents=True)
        if isinstance(item.entry, Reason):
            raise SnapshotRefused(name, item.entry.sentence)
        if item.made is None:
            raise SnapshotMissing(name)
        if item.change is not None:
            raise SnapshotStale(name, item.change.sentence)
        return await self.backend.open(item.made, start)

    async def give_up(
        self, item: ShelfItem, reason: Reason, phase: SnapshotPhase | None = None
    ) -> None:
        """Use a snapshot no more."""
        findings = item.made.findings if item.made is not None else ()
        item.made = item.change = None
        item.attempt = Attempt(
            SnapshotState.FAILED, reason, self.clock.now(), phase=phase, findings=findings
        )
        await item.warmth.drop()
        await self.save(item)
        self.tell(item)

    async def save(self, item: ShelfItem) -> None:
        """Keep what is known; the memory counts where the disk takes nothing."""
        async with self._writing:
            kept = item.kept()
            if kept.made is None and kept.attempt is None:
                return  # it was removed meanwhile
            try:
                await _to_its_end(self.records.save, kept)
            except OSError as error:
                logger.warning("the snapshot of %s/%s is not kept: %s", *item.key, error)

    async def erase(self, item: ShelfItem) -> None:
        """Forget what is kept."""
        async with self._writing:
            await _to_its_end(self.records.remove, *item.key)

    async def _change(self, made: Made, start: ColdStart, *, contents: bool) -> Reason | None:
        if made.version != start.version:
            return Reason(
                "version", f"version: it was made of {made.version}, and is {start.version}"
            )
        return await self.backend.change(made, start, contents=contents)


async def _to_its_end(work: Callable[..., None], *arguments: Any) -> None:
    """Run work in a thread; who is cancelled still waits until it is done."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        running.exception()  # nobody is told of it any more
        raise
