"""`StopRequest`: the wish that an app ends, for whoever works in it."""

from __future__ import annotations

import time

from roost.lifecycle import Milestone


class StopRequest:
    """Set once a stop was asked for, or the close began; fresh at every start."""

    def __init__(self) -> None:
        self._asked = Milestone()
        self._asked_at = 0.0

    def is_set(self) -> bool:
        """Whether it was asked for."""
        return self._asked.is_reached

    async def wait(self) -> None:
        """Return once it is asked for."""
        await self._asked.wait()

    def set(self) -> None:
        """Ask for it, in the app's event loop; safe to call again."""
        if not self._asked.is_reached:
            self._asked_at = time.monotonic()
            self._asked.reach()

    def grace_left(self, grace_s: float) -> float:
        """Return what is left of a grace that began with the wish, in seconds."""
        return max(0.0, self._asked_at + grace_s - time.monotonic()) if self.is_set() else grace_s

    def renew(self) -> None:
        """Forget it: another start begins."""
        self._asked = Milestone()
