"""`Liveness`: whether a process that runs can still be talked to.

A probe is put at a steady interval. What misses several in a row is not live: its incarnation ends
it, and from there it goes the way of a crash. Only missing answers count. An error is an answer,
and so is a tool that times out; what a process prints never matters.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial

from roost.clock import Clock
from roost.models import BundleSettings
from roost.supervision.link import CallEnded, Link
from roost.supervision.readiness import WebProbe

PROBE_BOUND_S = 5.0
"""How long one answer is waited for, where the interval is not shorter; those measured take a
millisecond."""

SPREAD = 0.1
"""Share by which each pause differs, so that probes of bundles that started together drift apart
and stay so."""

BEAT_S = 1.0
"""Probes are put on beats that all bundles share, at most this long apart: waking an idle daemon
costs more than a probe, and so a beat's probes wake it once."""

BEATS_PER_INTERVAL = 10

LATE_S = 1.0
"""An answer that was waited for this much longer than it should have been was not looked at: the
daemon itself was stopped or starved, and the miss says nothing of the server."""

SHORTEST_S = 0.05
"""No interval is shorter: probes must not be what the daemon does."""

SWITCHED_OFF_POLL_S = 10.0
"""How soon a probe that is switched on for a running bundle begins."""

IDLE_TIMES_OWED = 2.0
"""A call ends after its idle time. Its server may be of one thread and still at work on it, so it
gets that time once more before silence counts against it."""

Ask = Callable[[float], Awaitable[str | None]]
"""Puts one probe, bounded by seconds; returns None when it was answered, else what was found."""


class Liveness:
    """Probes one ready process, one probe at a time.

    Args:
        ask: puts a probe.
        owed_s: says for how long the process has owed an answer without a word; None when it owes
            none.
        settings: the bundle's settings as they are now.
        clock: paces the probes.
        draw: draws from 0 to 1.
    """

    def __init__(
        self,
        ask: Ask,
        *,
        owed_s: Callable[[], float | None],
        settings: Callable[[], BundleSettings],
        clock: Clock,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._ask = ask
        self._owed_s = owed_s
        self._settings = settings
        self._clock = clock
        self._draw = draw
        self.misses = 0
        """Probes missed in a row."""
        self.evidence = ""
        """What the last missed probe found."""

    @property
    def stop_grace_s(self) -> float:
        """Seconds that a process which is not live gets from TERM to KILL."""
        return self._settings().stop_grace_s

    async def wait_not_live(self) -> None:
        """Return once too many probes in a row were missed; cancel it when the process ends."""
        await self._pause(self._interval_s() * self._draw())
        while True:
            if self._settings().probe_interval_s <= 0 or self._is_excused():
                self.misses = 0
            elif await self._misses_one():
                return
            await self._pause(self._interval_s() * (1 + SPREAD * (2 * self._draw() - 1)))

    async def _pause(self, seconds: float) -> None:
        """Sleep for about this long, to the nearest beat."""
        beat_s = min(BEAT_S, self._interval_s() / BEATS_PER_INTERVAL)
        now = self._clock.monotonic()
        await self._clock.sleep(max(round((now + seconds) / beat_s) * beat_s - now, 0.0))

    async def ask(self) -> str | None:
        """Put one probe now; return None when it was answered, else what was found."""
        return await self._ask(min(PROBE_BOUND_S, self._interval_s()))

    def _interval_s(self) -> float:
        return max(self._settings().probe_interval_s or SWITCHED_OFF_POLL_S, SHORTEST_S)

    def _is_excused(self) -> bool:
        """Whether it works on a call within that call's time: progress is liveness enough."""
        owed_s = self._owed_s()
        return owed_s is not None and owed_s < IDLE_TIMES_OWED * self._settings().call_idle_s

    async def _misses_one(self) -> bool:
        """Put a probe; say whether that was one miss too many."""
        bound_s = min(PROBE_BOUND_S, self._interval_s())
        began = self._clock.monotonic()
        finding = await self._ask(bound_s)
        if finding is None:
            self.misses = 0
            return False
        if self._clock.monotonic() - began > bound_s + LATE_S:
            return False
        self.misses += 1
        self.evidence = finding
        return self.misses >= self._settings().probe_misses


def liveness_of(
    link: Link | None,
    web: WebProbe | None,
    settings: Callable[[], BundleSettings],
    clock: Clock,
) -> Liveness | None:
    """Return what watches a ready process: by its session or by HTTP.

    A process with neither is live as long as it is alive: None.
    """
    if link is not None:
        ask = partial(ask_server, link)
        return Liveness(ask, owed_s=link.owed_s, settings=settings, clock=clock)
    if web is not None:
        return Liveness(web.check, owed_s=_nothing, settings=settings, clock=clock)
    return None


async def ask_server(link: Link, bound_s: float) -> str | None:
    """Probe an MCP server once; return None when it answered, else what was found."""
    try:
        async with asyncio.timeout(bound_s):
            await link.probe()
    except TimeoutError:
        return f"no answer to {link.probe_request} within {bound_s:g} s"
    except CallEnded as ended:
        return ended.sentence
    return None


def _nothing() -> None:
    """Owe nothing: what an HTTP server works on cannot be seen."""
