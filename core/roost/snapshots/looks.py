"""`Looks`: looks at files, of which those for several starts at the same moment share results."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

LONGEST_TURN_S = 0.25
"""A look takes 2 ms; one that takes longer hangs at its disk, and holds nobody else up."""


class Looks:
    """Gives each start that compares its key a `Look`; for any number of threads.

    Bundles of one environment come from the same thousand files. What was found counts for every
    start that had begun to look before it was found, so a start never takes an older answer than
    its own would be. Nothing is kept once nobody looks.

    They look one after the other: threads that all ask for files would fight over the interpreter,
    and what each waits for has then mostly been found.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        """Guards the two counts, and that what was found is dropped with the last look."""
        self._turn = Lock()
        """Held by the one that looks."""
        self.begun = 0
        """How many looks have begun; a look with a number up to this may use what is found now."""
        self.under_way = 0
        self.stats: dict[str, tuple[int, os.stat_result]] = {}
        """What was found, and how many looks had begun just before."""
        self.names: dict[str, tuple[int, list[str]]] = {}
        """Of directories, likewise."""

    @contextmanager
    def look(self) -> Iterator[Look]:
        """Begin a look, which is over at the end of the block."""
        with self._lock:
            self.begun += 1
            self.under_way += 1
            look = Look(self, self.begun)
        has_turn = self._turn.acquire(timeout=LONGEST_TURN_S)
        try:
            yield look
        finally:
            if has_turn:
                self._turn.release()
            with self._lock:
                self.under_way -= 1
                if not self.under_way:
                    self.stats, self.names = {}, {}


class Look:
    """One start's look at files; made by `Looks.look`."""

    def __init__(self, looks: Looks, number: int) -> None:
        self._looks = looks
        self._number = number

    def stat(self, path: str) -> os.stat_result:
        """Return a file as it is, or was after this look had begun.

        Raises:
            OSError: it cannot be found.
        """
        looks = self._looks
        known = looks.stats.get(path)
        if known is not None and known[0] >= self._number:
            return known[1]
        begun = looks.begun  # before the file is asked for: who begins later must ask again
        found = os.stat(path)
        if looks.under_way > 1:
            looks.stats[path] = (begun, found)
        return found

    def names(self, directory: str) -> list[str]:
        """Return what a directory holds, or held after this look had begun.

        Raises:
            OSError: it cannot be read.
        """
        looks = self._looks
        known = looks.names.get(directory)
        if known is not None and known[0] >= self._number:
            return known[1]
        begun = looks.begun
        found = os.listdir(directory)
        if looks.under_way > 1:
            looks.names[directory] = (begun, found)
        return found
