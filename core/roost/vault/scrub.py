"""`Scrubber` takes secrets out of captured output, in the forms programs print them in."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

SHORTEST_VALUE = 6
"""Characters; shorter values occur in ordinary text all the time."""

REPLACEMENT = "[secret]"

_REPLACEMENT_BYTES = REPLACEMENT.encode()
_UNESCAPED_BY_BROWSERS = "!'()*~"
"""What JavaScript's `encodeURIComponent` leaves alone and `quote` does not."""


class Scrubber:
    """Replaces secrets in text, in JSON values and in byte streams.

    A value is found as it is, escaped for JSON (once and twice), percent-encoded, and inside the
    base64 of any text that contains it. The lines of a value of several lines are found one by one
    as well.

    Args:
        values: secrets; those of fewer than `SHORTEST_VALUE` characters are left alone.
    """

    def __init__(self, values: Iterable[str]) -> None:
        found = {variant for value in values for variant in _variants(value)}
        self._variants = tuple(sorted(found, key=lambda variant: (-len(variant), variant)))

    def __bool__(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self._variants)

    @property
    def longest(self) -> int:
        """Bytes of the longest form looked for; a stream never holds back as much."""
        return len(self._variants[0]) if self._variants else 0

    def text(self, text: str) -> str:
        """Return `text` with every secret replaced."""
        if not self._variants:
            return text
        data = text.encode("utf-8", "surrogatepass")
        pattern = self._pattern_for(data)
        if pattern is None:
            return text
        return pattern.sub(_REPLACEMENT_BYTES, data).decode("utf-8", "surrogatepass")

    def json(self, value: Any) -> Any:
        """Return a JSON value with every secret replaced in its strings and keys."""
        if not self._variants:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.json(key): self.json(element) for key, element in value.items()}
        if isinstance(value, list | tuple):
            return [self.json(element) for element in value]
        return value

    def stream(self) -> StreamScrubber:
        """Return a scrubber for one stream that comes in pieces."""
        return StreamScrubber(self)

    def _pattern_for(self, data: bytes) -> re.Pattern[bytes] | None:
        # Searching for each form by itself is far quicker than one alternation of all of them,
        # and nearly all output holds none. Longest first, so that a whole value wins over a part.
        present = [variant for variant in self._variants if variant in data]
        return re.compile(b"|".join(map(re.escape, present))) if present else None

    def _unfinished_from(self, data: bytes, start: int) -> int:
        """Return the earliest position from `start` on where a secret may have begun."""
        earliest = len(data)
        for variant in self._variants:
            at = data.find(variant[:1], max(start, len(data) - len(variant) + 1), earliest)
            while at >= 0:
                if variant.startswith(data[at:]):
                    earliest = at
                    break
                at = data.find(variant[:1], at + 1, earliest)
        return earliest


class StreamScrubber:
    """Scrubs one stream; a secret split over pieces is found too.

    Only bytes that may be the beginning of a secret are held back until the next piece, so
    ordinary output passes at once.
    """

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Take the next piece and return what may be shown by now."""
        if not self._scrubber:
            return data
        data = self._held + data
        clean, done = self._replaced(data)
        self._held = data[done:]
        return clean

    def flush(self) -> bytes:
        """Return what is held back, at the end of the stream."""
        held, self._held = self._held, b""
        pattern = self._scrubber._pattern_for(held)
        return pattern.sub(_REPLACEMENT_BYTES, held) if pattern else held

    def _replaced(self, data: bytes) -> tuple[bytes, int]:
        """Return the scrubbed beginning of `data` and how many bytes of `data` it stands for."""
        pattern = self._scrubber._pattern_for(data)
        parts: list[bytes] = []
        done = 0
        unfinished = self._scrubber._unfinished_from(data, done)
        for match in pattern.finditer(data) if pattern else ():
            if unfinished <= match.start():
                break  # a longer secret may begin here or before, and only the next piece tells
            parts += (data[done : match.start()], _REPLACEMENT_BYTES)
            done = match.end()
            if unfinished < done:
                unfinished = self._scrubber._unfinished_from(data, done)
        parts.append(data[done:unfinished])
        return b"".join(parts), unfinished


def _variants(value: str) -> Iterator[bytes]:
    for part in _parts(value):
        yield from _text_forms(part)
        yield from _base64_forms(part.encode("utf-8", "surrogatepass"))


def _parts(value: str) -> Iterator[str]:
    """Yield the value without the space around it, and its lines where it has several."""
    if len(value) < SHORTEST_VALUE:
        return
    core = value.strip()
    yield core if len(core) >= SHORTEST_VALUE else value
    for line in core.splitlines():
        stripped = line.strip()
        # The boundary lines of a PEM file are the same in all of them.
        if len(stripped) >= SHORTEST_VALUE and not stripped.startswith("-----"):
            yield stripped


def _text_forms(value: str) -> Iterator[bytes]:
    for text in (value, *_json_forms(value)):
        yield text.encode("utf-8", "surrogatepass")
    data = value.encode("utf-8", "surrogatepass")
    for text in (
        quote(data),
        quote(data, safe=""),
        quote_plus(data),
        quote(data, safe=_UNESCAPED_BY_BROWSERS),
    ):
        yield text.encode()
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), text).encode()


def _json_forms(value: str) -> Iterator[str]:
    for ascii_only in (True, False):
        once = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield once
        yield once.replace("/", "\\/")
        yield json.dumps(once, ensure_ascii=ascii_only)[1:-1]


def _base64_forms(data: bytes) -> Iterator[bytes]:
    """Yield the characters that `data` alone decides, for each of its three alignments."""
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + data)
        first = -(-offset * 8 // 6)
        core = encoded[first : (offset + len(data)) * 8 // 6]
        yield core
        yield core.translate(_URLSAFE)


_URLSAFE = bytes.maketrans(b"+/", b"-_")
