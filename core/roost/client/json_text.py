"""JSON text to plain values without importing `json`.

`import json` pulls in `re`, `enum` and `functools`: as much time as a bare interpreter needs to
start. The scanner behind it is in C and needs none of them; interpreters without it, or with
another shape of it, get the ordinary module, and so does text that the scanner refuses, for the
sake of its error message.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs as much as `json` does
    from typing import Any


class _Settings:
    """What the scanner reads from the decoder that usually owns it."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    array_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


def _c_scanner() -> Any:
    try:
        from _json import make_scanner

        return make_scanner(_Settings)  # type: ignore[arg-type]
    except (ImportError, AttributeError, TypeError):
        return None


_scan = _c_scanner()


def parse(data: bytes) -> Any:
    """Decode a JSON document.

    Raises:
        ValueError: the data is not UTF-8 or not JSON.
    """
    text = data.decode().strip(" \t\r\n")
    if _scan is not None:
        try:
            value, end = _scan(text, 0)
        except (StopIteration, SystemError, ValueError):
            end = -1
        if end == len(text):
            return value
    import json

    return json.loads(text)
