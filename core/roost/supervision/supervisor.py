"""`Supervisor`: keeps the slots, and is the only one that starts and stops their processes.

Everything that changes a slot's process holds the slot's lock and runs in a task that the
supervisor owns: a cancelled caller waits no longer, but its start or stop goes on. A verb's wish is
noted before its first await, so that a caller cancelled at any point leaves it whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from roost.clock import Clock
from roost.errors import BundleNotFound, BundleProtected, NotRunning, RoostError
from roost.models import (
    ActionResult,
    BundleRemoved,
    BundleRow,
    BundleView,
    ChangeBody,
    Definition,
    GenerationView,
    RespawnResult,
    RunProgress,
    SlotState,
    ToolView,
)
from roost.store.base import Store
from roost.supervision.aftermath import SYSTEM, Aftermath
from roost.supervision.dependencies import Dependencies, StopOrder
from roost.supervision.keyed_lock import KeyedLock
from roost.supervision.link import CallAnswer, CallEnded, Link, Withdrawal
from roost.supervision.owned_tasks import OwnedTasks
from roost.supervision.ports import Publish, Recipes, TransitionJournal
from roost.supervision.results import (
    Asked,
    closing_result,
    removed_result,
    stopped_result,
    survivor_sentence,
)
from roost.supervision.slot import BundleSlot, SlotKey
from roost.supervision.starter import Starter
from roost.supervision.turnover import Turnover
from roost.supervision.turns import RespawnOrder, Turns, refused_by_protection
from roost.supervision.wishes import Wishes

LAST_WRITES_S = 5.0
"""How long a closing supervisor waits for clean-ups and writes once every bundle is down."""


class Supervisor:
    """All slots of one data directory."""

    def __init__(
        self,
        *,
        starter: Starter,
        store: Store,
        recipes: Recipes,
        journal: TransitionJournal,
        publish: Publish,
        clock: Clock,
    ) -> None:
        self._store = store
        self._recipes = recipes
        self._journal = journal
        self._publish_change = publish
        self._clock = clock
        self._slots: dict[SlotKey, BundleSlot] = {}
        self._dependencies = Dependencies(self._slots, self._begin)
        self._locks: KeyedLock[SlotKey] = KeyedLock()
        """Held by whatever changes the process of a slot."""
        self._definitions: KeyedLock[SlotKey] = KeyedLock()
        """Held by whatever changes what is configured for a slot."""
        self._tasks = OwnedTasks()
        self._wishes = Wishes(store.bundles, self._tasks)
        self._aftermath = Aftermath(
            tasks=self._tasks,
            locks=self._locks,
            starter=starter,
            clock=clock,
            retry=self._retry,
            keep_wish=self._wishes.keep_soon,
        )
        self._turnover = Turnover(
            starter=starter, bundles=store.bundles, aftermath=self._aftermath, clock=clock
        )
        self._turns = Turns(self._locks, self._turnover, self._objection)
        self._is_closing = False
        self._starter = starter

    # Slots -------------------------------------------------------------------------------------

    @property
    def slots(self) -> tuple[BundleSlot, ...]:
        """Every slot, by workspace and name."""
        return tuple(self._slots[key] for key in sorted(self._slots))

    def views(self, workspace: str | None = None) -> tuple[BundleView, ...]:
        """Return the bundles of one workspace or of all."""
        return tuple(
            slot.view() for slot in self.slots if workspace is None or slot.workspace == workspace
        )

    def slot(self, workspace: str, name: str) -> BundleSlot:
        """Return a slot.

        Raises:
            BundleNotFound: there is none of this name in this workspace.
        """
        found = self._slots.get((workspace, name))
        if found is None:
            raise BundleNotFound(workspace, name)
        return found

    async def load_all(self, rows: Sequence[BundleRow]) -> None:
        """Make the slots of what is installed, without starting anything."""
        revisions = await self._store.credentials.revisions()
        newest = await self._store.generations.newest()
        for row in rows:
            key = row.workspace, row.name
            self._make_slot(row, revisions.get(key, 0), newest.get(key))

    async def load(self, row: BundleRow) -> BundleSlot:
        """Make the slot of an installed bundle, without starting it."""
        credentials = await self._store.credentials.load(row.workspace, row.name)
        history = await self._store.generations.history(row.workspace, row.name, 1)
        newest = history[0] if history else None
        return self._make_slot(row, credentials.revision, newest)

    def _make_slot(
        self, row: BundleRow, credential_revision: int, newest: GenerationView | None
    ) -> BundleSlot:
        slot = BundleSlot(
            row,
            clock=self._clock,
            publish=self._publish,
            journal=self._journal,
            config_hash=self._recipes.config_hash(row.definition),
            credential_revision=credential_revision,
        )
        slot.generation = newest
        self._slots[slot.key] = slot
        slot.publish_view()
        self._dependencies.look(row.workspace)
        return slot

    def start_all(self) -> None:
        """Begin the start of every slot that should run; admission bounds how many at once.

        What comes after others begins once these run.
        """
        for slot in self.slots:
            if slot.should_run:
                self._begin_in_order(slot, "boot", SYSTEM)

    def worker_ready(self, generation_id: str, tasks: tuple[str, ...]) -> None:
        """Let the start of a worker go on, whose tasks were taken."""
        self._starter.greetings.accept(generation_id, tasks)
        for slot in self.slots:
            incarnation = slot.incarnation
            if incarnation is not None and incarnation.generation.id == generation_id:
                incarnation.tasks = tasks  # it has told anew what it offers

    def worker_refused(self, generation_id: str, error: RoostError) -> None:
        """Let the start of a worker fail, whose tasks were not taken."""
        self._starter.greetings.refuse(generation_id, error)

    # Verbs -------------------------------------------------------------------------------------

    def begin_start(self, slot: BundleSlot, *, actor: str) -> None:
        """Begin the first start of a fresh bundle without waiting for it."""
        self._begin_in_order(slot, "operator", actor)

    async def start(self, workspace: str, name: str, *, actor: str) -> ActionResult:
        """Start a bundle that is down and wait for the outcome.

        Raises:
            BundleNotFound, StoreUnavailable: nothing was started.
        """
        slot = self.slot(workspace, name)
        if slot.state is SlotState.RUNNING and not slot.is_stop_asked:
            return ActionResult(True, f"{slot.label} is running already", "already_running")
        slot.should_run = True
        result = await self._tasks.run(
            self._wishes.before(slot, self._turns.start(slot, "operator", actor)),
            f"start {slot.label}",
        )
        missing = self._dependencies.sentence_of_missing(slot) if result.ok else ""
        return ActionResult(result.ok, result.sentence + missing, result.code)

    async def stop(
        self, workspace: str, name: str, *, actor: str, reason: str | None = None
    ) -> ActionResult:
        """Stop a bundle for good: a start under way gives up, a backing-off one stays down.

        Raises:
            BundleProtected: it is protected and no reason was given.
            StoreUnavailable: it is stopped, but would be started again by the next daemon.
        """
        slot = self.slot(workspace, name)
        self._refuse_if_protected(slot, "stopping it", reason)
        slot.should_run = False
        self._dependencies.let_go(slot)
        slot.ask_stop()
        return await self._tasks.run(self._stop_for_good(slot, actor, reason), f"stop {slot.label}")

    async def remove(
        self, workspace: str, name: str, *, actor: str, reason: str | None = None
    ) -> None:
        """Stop a bundle and forget its slot.

        Raises:
            BundleNotFound, BundleProtected
        """
        slot = self.slot(workspace, name)
        self._refuse_if_protected(slot, "removing it", reason)
        del self._slots[slot.key]  # from here on no queued start finds it any more
        slot.should_run = False
        slot.ask_stop()
        await self._tasks.run(self._remove_locked(slot, actor, reason), f"remove {slot.label}")

    async def respawn(
        self,
        workspace: str,
        name: str,
        *,
        cause: str,
        actor: str,
        reason: str | None = None,
        must_end_old: bool = False,
        only_if_behind: bool = False,
    ) -> RespawnResult:
        """Replace a bundle's process by the next generation: the only path that does.

        What is asked for is fixed when this is called: the credential revision, configuration and
        version of now, and a process that is spawned from now on. A respawn that was queued
        earlier and brings at least these up answers this call too.

        Args:
            cause: ``operator``, ``credentials``, ... as transitions record it.
            actor: who asked.
            reason: required by a protected bundle that has a process.
            must_end_old: end the old process at once and whatever comes of the next one, because
                it holds a credential that was taken away. A start under way gives up for it.
            only_if_behind: leave a process alone that has what is configured by now, whenever it
                was spawned.
        """
        slot = self._slots.get((workspace, name))
        if slot is None:
            missing = BundleNotFound(workspace, name)
            return RespawnResult(False, workspace, name, missing.message, missing.code)
        if refusal := refused_by_protection(slot, reason):
            return refusal
        asked = Asked.what_is_configured(slot) if only_if_behind else Asked.a_new_process(slot)
        order = RespawnOrder(cause, actor, asked, reason, must_end_old)
        work = self._turns.respawn(slot, order)
        if must_end_old and slot.should_run:
            # No wish is new in this, so a store that is away cannot keep the old process alive.
            return await self._tasks.run(work, f"respawn {slot.label}")
        slot.should_run = True
        return await self._tasks.run(self._wishes.before(slot, work), f"respawn {slot.label}")

    def redefine(
        self, workspace: str, name: str, definition: Definition, *, version: int | None = None
    ) -> BundleSlot:
        """Give a bundle another definition; a process that was started with the former is stale.

        The caller stores it, and respawns the bundle where that is wanted.

        Args:
            version: number of the version that it belongs to, where that is another one.

        Raises:
            BundleNotFound: there is none of this name in this workspace.
        """
        slot = self.slot(workspace, name)
        slot.definition = definition
        slot.config_hash = self._recipes.config_hash(definition)
        if version is not None:
            slot.version_number, slot.era = version, None  # the next one may speak another
        slot.publish_view()
        self._dependencies.look(workspace)
        return slot

    @asynccontextmanager
    async def changing(self, workspace: str, name: str) -> AsyncIterator[BundleSlot]:
        """Hold what is configured for a bundle: nobody else changes or deletes it meanwhile.

        Raises:
            BundleNotFound: there is none of this name in this workspace.
        """
        async with self._definitions.hold((workspace, name)):
            yield self.slot(workspace, name)

    @asynccontextmanager
    async def forgetting(self, workspace: str, name: str) -> AsyncIterator[None]:
        """Wait until nobody changes what is configured for a removed bundle, and hold it."""
        async with self._definitions.hold((workspace, name)):
            yield

    def note_revision(self, slot: BundleSlot, revision: int) -> None:
        """Take notice of a credential revision: a process that runs an earlier one is stale."""
        slot.credential_revision = max(slot.credential_revision, revision)
        slot.publish_view()

    async def credentials_changed(
        self,
        workspace: str,
        name: str,
        *,
        revision: int,
        actor: str,
        must_end_holder: bool,
        reason: str | None,
    ) -> RespawnResult | None:
        """Bring a bundle to a new credential revision.

        None when it is meant to be stopped, or is started with it later, once what it comes after
        runs.
        """
        slot = self.slot(workspace, name)
        self.note_revision(slot, revision)
        if not slot.should_run or slot.waits_for:
            return None
        forced = (reason or "a sensitive field was cleared") if must_end_holder else None
        return await self.respawn(
            workspace,
            name,
            cause="credentials",
            actor=actor,
            reason=forced,
            must_end_old=must_end_holder,
            only_if_behind=True,
        )

    # Calls -------------------------------------------------------------------------------------

    def link(self, workspace: str, name: str) -> Link:
        """Return the session of a bundle that takes calls: also while its successor is prepared.

        Raises:
            BundleNotFound, NotRunning
        """
        slot = self.slot(workspace, name)
        incarnation = slot.incarnation
        if not slot.takes_calls or incarnation is None:
            raise NotRunning(name, slot.state.value)
        if incarnation.link is None:
            raise NotRunning(name, "not an MCP server")
        return incarnation.link

    def tools(self, workspace: str, name: str) -> tuple[ToolView, ...]:
        """Return the tools of a running bundle."""
        return self.link(workspace, name).tools

    async def call(
        self,
        workspace: str,
        name: str,
        tool: str,
        arguments: dict[str, Any],
        on_progress: Callable[[RunProgress], None],
        withdrawal: Withdrawal | None = None,
    ) -> CallAnswer:
        """Call a tool on the generation that runs now, as `Link.call` tells.

        Raises:
            NotRunning: it is not up. CallEnded: the answer will never come.
        """
        try:
            link = self.link(workspace, name)
        except NotRunning as error:
            if self.slot(workspace, name).state is SlotState.STARTING:
                # The call was begun while a process served that is being replaced by now.
                raise CallEnded.restarting() from error
            raise
        return await link.call(tool, arguments, on_progress, withdrawal)

    def scrub(self, workspace: str, name: str) -> Callable[[Any], Any]:
        """Return what removes the secrets of the last generation from any JSON value."""
        slot = self._slots.get((workspace, name))
        return slot.scrubber.json if slot is not None else _unchanged

    def set_active_runs(self, workspace: str, name: str, count: int) -> None:
        """Show how many runs a bundle works on."""
        slot = self._slots.get((workspace, name))
        if slot is not None and slot.active_runs != count:
            slot.active_runs = count
            slot.publish_view()

    # Close -------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Stop every bundle, all at once but for their order.

        What should run stays marked so for the next boot.
        """
        self._is_closing = True
        slots = self.slots
        for slot in slots:
            slot.ask_stop()
        order = StopOrder(slots)
        stops = [
            self._tasks.own(self._stop_in_order(slot, order), f"stop {slot.label}")
            for slot in slots
        ]
        await asyncio.gather(*stops, return_exceptions=True)
        await self._aftermath.close()
        await self._tasks.close(LAST_WRITES_S)

    @property
    def busy(self) -> tuple[str, ...]:
        """What starts and stops are under way, for the shutdown view."""
        return self._tasks.names

    # Inside ------------------------------------------------------------------------------------

    def _refuse_if_protected(self, slot: BundleSlot, action: str, reason: str | None) -> None:
        if slot.definition.settings.protected and not reason:
            raise BundleProtected(slot.name, action)

    def _publish(self, body: ChangeBody) -> None:
        """Publish a change and begin what waited for it."""
        self._publish_change(body)
        self._dependencies.notice(body)

    def _begin_in_order(self, slot: BundleSlot, cause: str, actor: str) -> None:
        """Begin a start that nobody waits for, now or once what it comes after runs."""
        if not self._dependencies.holds_back(slot, cause, actor):
            self._begin(slot, cause, actor)

    def _begin(self, slot: BundleSlot, cause: str, actor: str) -> None:
        self._tasks.own(self._turns.start(slot, cause, actor), f"start {slot.label}")

    async def _retry(self, slot: BundleSlot) -> None:
        async with self._locks.hold(slot.key):
            if slot.state is not SlotState.BACKING_OFF or self._objection(slot) is not None:
                return
            if not self._dependencies.holds_back(slot, "backoff", SYSTEM):
                await self._turnover.bring_up(slot, "backoff", SYSTEM)

    def _objection(self, slot: BundleSlot) -> RespawnResult | None:
        """Answer what speaks against a start; a stop that waits behind it does."""
        if self._slots.get(slot.key) is not slot:
            return removed_result(slot)
        if self._is_closing:
            return closing_result(slot)
        return stopped_result(slot) if slot.is_stop_asked or not slot.should_run else None

    async def _stop_for_good(
        self, slot: BundleSlot, actor: str, reason: str | None
    ) -> ActionResult:
        wish = self._wishes.keep_soon(slot)
        survivors = await self._stop_locked(slot, "operator", actor, reason)
        await wish
        if survivors:
            return ActionResult(False, survivor_sentence(slot, survivors), "not_ended")
        if slot.definition.is_elsewhere:
            told = f"{slot.label} is stopped: its session is closed, its server is left as it is"
            return ActionResult(True, told)
        return ActionResult(True, f"{slot.label} is stopped; nothing of it is left running")

    async def _remove_locked(self, slot: BundleSlot, actor: str, reason: str | None) -> None:
        try:
            await self._stop_locked(slot, "operator", actor, reason)
        finally:
            self._publish(BundleRemoved(slot.workspace, slot.name))

    async def _stop_locked(
        self, slot: BundleSlot, cause: str, actor: str, reason: str | None
    ) -> tuple[int, ...]:
        try:
            async with self._locks.hold(slot.key):
                return await self._turnover.take_down(slot, cause, actor, reason)
        finally:
            slot.stop_done()

    async def _stop_in_order(self, slot: BundleSlot, order: StopOrder) -> None:
        async with order.turn(slot):
            await self._stop_locked(slot, "shutdown", SYSTEM, None)


def _unchanged(value: Any) -> Any:
    return value
