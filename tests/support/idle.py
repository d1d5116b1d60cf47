"""Waits until the screen has nothing left to do, by what its loop still has to run.

Textual's own wait takes a screen for idle after a fiftieth of a second in which the process used
next to no CPU. That is most of the time of a test, and it is wrong on a machine whose cores are
taken: the process that gets no CPU uses none.
"""

from __future__ import annotations

import asyncio
from typing import Any

SOON_S = 0.1
"""A timer due within this is part of what goes on: the screen draws sixty times a second, folds
events every 0.05 s, and follows a selection that has rested for 0.08 s."""

LOOK_S = 0.001
"""Between two looks, for what threads and sockets bring; none is waited for longer than a look."""

WORK_BOUND_S = 20.0
"""For what is ready to run, however slow the machine is; a screen that never rests is a fault."""


async def wait_for_idle(min_sleep: float = 0, max_sleep: float = 1) -> None:
    """Wait until nothing is ready to run and no timer is about to be.

    Args:
        min_sleep: only there because Textual gives it.
        max_sleep: bound for timers, of which one may follow the other.
    """
    loop: Any = asyncio.get_running_loop()
    timers_end = loop.time() + max_sleep
    async with asyncio.timeout(WORK_BOUND_S):
        while True:
            await asyncio.sleep(LOOK_S)
            if not loop._ready and (loop.time() > timers_end or not _is_soon(loop)):
                return


def _is_soon(loop: Any) -> bool:
    soon = loop.time() + SOON_S
    return any(timer.when() <= soon and not timer.cancelled() for timer in loop._scheduled)
