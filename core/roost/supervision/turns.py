"""`Turns`: starts and respawns of one slot, one after the other in the order they came."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass

from roost.models import RespawnResult, SlotState
from roost.supervision.keyed_lock import KeyedLock
from roost.supervision.results import Asked, protected_result, result_now
from roost.supervision.slot import BundleSlot, SlotKey
from roost.supervision.turnover import Turnover


@dataclass(frozen=True, slots=True)
class RespawnOrder:
    """A respawn as it was asked for."""

    cause: str
    actor: str
    asked: Asked
    reason: str | None = None
    must_end_old: bool = False


class Turns:
    """Holds the lock of a slot while its process is changed.

    Args:
        locks: one per slot.
        turnover: does the work.
        objection: answers what speaks against a start of a slot right now; None when nothing does.
    """

    def __init__(
        self,
        locks: KeyedLock[SlotKey],
        turnover: Turnover,
        objection: Callable[[BundleSlot], RespawnResult | None],
    ) -> None:
        self._locks = locks
        self._turnover = turnover
        self._objection = objection

    async def start(self, slot: BundleSlot, cause: str, actor: str) -> RespawnResult:
        """Start a slot unless it runs when its turn comes."""

        async def start() -> RespawnResult | None:
            if slot.state is SlotState.RUNNING:
                return result_now(slot)
            return await self._bring_up(slot, cause, actor)

        return await self._take(slot, start)

    async def respawn(self, slot: BundleSlot, order: RespawnOrder) -> RespawnResult:
        """Replace the process of a slot unless what was asked for is true when its turn comes."""

        async def respawn() -> RespawnResult | None:
            if order.asked.is_met_by(slot):
                return result_now(slot)
            if refusal := refused_by_protection(slot, order.reason):
                return refusal  # it came up while this one waited
            return await self._bring_up(
                slot, order.cause, order.actor, must_end_old=order.must_end_old
            )

        return await self._take(slot, respawn, hurries=order.must_end_old)

    async def _take(
        self,
        slot: BundleSlot,
        attempt: Callable[[], Awaitable[RespawnResult | None]],
        *,
        hurries: bool = False,
    ) -> RespawnResult:
        """Run an attempt under the slot's lock, again behind the one for which it gave up.

        Args:
            hurries: let what is under way give up, so that the first turn comes at once. Two that
                hurry on every turn would make each other give up for ever.
        """
        while True:
            with ExitStack() as waiting:
                if hurries:
                    hurries = False
                    slot.interrupt()
                    waiting.callback(slot.resume)
                async with self._locks.hold(slot.key):
                    waiting.close()
                    result = await attempt()
                    if result is not None:
                        return result

    async def _bring_up(
        self, slot: BundleSlot, cause: str, actor: str, *, must_end_old: bool = False
    ) -> RespawnResult | None:
        """Bring a slot up unless something speaks against it; None when it takes another turn."""
        if (objection := self._objection(slot)) is not None:
            return objection
        if slot.interrupted.is_set():
            return None  # something that hurries comes first
        result = await self._turnover.bring_up(slot, cause, actor, must_end_old=must_end_old)
        return result if result is not None else self._objection(slot)


def refused_by_protection(slot: BundleSlot, reason: str | None) -> RespawnResult | None:
    """Return the refusal of a respawn that would end a protected process without a reason."""
    is_kept = slot.definition.settings.protected and slot.incarnation is not None
    if reason or not is_kept:
        return None
    slot.publish_view()  # a restart may be pending from now on
    return protected_result(slot)
