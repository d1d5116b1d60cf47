"""`PreparedPlaces`: the private places that prepare steps made, and which nothing needs."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from roost.bundles.prepare import prepared_place
from roost.models import Definition

_NAME = re.compile(r"[0-9a-f]{16}")
_LEFTOVER = re.compile(r"[0-9a-f]{16}\.(?:partial|removed)")


class PreparedPlaces:
    """The places below one directory; blocks on the disk: call it in a thread.

    Args:
        root: directory of prepared places.
        python: absolute path of Roost's own interpreter, which is part of what a place is for.
    """

    def __init__(self, root: Path, python: str) -> None:
        self._root = root
        self._python = python

    def place(self, definition: Definition) -> Path | None:
        """Return where the place of a definition lies, made or not; None when it needs none."""
        if not definition.requirements and not definition.is_project:
            return None
        return prepared_place(definition, self._root, self._python)

    def unused(self, known: Iterable[Definition]) -> tuple[Path, ...]:
        """Return the places that none of these definitions needs, sorted.

        Args:
            known: of every kept version of every bundle; a place is missed by one left out.
        """
        needed = {self.place(definition) for definition in known}
        places = [self._root / name for name in self._names() if _NAME.fullmatch(name)]
        return tuple(place for place in places if place not in needed)

    def remove(self, place: Path) -> None:
        """Remove a place; it is out of the way at once, whenever its last file is gone.

        Raises:
            ValueError: it is no place below this directory.
        """
        if place.parent != self._root or not _NAME.fullmatch(place.name):
            raise ValueError(f"{place} is no prepared place of {self._root}")
        leaving = place.with_name(f"{place.name}.removed")
        shutil.rmtree(leaving, ignore_errors=True)
        try:
            place.rename(leaving)
        except FileNotFoundError:
            return
        shutil.rmtree(leaving, ignore_errors=True)

    def clear_leftovers(self) -> int:
        """Remove what a killed daemon left half made or half removed; call before any start.

        Returns:
            How many directories were removed.
        """
        found = [self._root / name for name in self._names() if _LEFTOVER.fullmatch(name)]
        for path in found:
            shutil.rmtree(path, ignore_errors=True)
        return len(found)

    def _names(self) -> list[str]:
        try:
            return sorted(os.listdir(self._root))
        except FileNotFoundError:
            return []
