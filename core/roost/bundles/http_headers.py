"""Headers of requests to MCP servers over HTTP: which may be set, and their fields."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import replace

from roost.bundles.literals import LiteralEnvironment, take_apart
from roost.bundles.templates import CONFIG_PREFIX
from roost.errors import BadUrl

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A header's name, as RFC 9110 has it."""

_UNFIT_VALUE = re.compile(r"[^\t\x20-\x7e]")
"""What no header can carry, or what servers read in different ways."""

_OWN_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "last-event-id",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that the protocol sets itself, and all that begin with `mcp-`."""


def header_problem(name: str, value: str) -> str | None:
    """Say what keeps a header from being sent, without its value; None when nothing does."""
    if not _TOKEN.fullmatch(name):
        return f"{name[:40]!r} is no name that a header can have; use letters, digits and -"
    if name.lower() in _OWN_HEADERS or name.lower().startswith("mcp-"):
        return f"the header {name} is set by the protocol itself; leave it out"
    if _UNFIT_VALUE.search(value) or value != value.strip():
        return (
            f"the header {name} holds a line break, a space at its end or another character that "
            "no header can carry; correct it"
        )
    return None


def take_headers_apart(headers: Mapping[str, str], *, taken: Container[str]) -> LiteralEnvironment:
    """Turn every header into a field; what stands for the environment are the headers' templates.

    Args:
        headers: names and literal values.
        taken: keys of fields that are in use.

    Raises:
        BadUrl: a header cannot be sent, or is not for the operator to set.
    """
    _check(headers)
    names = _keys(headers, taken)
    literal = take_apart({key: headers[name] for key, name in names.items()}, BadUrl)
    fields = tuple(
        replace(field, title=names[field.key], description=f"header {names[field.key]}")
        for field in literal.fields
    )
    templates = {name: f"${{{CONFIG_PREFIX}{key}}}" for key, name in names.items()}
    return LiteralEnvironment(fields, literal.values, templates)


def _check(headers: Mapping[str, str]) -> None:
    seen: set[str] = set()
    for name, value in headers.items():
        if problem := header_problem(name, value):
            raise BadUrl(problem)
        if name.lower() in seen:
            raise BadUrl(f"the header {name} is given twice; leave one of them out")
        seen.add(name.lower())


def _keys(headers: Mapping[str, str], taken: Container[str]) -> dict[str, str]:
    """Return the header that each field's key stands for."""
    names: dict[str, str] = {}
    for name in headers:
        key = re.sub(r"[^A-Za-z0-9_]", "_", name)
        key = f"_{key}" if key[0].isdigit() else key
        while key in names or key in taken:
            key += "_"
        names[key] = name
    return names
