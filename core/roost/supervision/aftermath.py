"""`Aftermath`: what follows on ends that nobody asked for: crash record, back-off, retry."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from roost.clock import Clock
from roost.drivers.base import ProcessExit
from roost.models import Reason, RestartPolicy, SlotState, StartStep
from roost.supervision.backoff import HEALTHY_AFTER_S, Retry
from roost.supervision.incarnation import Incarnation, crash_reason
from roost.supervision.keyed_lock import KeyedLock
from roost.supervision.link import CallEnded
from roost.supervision.owned_tasks import OwnedTasks
from roost.supervision.slot import BundleSlot, SlotKey
from roost.supervision.start_failures import StartFailed
from roost.supervision.starter import Starter

SYSTEM = "roost"
"""Actor of what nobody asked for."""


class Aftermath:
    """Decides whether and when a slot is tried again.

    Args:
        tasks: owner of clean-ups and retries.
        locks: held while what a dead process left behind is ended.
        retry: brings a slot that still backs off up again.
        keep_wish: stores whether a slot should run.
    """

    def __init__(
        self,
        *,
        tasks: OwnedTasks,
        locks: KeyedLock[SlotKey],
        starter: Starter,
        clock: Clock,
        retry: Callable[[BundleSlot], Coroutine[Any, Any, None]],
        keep_wish: Callable[[BundleSlot], object],
    ) -> None:
        self._tasks = tasks
        self._locks = locks
        self._starter = starter
        self._clock = clock
        self._retry = retry
        self._keep_wish = keep_wish
        self._waiting: set[asyncio.Task[None]] = set()
        """What waits for a next try, or for a minute of health."""

    def watch(self, slot: BundleSlot, incarnation: Incarnation) -> None:
        """Follow a process that runs from now on: its end, and its minute of health."""
        incarnation.watch(lambda dead, ended: self.on_exit(slot, dead, ended))
        if slot.backoff.failures:
            self._own_wait(self._forgive(slot, incarnation), f"health of {slot.label}")

    async def _forgive(self, slot: BundleSlot, incarnation: Incarnation) -> None:
        """Forget the failures of a slot whose process has been healthy for long enough."""
        await self._clock.sleep(HEALTHY_AFTER_S)
        if slot.incarnation is incarnation and incarnation.process.exit is None:
            slot.backoff.reset()
            slot.publish_view()

    def on_exit(self, slot: BundleSlot, dead: Incarnation, ended: ProcessExit) -> None:
        """React to an end nobody asked for, in the same step in which it is seen."""
        if slot.incarnation is not dead:
            self._own_clean_up(slot, dead)
            return
        was_running = slot.state is SlotState.RUNNING
        self.lose(slot, dead, ended)
        if was_running and slot.is_handing_over:
            self._leave_to_candidate(slot, dead)
        elif was_running:
            self._settle(slot, dead, ended)

    def lose(self, slot: BundleSlot, dead: Incarnation, ended: ProcessExit) -> None:
        """Part the slot from a process that ended by itself, and keep how it ended.

        The state is left to the caller: under a respawn that is under way it is the respawn's.
        """
        if dead.link is not None:
            dead.link.end_calls(CallEnded.lost())
        slot.incarnation = None
        slot.crash = dead.crash_record(self._clock.now(), ended, None)
        self._own_clean_up(slot, dead)
        slot.publish_view()

    def start_failed(
        self, slot: BundleSlot, cause: str, failed: StartFailed, reason: Reason
    ) -> None:
        """Try a start again later that failed and that nobody waits for."""
        retry = slot.backoff.record_failure(self._clock.monotonic(), healthy_s=0.0)
        self._back_off(slot, retry, cause, failed.step, reason)

    def cancel_retry(self, slot: BundleSlot) -> None:
        """Forget the next try."""
        if slot.retry_task is not None:
            slot.retry_task.cancel()
            slot.retry_task = None

    async def close(self) -> None:
        """Cancel every wait."""
        waiting = tuple(self._waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    def _leave_to_candidate(self, slot: BundleSlot, dead: Incarnation) -> None:
        """Show that nothing serves until the handover under way has come to its end."""
        assert slot.crash is not None
        self._count_failure(slot, dead)
        reason = crash_reason(slot.label, slot.crash, loss=dead.loss)
        slot.move(SlotState.STARTING, cause="crash", actor=SYSTEM, step=slot.step, reason=reason)

    def _count_failure(self, slot: BundleSlot, dead: Incarnation) -> Retry:
        now = self._clock.monotonic()
        healthy_s = now - dead.ready_monotonic if dead.ready_monotonic is not None else 0.0
        return slot.backoff.record_failure(now, healthy_s=healthy_s)

    def _settle(self, slot: BundleSlot, dead: Incarnation, ended: ProcessExit) -> None:
        policy = slot.definition.settings.restart
        is_failure = not ended.is_clean or dead.was_useless
        if policy is RestartPolicy.ON_FAILURE and not is_failure:
            slot.crash = None
            slot.should_run = False
            self._keep_wish(slot)
            reason = Reason("finished", f"{slot.label} finished with exit 0 and is not restarted")
            slot.move(SlotState.STOPPED, cause="exit", actor=SYSTEM, reason=reason)
            return
        assert slot.crash is not None
        reason = crash_reason(slot.label, slot.crash, loss=dead.loss)
        if policy is RestartPolicy.NEVER:
            slot.move(SlotState.DEAD, cause="crash", actor=SYSTEM, reason=reason)
            return
        self._back_off(slot, self._count_failure(slot, dead), "crash", None, reason)

    def _own_clean_up(self, slot: BundleSlot, dead: Incarnation) -> None:
        self._tasks.own(self._clean_up(slot, dead), f"clean up {slot.label}")

    async def _clean_up(self, slot: BundleSlot, dead: Incarnation) -> None:
        """End what a dead process left behind before its slot can start again."""
        async with self._locks.hold(slot.key):
            _, kept = await self._starter.end_unrecorded(slot, dead)
            if slot.generation is not None and slot.generation.id == dead.generation.id:
                slot.set_generation(dead.generation)
        if kept is not None:  # the next start has gone ahead
            await kept.done()

    def _back_off(
        self, slot: BundleSlot, retry: Retry, cause: str, step: StartStep | None, reason: Reason
    ) -> None:
        slot.retry_at = self._clock.now() + round(retry.delay_s * 1000)
        slot.is_parked = retry.parked
        slot.move(SlotState.BACKING_OFF, cause=cause, actor=SYSTEM, step=step, reason=reason)
        waiting = self._wait(slot, retry.delay_s)
        slot.retry_task = self._own_wait(waiting, f"wait {slot.label}")

    def _own_wait(self, waiting: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(waiting, name=name)
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        return task

    async def _wait(self, slot: BundleSlot, delay_s: float) -> None:
        await self._clock.sleep(delay_s)
        slot.retry_task = None
        self._tasks.own(self._retry(slot), f"retry {slot.label}")
