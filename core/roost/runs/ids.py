"""Ids of runs: short, unique, and sorted as the runs were begun."""

from __future__ import annotations

import secrets

from roost.clock import Clock

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no letter that is taken for a digit, and sorted as its values are."""

RANDOM_BITS = 15
"""Below the milliseconds, so that two daemons on one database do not meet."""

LENGTH = 12
"""Characters of 5 bits: 45 bits of milliseconds last until the year 3084."""


class RunIds:
    """Makes ids such as ``r-1kjm2v8q0c7f``: the time in milliseconds, then 15 random bits.

    An id is greater than every earlier one of the same daemon, even when the wall clock steps back.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def next(self) -> str:
        """Return a new id."""
        fresh = self._clock.now() << RANDOM_BITS | secrets.randbits(RANDOM_BITS)
        self._last = max(fresh, self._last + 1)
        digits = (self._last >> 5 * place & 31 for place in reversed(range(LENGTH)))
        return "r-" + "".join(ALPHABET[digit] for digit in digits)
