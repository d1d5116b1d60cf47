"""`Snapshots`: the snapshots of a data directory, between starts, builds and those who ask.

It is the engine's side of the shelf (what a bundle's cold start is, and how one is traced and
verified) and the side that starts see (which snapshot a start uses, and how it went).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from roost import __version__
from roost.bundles.installers import Installers
from roost.clock import Clock
from roost.drivers import LocalDriver
from roost.engine.build_tools import BuildTools
from roost.engine.restored_start import RestoredStart
from roost.engine.shadow_starts import ResolvedColdStart, ShadowStarts
from roost.errors import (
    BundleNotFound,
    Refused,
    RoostError,
    SnapshotBusy,
    SnapshotFailed,
    SnapshotRefused,
    SnapshotStale,
    Unavailable,
)
from roost.models import (
    ActionResult,
    BundleKind,
    Launch,
    Reason,
    SnapshotDetail,
    SnapshotPolicy,
    SnapshotState,
    SnapshotView,
    StartMode,
)
from roost.snapshots.backend import Answered, Template, TracedCommand
from roost.snapshots.backends import Backends, Standbys
from roost.snapshots.cold_start import ColdStart
from roost.snapshots.environment import credential_names
from roost.snapshots.node_backend import NodeBackend, NodeParts
from roost.snapshots.node_cache import CACHE_REJECTED, CodeCache
from roost.snapshots.node_files import NodeFiles
from roost.snapshots.node_heap import Heap
from roost.snapshots.node_runtime import NodeRuntimes
from roost.snapshots.node_standby import NodeStandby
from roost.snapshots.record import RecordStore
from roost.snapshots.shelf import Shelf
from roost.snapshots.standby import PythonStandby
from roost.snapshots.zygote import Zygote
from roost.store.base import Store
from roost.supervision import BundleSlot, LogFiles, Recipes
from roost.supervision.ports import CredentialSource, TokenIssuer
from roost.supervision.prepare import Preparer
from roost.supervision.start_failures import StartFailed
from roost.supervision.web_ports import check_fixed_port

HISTORY = 40
"""Generations whose start times are taken over from before; the shelf keeps the newest of them."""

LOGS_KEPT = 4
"""Starts of builds whose output is kept for each bundle: those of the last two builds."""

logger = logging.getLogger(__name__)

FindSlot = Callable[[str, str], BundleSlot]
"""Returns a bundle's slot, or raises `BundleNotFound`."""


class BundleStarts:
    """What the shelf asks about bundles; meets `roost.snapshots.upkeep.Bundles`."""

    def __init__(self, find: FindSlot, shadows: ShadowStarts) -> None:
        self._find = find
        self._shadows = shadows

    def policy(self, workspace: str, name: str) -> SnapshotPolicy:
        """Return whether starts of a bundle use its snapshot; none of one that is gone does."""
        try:
            return self._find(workspace, name).definition.settings.snapshot
        except BundleNotFound:
            return SnapshotPolicy.OFF

    async def cold_start(self, workspace: str, name: str) -> ColdStart:
        """Resolve a bundle's cold start without starting anything.

        Raises:
            RoostError: there is no such bundle, or it cannot be resolved as it is.
        """
        slot = self._find(workspace, name)
        return await self._shadows.resolve(slot, objection_to(slot))

    def tracer(self, start: ColdStart) -> _Tracer:
        """Return what starts the bundle under trace.

        Raises:
            Refused, Unavailable: somebody holds the port that it needs.
        """
        assert isinstance(start, ResolvedColdStart)
        return _Tracer(self._shadows, with_free_port(self._find(*start.key)), start)

    def verifier(self, start: ColdStart) -> _Verifier:
        """Return what starts the bundle from a template, beside what runs of it.

        Raises:
            Refused, Unavailable: somebody holds the port that it needs.
        """
        return _Verifier(self._shadows, with_free_port(self._find(*start.key)))


class Snapshots:
    """Meets `roost.supervision.ports.SnapshotSource`, and answers the verbs about snapshots.

    Args:
        shelf: keeps them.
        find: returns the slot of a bundle.
        store: tells how long starts of earlier daemons took.
        is_prepared: says whether a bundle's start can be resolved without installing anything.
        since: when this daemon began, in epoch milliseconds; later starts are learnt of directly.
    """

    def __init__(
        self,
        shelf: Shelf,
        find: FindSlot,
        store: Store,
        *,
        is_prepared: Callable[[BundleSlot], bool],
        since: int,
    ) -> None:
        self._shelf = shelf
        self._is_prepared = is_prepared
        self._find = find
        self._store = store
        self._since = since
        self._seeded: set[tuple[str, str]] = set()
        self._stale: set[tuple[str, str]] = set()
        """Bundles to build again once they have started."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, slots: tuple[BundleSlot, ...]) -> None:
        """Read what is kept, forget what is of nobody, and load templates in the background."""
        self._own(self._prune(slots))
        await self._shelf.open()

    async def close(self) -> None:
        """End builds and templates; what was started from these lives on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._shelf.close()

    # Starts ------------------------------------------------------------------------------------

    async def prepare(
        self, workspace: str, bundle: str, version: str, launch: Launch, secrets: tuple[str, ...]
    ) -> RestoredStart | None:
        """Return the snapshot that a start uses; None for a cold start.

        Raises:
            RoostError: the bundle is only started from its snapshot, which cannot be used.
        """
        slot = self._find(workspace, bundle)
        settings = slot.definition.settings
        start = ColdStart(
            workspace,
            bundle,
            version,
            launch,
            credential_names(launch.env, secrets),
            objection_to(slot),
            how=settings.snapshot_how,
            allowed=settings.snapshot_allow,
        )
        try:
            prepared = await self._shelf.prepare(start)
        except SnapshotStale:
            if not self._is_built_again(slot):
                raise
            # It is started from its snapshot alone, so the build cannot wait for its start.
            self._own(self._rebuild(workspace, bundle))
            raise SnapshotBusy(bundle) from None
        is_stale = self._shelf.view(workspace, bundle).state is SnapshotState.STALE
        if is_stale and self._is_built_again(slot):
            self._stale.add((workspace, bundle))
        if prepared.template is None:
            return None
        return RestoredStart(
            self._shelf,
            workspace,
            bundle,
            prepared.template,
            mode=StartMode(prepared.backend),
            is_required=settings.snapshot is SnapshotPolicy.REQUIRE,
        )

    def failed(self, workspace: str, bundle: str, sentence: str) -> None:
        """Learn that a restored process did not become ready."""
        self._shelf.restored_start_failed(workspace, bundle, sentence)

    def cold_failed(self, workspace: str, bundle: str) -> None:
        """Learn that a cold start failed too."""
        self._shelf.cold_start_failed(workspace, bundle)

    async def started(self, workspace: str, bundle: str, mode: StartMode, ready_ms: int) -> None:
        """Learn that a start became ready; one whose snapshot was stale has it built again."""
        await self._shelf.started(workspace, bundle, mode, ready_ms)
        if (workspace, bundle) in self._stale:
            self._stale.discard((workspace, bundle))
            self._own(self._rebuild(workspace, bundle))

    # Verbs -------------------------------------------------------------------------------------

    async def views(self, slots: tuple[BundleSlot, ...]) -> tuple[SnapshotView, ...]:
        """Return the snapshots of bundles, after a look at those that nobody has looked at."""
        return tuple([await self._view(slot) for slot in slots])

    async def detail(self, workspace: str, name: str) -> SnapshotDetail:
        """Return everything about a bundle's snapshot."""
        slot = self._find(workspace, name)
        await self._view(slot)
        allowed = slot.definition.settings.snapshot_allow
        return replace(self._shelf.detail(workspace, name), allowed=allowed)

    async def build(self, workspace: str, name: str) -> SnapshotView:
        """Build a bundle's snapshot; a guard's refusal and a build that broke off are results.

        Raises:
            SnapshotBusy, SnapshotRefused: nothing was begun.
            RoostError: the bundle's start cannot be resolved.
        """
        return await self._came_to(self._shelf.build(workspace, name), workspace, name)

    async def verify(self, workspace: str, name: str) -> SnapshotView:
        """Start from a bundle's snapshot once more and compare what it answers.

        Raises:
            SnapshotMissing, SnapshotBusy, SnapshotStale, RoostError: it was not tried.
        """
        return await self._came_to(self._shelf.verify(workspace, name), workspace, name)

    async def remove(self, workspace: str, name: str) -> ActionResult:
        """Forget a bundle's snapshot."""
        if await self._shelf.remove(workspace, name):
            return ActionResult(True, f"the snapshot of {workspace}/{name} is removed")
        return ActionResult(True, f"{workspace}/{name} has no snapshot", "no_snapshot")

    async def forget(self, workspace: str, name: str) -> None:
        """Drop everything about a bundle that was removed."""
        self._seeded.discard((workspace, name))
        await self._shelf.forget(workspace, name)

    async def follow_policy(self, workspace: str, name: str) -> None:
        """Begin or end the template after a bundle's policy was changed."""
        await self._shelf.follow_policy(workspace, name)

    def rest(self, workspace: str, name: str) -> None:
        """Learn that a bundle is not wanted to run."""
        self._shelf.rest(workspace, name)

    async def measure(self) -> None:
        """Measure the living templates."""
        await self._shelf.measure()

    # Inside ------------------------------------------------------------------------------------

    async def _came_to(
        self, work: Coroutine[Any, Any, SnapshotView], workspace: str, name: str
    ) -> SnapshotView:
        try:
            await work
        except (SnapshotFailed, SnapshotRefused):
            view = await self._view(self._find(workspace, name))
            if view.state not in (SnapshotState.REFUSED, SnapshotState.FAILED):
                raise
            return view
        return await self._view(self._find(workspace, name))

    async def _view(self, slot: BundleSlot) -> SnapshotView:
        await self._seed(slot)
        view = self._shelf.view(slot.workspace, slot.name)
        if view.is_eligible or (view.reason is not None and view.reason.code != "not_looked_at"):
            return view
        if not self._is_prepared(slot):
            return view  # to look would install it, and who asks would wait for that
        try:
            return await self._shelf.examine(slot.workspace, slot.name)
        except RoostError as error:
            logger.debug("the start of %s cannot be looked at: %s", slot.label, error)
            return view

    def _is_built_again(self, slot: BundleSlot) -> bool:
        """Whether a stale snapshot is built again without anybody asking for it."""
        reason = self._shelf.view(*slot.key).reason
        is_rejected = reason is not None and reason.code == CACHE_REJECTED
        return is_rejected or slot.definition.settings.snapshot_rebuild

    async def _seed(self, slot: BundleSlot) -> None:
        """Take over how long starts of earlier daemons took, once."""
        if slot.key in self._seeded:
            return
        self._seeded.add(slot.key)
        history = await self._store.generations.history(*slot.key, HISTORY)
        for mode in {generation.start_mode for generation in history}:
            times = [
                g.ready_ms
                for g in reversed(history)
                if g.start_mode is mode and g.ready_ms and g.spawned_at < self._since
            ]
            self._shelf.seed_times(*slot.key, mode, times)

    async def _prune(self, slots: tuple[BundleSlot, ...]) -> None:
        versions = {
            slot.key: {
                row.definition.version for row in await self._store.bundles.versions(*slot.key)
            }
            | {slot.definition.version}
            for slot in slots
        }
        await self._shelf.prune(versions)

    async def _rebuild(self, workspace: str, name: str) -> None:
        try:
            await self._shelf.build(workspace, name)
        except SnapshotBusy:
            return  # one is under way
        except RoostError as error:
            logger.warning("the snapshot of %s/%s was not built again: %s", workspace, name, error)

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Tracer:
    def __init__(self, shadows: ShadowStarts, slot: BundleSlot, start: ResolvedColdStart) -> None:
        self._shadows = shadows
        self._slot = slot
        self._start = start

    async def trace(self, command: TracedCommand) -> Answered:
        return await self._shadows.traced(self._slot, self._start, command)


class _Verifier:
    def __init__(self, shadows: ShadowStarts, slot: BundleSlot) -> None:
        self._shadows = shadows
        self._slot = slot

    async def verify(self, template: Template) -> Answered:
        return await self._shadows.restored(self._slot, template)


def with_free_port(slot: BundleSlot) -> BundleSlot:
    """Return a slot beside whose process its snapshot's own starts can listen.

    Raises:
        Refused: that process holds the fixed port.
        Unavailable: another program does.
    """
    port = slot.definition.port
    if port is not None and slot.is_alive:
        raise Refused(
            f"{slot.label} runs on its fixed port {port}, which the starts of a build or of a "
            f"verification need too: end it with `roost stop {slot.label}`, then try again"
        )
    try:
        check_fixed_port(slot)
    except StartFailed as taken:
        raise Unavailable(taken.sentence) from taken
    return slot


def objection_to(slot: BundleSlot) -> Reason | None:
    """Return why a bundle takes no part whatever it starts, if that is so."""
    if slot.definition.is_elsewhere:
        return Reason("elsewhere", "its server runs somewhere else, so Roost starts nothing of it")
    if slot.definition.kind is BundleKind.WORKER:
        return Reason(
            "worker",
            "a trace would be a worker like any other and take runs; its starts are cold",
        )
    return None


async def make_snapshots(
    *,
    data_dir: Path,
    driver: LocalDriver,
    data_id: str,
    recipes: Recipes,
    credentials: CredentialSource,
    clock: Clock,
    preparer: Preparer,
    installers: Installers,
    environ: Mapping[str, str],
    tokens: TokenIssuer,
    store: Store,
    find: FindSlot,
    on_change: Callable[[str, str], None],
) -> Snapshots:
    """Return the snapshots of a data directory, none of them loaded yet."""
    shadows = ShadowStarts(
        driver=driver,
        data_id=data_id,
        recipes=recipes,
        credentials=credentials,
        logs=LogFiles(data_dir / "snapshot-logs", keep_generations=LOGS_KEPT),
        clock=clock,
        version=__version__,
        preparer=preparer,
        tokens=tokens,
    )
    records = RecordStore(str(data_dir / "snapshots"))
    digest_key = await asyncio.to_thread(records.digest_key)
    parts = NodeParts(
        driver=driver,
        data_id=data_id,
        digest_key=digest_key,
        clock=clock,
        files=NodeFiles(str(data_dir / "snapshots")),
        records=records,
        bundler=BuildTools(
            preparer=preparer,
            installers=installers,
            environ=environ,
            tools=data_dir / "tools",
            logs=LogFiles(data_dir / "tools-logs"),
            data_id=data_id,
        ),
        runtimes=NodeRuntimes(),
    )
    of_python = PythonStandby(driver, data_id, digest_key, clock)
    loaded = (
        Zygote(driver, data_id, digest_key, clock),
        Standbys(of_python, NodeStandby(parts, driver)),
    )
    on_disk = (NodeBackend(CodeCache(), parts), NodeBackend(Heap(), parts))
    shelf = Shelf(
        bundles=BundleStarts(find, shadows),
        backend=Backends((*loaded, *on_disk)),
        records=records,
        clock=clock,
        on_change=on_change,
    )
    return Snapshots(shelf, find, store, is_prepared=shadows.is_prepared, since=clock.now())
