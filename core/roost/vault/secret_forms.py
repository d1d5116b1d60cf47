"""The forms in which programs print a secret."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

SHORTEST_VALUE = 6
"""Characters; shorter values occur in ordinary text all the time."""

_UNESCAPED_BY_BROWSERS = "!'()*~"
"""What JavaScript's `encodeURIComponent` leaves alone and `quote` does not."""

_URLSAFE = bytes.maketrans(b"+/", b"-_")


def text_forms(value: str) -> Iterator[bytes]:
    """Yield how a value is printed as text: as it is, and escaped for JSON, URL, HTML and shell."""
    for part in _parts(value):
        for text in (part, *_json_forms(part), *_html_forms(part), *_shell_forms(part)):
            yield _encoded(text)
        yield from _percent_forms(_encoded(part))


def packed_forms(value: str) -> Iterator[bytes]:
    """Yield how a value stands in base64 and in hex, which are also wrapped over lines."""
    for part in _parts(value):
        data = _encoded(part)
        yield from _base64_forms(data)
        yield from (data.hex().encode(), data.hex().upper().encode())


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _parts(value: str) -> Iterator[str]:
    """Yield the value without the space around it, and its lines where it has several."""
    if len(value) < SHORTEST_VALUE:
        return
    core = value.strip()
    whole = core if len(core) >= SHORTEST_VALUE else value
    yield whole
    if "\n" in whole:
        plain = whole.replace("\r\n", "\n")
        yield plain
        yield plain.replace("\n", "\r\n")
    for line in core.splitlines():
        stripped = line.strip()
        # The boundary lines of a PEM file are the same in all of them.
        if len(stripped) >= SHORTEST_VALUE and not stripped.startswith("-----"):
            yield stripped


def _json_forms(value: str) -> Iterator[str]:
    for ascii_only in (True, False):
        once = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield once
        yield once.replace("/", "\\/")
        yield json.dumps(once, ensure_ascii=ascii_only)[1:-1]


def _html_forms(value: str) -> Iterator[str]:
    # As `html.escape` does, whose module brings the names of all characters, half a MiB.
    escaped = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for double in ('"', "&quot;", "&#34;"):
        for single in ("'", "&#39;", "&#x27;", "&apos;"):
            yield escaped.replace('"', double).replace("'", single)


def _shell_forms(value: str) -> Iterator[str]:
    yield value.replace("'", "'\\''")
    yield value.replace("'", "'\"'\"'")
    yield re.sub(r'(["$`\\])', r"\\\1", value)


def _percent_forms(data: bytes) -> Iterator[bytes]:
    for text in (
        quote(data),
        quote(data, safe=""),
        quote_plus(data),
        quote(data, safe=_UNESCAPED_BY_BROWSERS),
    ):
        yield text.encode()
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), text).encode()


def _base64_forms(data: bytes) -> Iterator[bytes]:
    """Yield the characters that `data` alone decides, for each of its three alignments."""
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + data)
        first = -(-offset * 8 // 6)
        core = encoded[first : (offset + len(data)) * 8 // 6]
        yield core
        yield core.translate(_URLSAFE)


class FormIndex:
    """Forms to look for, and what tells quickly that none of them begins at the end of a text.

    Args:
        forms: byte strings; those that hold a shorter one are still all kept.
    """

    def __init__(self, forms: Iterable[bytes]) -> None:
        self.forms = tuple(sorted(set(forms), key=lambda form: (-len(form), form)))
        self._firsts = frozenset(form[0] for form in self.forms)
        self._pairs = frozenset(
            form[at : at + 2] for form in self.forms for at in range(len(form) - 2)
        )
        """Two bytes with which a form that has only begun may end."""

    @property
    def longest(self) -> int:
        """Bytes of the longest form."""
        return len(self.forms[0]) if self.forms else 0

    def spans(self, data: bytes) -> list[tuple[int, int]]:
        """Return where forms stand, every occurrence of each, those inside one another too."""
        # Searching for each form by itself is far quicker than one alternation of all of them,
        # and nearly all output holds none.
        found: list[tuple[int, int]] = []
        for form in self.forms:
            if form in data:
                found += _occurrences(form, data)
        return found

    def begins_at(self, data: bytes) -> int:
        """Return the earliest position from which `data` is only the beginning of a form."""
        earliest = len(data)
        if not data or (data[-1] not in self._firsts and data[-2:] not in self._pairs):
            return earliest
        for form in self.forms:
            at = data.find(form[:1], max(0, len(data) - len(form) + 1), earliest)
            while at >= 0:
                if form.startswith(data[at:]):
                    earliest = at
                    break
                at = data.find(form[:1], at + 1, earliest)
        return earliest


def _occurrences(form: bytes, data: bytes) -> Iterator[tuple[int, int]]:
    at = data.find(form)
    while at >= 0:
        yield at, at + len(form)
        at = data.find(form, at + 1)
