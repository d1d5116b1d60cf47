"""Secrets inside other secrets, so that a server which repeats a part is scrubbed too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, urlsplit

_SCHEME = re.compile(r"(?:bearer|basic|token|apikey|bot) +(\S.*)", re.IGNORECASE)
"""A header's value that names its scheme before the secret."""

SHORTEST_PART = 12
"""Parts of a path that are shorter are words."""


def with_parts(secrets: Iterable[str]) -> tuple[str, ...]:
    """Return secrets and what of them is secret by itself, each once."""
    return tuple(dict.fromkeys(part for secret in secrets for part in _parts(secret)))


def _parts(secret: str) -> Iterator[str]:
    yield secret
    if found := _SCHEME.fullmatch(secret):
        yield found[1]
    if secret.startswith(("http://", "https://")):
        yield from _parts_of_url(secret)


def _parts_of_url(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    yield from (value for _, value in parse_qsl(parts.query))
    yield from (part for part in parts.path.split("/") if len(part) >= SHORTEST_PART)
