"""`Scrubber` takes secrets out of captured output, in the forms programs print them in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from roost.vault.secret_forms import SHORTEST_VALUE, FormIndex, packed_forms, text_forms
from roost.vault.wrapped_lines import packed_run, unwrapped

__all__ = ["REPLACEMENT", "SHORTEST_VALUE", "Scrubber", "StreamScrubber"]

REPLACEMENT = "[secret]"

_REPLACEMENT_BYTES = REPLACEMENT.encode()

Span = tuple[int, int]


_NOTHING = FormIndex(())
"""What all that have no secrets look for."""


class Scrubber:
    """Replaces secrets in text, in JSON values and in byte streams.

    A value is found as it is, escaped for JSON (once and twice), HTML and the shell,
    percent-encoded, in hex, and inside the base64 of any text that contains it, wrapped over lines
    or not. The lines of a value of several lines are found one by one as well. Values that overlap
    are replaced together, so that no end of one is left.

    Args:
        values: secrets; those of fewer than `SHORTEST_VALUE` characters are left alone.
    """

    def __init__(self, values: Iterable[str]) -> None:
        secrets = tuple(dict.fromkeys(values))
        packed = {form for value in secrets for form in packed_forms(value)}
        self._packed = FormIndex(packed) if secrets else _NOTHING
        self._index = FormIndex(packed.union(*map(text_forms, secrets))) if secrets else _NOTHING

    def __bool__(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self._index.forms)

    @property
    def longest(self) -> int:
        """Bytes of the longest form looked for; a stream never holds back as many, line ends
        apart."""
        return self._index.longest

    def text(self, text: str) -> str:
        """Return `text` with every secret replaced."""
        if not self:
            return text
        data = text.encode("utf-8", "surrogatepass")
        spans, _ = self._look(data, 0)
        if not spans:
            return text
        clean, _ = _replaced(data, spans, len(data), 0)
        return clean.decode("utf-8", "surrogatepass")

    def json(self, value: Any) -> Any:
        """Return a JSON value with every secret replaced in its strings and keys."""
        if not self:
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

    def _look(self, data: bytes, run: int) -> tuple[list[Span], int]:
        """Return where secrets stand, and from where on one may only have begun.

        Args:
            data: a part of a stream.
            run: how many characters of base64 stood right before it.
        """
        spans, begins = self._index.spans(data), self._index.begins_at(data)
        lines = unwrapped(data, run)
        if lines is not None:
            spans += [
                (lines.origin(start), lines.origin(end - 1) + 1)
                for start, end in self._packed.spans(lines.joined)
                if lines.crosses(start, end)
            ]
            begun = self._packed.begins_at(lines.joined)
            if begun < len(lines.joined):
                begins = min(begins, lines.origin(begun))
        spans.sort()
        return spans, begins


class StreamScrubber:
    """Scrubs one stream; a secret split over pieces is found too.

    Only bytes that may be the beginning of a secret are held back until the next piece, so
    ordinary output passes at once.
    """

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._held = b""
        self._covered = 0
        """How many of the held bytes belong to a secret that was replaced already."""
        self._run = 0
        """Characters of base64 right before the held bytes, up to a full line."""

    def feed(self, data: bytes) -> bytes:
        """Take the next piece and return what may be shown by now."""
        if not self._scrubber:
            return data
        data = self._held + data
        spans, begins = self._scrubber._look(data, self._run)
        return self._show(data, spans, begins)

    def flush(self) -> bytes:
        """Return what is held back, at the end of the stream."""
        spans, _ = self._scrubber._look(self._held, self._run)
        return self._show(self._held, spans, len(self._held))

    def _show(self, data: bytes, spans: list[Span], until: int) -> bytes:
        # A secret that begins before `until` is whole in `data`, so nothing before can change.
        self._run = packed_run(data[:until], self._run)
        self._held = data[until:]
        if not spans and not self._covered:
            return data[:until]
        clean, done = _replaced(data, spans, until, self._covered)
        self._covered = done - until
        return clean


def _replaced(data: bytes, spans: list[Span], until: int, done: int) -> tuple[bytes, int]:
    """Return `data` up to a position, scrubbed, and where the last secret that began there ends.

    Args:
        data: bytes.
        spans: where secrets stand, in order; those that overlap count as one.
        until: secrets that begin from here on are left for later.
        done: how many bytes at the beginning belong to a secret that was replaced already.
    """
    parts: list[bytes] = []
    covered = done
    for start, end in spans:
        if start >= until:
            break
        if start < covered:
            covered = max(covered, end)
            continue
        parts += (data[covered:start], _REPLACEMENT_BYTES)
        covered = end
    parts.append(data[covered:until])
    return b"".join(parts), max(covered, until)
