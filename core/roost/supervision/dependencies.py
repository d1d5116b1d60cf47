"""`Dependencies`: starts that wait for other bundles, and the order in which bundles stop.

Only starts that nobody waits for are held back: at boot, after an install, after a failure. A start
that somebody asks for begins at once, whatever it comes after; its answer says what was missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from roost.models import BundleRemoved, ChangeBody, Reason, SlotState, Transitioned
from roost.supervision.slot import BundleSlot, SlotKey

ORDER_BOUND_S = 10.0
"""How long, in all, a shutdown stops bundles in their order; what is left is stopped at once, so
that a long row of stubborn bundles does not cost the rest their orderly end."""

_UNDER_WAY = frozenset({SlotState.STARTING, SlotState.RUNNING})


@dataclass(frozen=True, slots=True)
class _Held:
    """A start that is held back."""

    slot: BundleSlot
    cause: str
    actor: str


class Dependencies:
    """Holds starts back until what they come after runs.

    Args:
        slots: every slot; what is taken out of it holds nothing up any more.
        begin: begins a start with its cause and actor.
    """

    def __init__(
        self,
        slots: Mapping[SlotKey, BundleSlot],
        begin: Callable[[BundleSlot, str, str], object],
    ) -> None:
        self._slots = slots
        self._begin = begin
        self._held: dict[SlotKey, _Held] = {}

    def missing(self, slot: BundleSlot) -> tuple[str, ...]:
        """Return what a bundle comes after and does not run, by name."""
        return tuple(
            name for name in slot.definition.after if self._state(slot, name) != SlotState.RUNNING
        )

    def holds_back(self, slot: BundleSlot, cause: str, actor: str) -> bool:
        """Hold a start back where something is missing; say whether that was so."""
        missing = self.missing(slot)
        if not missing:
            return False
        self._held[slot.key] = _Held(slot, cause, actor)
        slot.retry_at = None  # the countdown is over; what is waited for has no time
        self._show(slot, missing)
        return True

    def let_go(self, slot: BundleSlot) -> None:
        """Forget a start that is held back, because it is not wanted or no longer waited with."""
        if self._held.pop(slot.key, None) is None:
            return
        slot.waits_for, slot.waiting = (), None
        if self._slots.get(slot.key) is slot:  # viewers have been told when it is gone
            slot.publish_view()

    def notice(self, body: ChangeBody) -> None:
        """Look again when a published change says that a bundle moved or is gone."""
        if isinstance(body, Transitioned):
            self.look(body.transition.workspace)
        elif isinstance(body, BundleRemoved):
            self.look(body.workspace)

    def look(self, workspace: str) -> None:
        """Begin what is free to start, and show what the rest waits for."""
        for held in tuple(self._held.values()):
            if held.slot.workspace == workspace:
                self._look_at(held)

    def sentence_of_missing(self, slot: BundleSlot) -> str:
        """Say what a bundle was started without; empty when nothing was missing."""
        missing = self.missing(slot)
        return f"; it comes after {self._told(slot, missing)}" if missing else ""

    def _look_at(self, held: _Held) -> None:
        slot = held.slot
        missing = self.missing(slot)
        if self._is_moot(slot):
            self.let_go(slot)
        elif missing:
            self._show(slot, missing)
        else:
            self.let_go(slot)
            self._begin(slot, held.cause, held.actor)

    def _is_moot(self, slot: BundleSlot) -> bool:
        """Whether a bundle is gone, or was started at once by somebody."""
        return self._slots.get(slot.key) is not slot or slot.state in _UNDER_WAY

    def _show(self, slot: BundleSlot, missing: tuple[str, ...]) -> None:
        told = self._told(slot, missing)
        they = "it runs" if len(missing) == 1 else "they run"
        sentence = (
            f"{slot.label} waits for {told}; it starts as soon as {they}, or at once with "
            f"`roost start {slot.label}`"
        )
        waiting = Reason("waits", sentence)
        if (slot.waits_for, slot.waiting) != (missing, waiting):
            slot.waits_for, slot.waiting = missing, waiting
            slot.publish_view()

    def _told(self, slot: BundleSlot, names: Iterable[str]) -> str:
        return " and ".join(f"{name}, which {self._words(slot, name)}" for name in names)

    def _words(self, slot: BundleSlot, name: str) -> str:
        other = self._slots.get((slot.workspace, name))
        if other is None:
            return "is not installed"
        if other.waits_for:
            return "waits itself"
        if other.state is SlotState.NEEDS_CREDENTIALS:
            return "needs credentials"
        return f"is {other.state.value.replace('_', ' ')}"

    def _state(self, slot: BundleSlot, name: str) -> SlotState | None:
        other = self._slots.get((slot.workspace, name))
        return other.state if other is not None else None


class StopOrder:
    """Gives every bundle of a shutdown its turn: first those that come after it, then it.

    Args:
        slots: what is stopped.
        bound_s: seconds after which everybody's turn has come, a circle's too.
    """

    def __init__(self, slots: Iterable[BundleSlot], *, bound_s: float = ORDER_BOUND_S) -> None:
        self._slots = tuple(slots)
        self._down = {slot.key: asyncio.Event() for slot in self._slots}
        self._by = asyncio.get_running_loop().time() + bound_s

    @asynccontextmanager
    async def turn(self, slot: BundleSlot) -> AsyncIterator[None]:
        """Wait for the turn of a bundle; leaving the block is its end."""
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._by):
                    for dependent in self._dependents(slot):
                        await self._down[dependent.key].wait()
            yield
        finally:
            self._down[slot.key].set()

    def _dependents(self, slot: BundleSlot) -> Iterable[BundleSlot]:
        for other in self._slots:
            if other.workspace == slot.workspace and slot.name in other.definition.after:
                yield other
