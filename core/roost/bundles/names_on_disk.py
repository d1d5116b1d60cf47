"""`NameCollisions` finds paths that would be one file on some file system."""

from __future__ import annotations

import unicodedata


class NameCollisions:
    """Collects paths and refuses those that collide.

    File systems that ignore case or Unicode normalisation would let one entry overwrite another,
    so paths that differ in nothing else are refused everywhere.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, bool]] = {}
        self._files: set[str] = set()

    def add(self, parts: tuple[str, ...], *, is_directory: bool) -> str | None:
        """Take a path and say what is wrong with it, or None.

        Args:
            parts: its components.
            is_directory: whether the path itself is a directory; those above it always are.
        """
        for depth in range(1, len(parts) + 1):
            spelling = "/".join(parts[:depth])
            is_folder = is_directory or depth < len(parts)
            known = self._seen.setdefault(_folded(spelling), (spelling, is_folder))
            if known[0] != spelling:
                return f"differs from {known[0]!r} only in case or Unicode form"
            if known[1] != is_folder:
                return f"needs {spelling!r} to be both a file and a directory"
        path = "/".join(parts)
        if path in self._files:
            return "occurs twice"
        if not is_directory:
            self._files.add(path)
        return None


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path.casefold())
