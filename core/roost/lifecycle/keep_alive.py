"""`KeepAlive`: a sign of life to the supervisor, for as long as the event loop turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from roost.clock import Clock


class KeepAlive:
    """One periodic task, however often it is started.

    It is a component: it begins when every server listens, which follows a restore too, never is
    part of a snapshot, and ends with the close.

    Args:
        beat: sends one sign of life.
        interval_s: returns the seconds between two, or None when nobody asks for them; asked at
            each start, because a restored process may have another supervisor.
        clock: time.
    """

    def __init__(
        self, beat: Callable[[], None], interval_s: Callable[[], float | None], clock: Clock
    ) -> None:
        self._beat = beat
        self._interval_s = interval_s
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    @property
    def is_beating(self) -> bool:
        """Whether its timer runs."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Begin, unless it has begun or nobody listens."""
        interval_s = self._interval_s()
        if interval_s is not None and not self.is_beating:
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._run(interval_s), name="keep-alive")

    async def stop(self) -> None:
        """End; safe to call when it never began."""
        task, self._task = self._task, None
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait({task})  # a cancelled caller is not mistaken for the cancelled task

    def server_did_ready(self) -> None:
        """Begin when every server listens."""
        self.start()

    async def before_snapshot(self) -> None:
        """Leave no timer in the copy."""
        await self.stop()

    async def before_close(self) -> None:
        """End."""
        await self.stop()

    async def _run(self, interval_s: float) -> None:
        while True:
            self._beat()
            await self._clock.sleep(interval_s)
