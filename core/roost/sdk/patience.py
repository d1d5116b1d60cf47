"""`patiently`: asks again while no daemon answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from roost.errors import DaemonUnreachable, Unavailable
from roost.sdk.post import Unheard

PATIENCE_S = 5.0
"""How long a first request waits for a daemon: one that restarts is back by then."""

FIRST_RETRY_S = 0.05
LONGEST_RETRY_S = 1.0
"""A daemon that is back is seen within this time, and one that is away costs next to nothing."""

T = TypeVar("T")


def patiently(
    ask: Callable[[], T],
    what: str,
    patience_s: float = PATIENCE_S,
    pause: Callable[[float], object] = time.sleep,
) -> T:
    """Ask until somebody answers; the request has to do no harm when it arrives twice.

    Args:
        ask: makes the request.
        what: is asked for, for the error.
        patience_s: for how long it is asked again.
        pause: waits for some seconds.

    Raises:
        RoostUnreachable: nobody answered in time.
    """
    deadline, retry_s = time.monotonic() + patience_s, FIRST_RETRY_S
    while True:
        try:
            return ask()
        except (Unheard, Unavailable) as error:
            if time.monotonic() + retry_s > deadline:
                raise DaemonUnreachable(
                    f"no Roost daemon takes {what} ({error}); `roost serve` starts one"
                ) from error
        pause(retry_s)
        retry_s = min(retry_s * 2, LONGEST_RETRY_S)
