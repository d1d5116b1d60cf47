"""Lengths of time, times of day, sizes and counts as short text, alike for every client.

It loads nothing but `time`: the verbs that are typed all day count each module.
"""

from __future__ import annotations

import time

NOTHING = "-"
"""Stands where a value does not apply."""


def duration(milliseconds: int) -> str:
    """Return a length of time in two units at most: ``3s``, ``4m12``, ``2h11``, ``3d04``."""
    seconds = max(milliseconds, 0) // 1000
    if seconds < 60:
        return f"{seconds}s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes}m{seconds:02d}"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h{minutes:02d}"
    days, hours = divmod(hours, 24)
    return f"{days}d{hours:02d}"


def elapsed(milliseconds: int) -> str:
    """Return how long work took: like `duration`, finer below ten seconds."""
    milliseconds = max(milliseconds, 0)
    if milliseconds < 100:
        return f"{milliseconds}ms"
    if milliseconds < 10_000:
        return f"{milliseconds / 1000:.1f}s"
    return duration(milliseconds)


def latency(milliseconds: int | None) -> str:
    """Return a response, start or run time: ``18ms``, ``1.2s``, ``4m12``."""
    if milliseconds is None:
        return NOTHING
    return f"{max(milliseconds, 0)}ms" if milliseconds < 1000 else elapsed(milliseconds)


def countdown(until: int | None, now: int) -> str:
    """Return what is left of a wait, rounded up: ``12s``, ``4m``; ``now`` once it is over."""
    left = -(-((until or now) - now) // 1000)
    if left <= 0:
        return "now"
    return f"{left}s" if left < 120 else f"{left // 60}m"


def size(count: int) -> str:
    """Return bytes with a binary unit in at most four characters: ``512B``, ``61M``, ``1.2G``."""
    if count < 1024:
        return f"{max(count, 0)}B"
    value = float(count)
    for unit in "KMGTP":
        value /= 1024
        if value < 9.95:
            return f"{value:.1f}{unit}" if unit in "GTP" else f"{value:.0f}{unit}"
        if value < 1023.5:
            return f"{value:.0f}{unit}"
    return f"{value:.0f}P"


def percent(value: float) -> str:
    """Return a percentage: one decimal below ten, none above."""
    return f"{value:.1f}%" if value < 9.95 else f"{value:.0f}%"


def clock_time(at: int) -> str:
    """Return the local time of day of an epoch millisecond."""
    return time.strftime("%H:%M:%S", time.localtime(at / 1000))


def grouped(count: int) -> str:
    """Return a count in groups of thousands: ``12 400``."""
    return f"{count:,}".replace(",", " ")


def plural(count: int, noun: str) -> str:
    """Return ``1 run``, ``2 runs``."""
    return f"{grouped(count)} {noun}" if count == 1 else f"{grouped(count)} {noun}s"
