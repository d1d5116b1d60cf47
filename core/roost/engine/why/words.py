"""Times as the report writes them."""

from __future__ import annotations

import time


def moment(at: int, now: int) -> str:
    """Return when something was, in the daemon's time: the clock, with the date if not today.

    Args:
        at: epoch milliseconds.
        now: epoch milliseconds.
    """
    then, today = time.localtime(at / 1000), time.localtime(now / 1000)
    is_today = then[:3] == today[:3]
    return time.strftime("%H:%M:%S" if is_today else "%Y-%m-%d %H:%M:%S", then)


def span(milliseconds: int) -> str:
    """Return a length of time in two units at most: ``3 s``, ``4 min 12 s``, ``2 h 11 min``."""
    seconds = max(milliseconds, 0) // 1000
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
