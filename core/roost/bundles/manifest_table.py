"""`ManifestTable`: typed reading of one object of a manifest, with errors that name the place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn, TypeVar

from roost.errors import BadManifest

T = TypeVar("T")

_LONGEST_SHOWN = 300


def refuse(where: str, problem: str) -> NoReturn:
    """Raise a `BadManifest` about one place of the manifest."""
    where, problem = _shortened(where), _shortened(problem)
    raise BadManifest(
        f"manifest.json: {where} {problem}; correct the manifest, or get a newer bundle from its "
        "author",
        where=where,
    )


class ManifestTable:
    """One JSON object of the manifest.

    Args:
        data: what was found there.
        where: dotted path of it, empty for the manifest itself.

    Raises:
        BadManifest: `data` is not an object.
    """

    def __init__(self, data: Any, where: str = "") -> None:
        if not isinstance(data, dict):
            refuse(where or "the manifest", "must be an object")
        self._data: dict[str, Any] = data
        self._where = where

    def __contains__(self, key: str) -> bool:
        return self._data.get(key) is not None

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys in the order of the file."""
        return iter(self._data)

    def place(self, key: str) -> str:
        """Return the dotted path of a key."""
        return f"{self._where}.{key}" if self._where else key

    def value(self, key: str) -> Any:
        """Return what stands under the key; None when nothing does."""
        return self._data.get(key)

    def text(self, key: str, default: str | None = None) -> str:
        """Return a string that is not empty; without a `default` it is required."""
        found = self._typed(key, str, "a text", default)
        if "\0" in found or not _is_text(found):
            refuse(self.place(key), "holds characters that are not text")
        if not found.strip() and default is None:
            refuse(self.place(key), "is empty")
        return found

    def flag(self, key: str) -> bool:
        """Return true or false; false when absent."""
        return self._typed(key, bool, "true or false", False)

    def number(self, key: str) -> float | None:
        """Return a number, or None when absent."""
        found = self._data.get(key)
        if found is None:
            return None
        if isinstance(found, bool) or not isinstance(found, int | float):
            refuse(self.place(key), "must be a number")
        try:
            return float(found)
        except OverflowError:
            refuse(self.place(key), "is too large")

    def table(self, key: str) -> ManifestTable:
        """Return the object under a required key."""
        if key not in self:
            refuse(self.place(key), "is missing")
        return ManifestTable(self._data[key], self.place(key))

    def optional_table(self, key: str) -> ManifestTable:
        """Return the object under a key, an empty one when absent."""
        return self.table(key) if key in self else ManifestTable({}, self.place(key))

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings, empty when absent."""
        found = self._typed(key, list, "a list of texts", [])
        if not all(isinstance(element, str) and _is_clean(element) for element in found):
            refuse(self.place(key), "must be a list of texts")
        return tuple(found)

    def text_map(self, key: str) -> dict[str, str]:
        """Return an object of strings, empty when absent."""
        table = self.optional_table(key)
        for name in table:
            if not isinstance(table.value(name), str) or not _is_clean(table.value(name)):
                refuse(table.place(name), "must be a text")
        return {name: table.value(name) for name in table}

    def _typed(self, key: str, kind: type[T], described: str, default: T | None) -> T:
        found = self._data.get(key)
        if found is None:
            if default is None:
                refuse(self.place(key), "is missing")
            return default
        if not isinstance(found, kind):
            refuse(self.place(key), f"must be {described}")
        return found


def _shortened(text: str) -> str:
    """Return what fits into a sentence: a manifest may hold texts of any length."""
    if len(text) <= _LONGEST_SHOWN:
        return text
    half = _LONGEST_SHOWN // 2
    return f"{text[:half]}…{text[-half:]}"


def _is_clean(text: str) -> bool:
    return "\0" not in text and _is_text(text)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
