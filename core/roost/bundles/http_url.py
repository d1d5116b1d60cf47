"""Addresses of MCP servers over HTTP: what may be one, and what of it may be shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import SplitResult, parse_qsl, urlsplit

from roost.bundles.literals import has_random_part, is_secret_name
from roost.errors import BadUrl
from roost.models.port import parse_port

PORT_PLACEHOLDER = "${port}"

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Hosts on which a command of this machine listens."""

_STAND_IN = "59999"
"""Takes the place of ``${port}`` while the rest is looked at."""

_VISIBLE = re.compile(r"[!-~]+")


def check_url(url: str) -> SplitResult:
    """Return the parts of an address, with a stand-in where ``${port}`` is.

    Raises:
        BadUrl: no server over HTTP can be reached by it, or it holds a name and password.
    """
    if not _VISIBLE.fullmatch(url):
        raise BadUrl("an address has no spaces and only characters of ASCII; correct it")
    try:
        parts = urlsplit(url.replace(PORT_PLACEHOLDER, _STAND_IN))
        is_numbered = parts.port is None or parts.port > 0
    except ValueError:
        raise BadUrl("that is no address, its host or port cannot be read; correct it") from None
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname or not is_numbered:
        raise BadUrl("an MCP server over HTTP has an address such as https://host/mcp; give one")
    if "@" in parts.netloc:
        raise BadUrl(
            "the address holds a user name or password, which everybody would see; leave it out "
            "and give the header Authorization instead"
        )
    if parts.fragment or "#" in url:
        raise BadUrl("an address of a server has no part after '#'; leave it out")
    return parts


def check_own_url(url: str, port: int | None) -> int | None:
    """Check the address at which a command of this machine listens; return its fixed port.

    Args:
        url: a template.
        port: the fixed port asked for, where one is.

    Returns:
        None when every generation gets a free port.

    Raises:
        BadUrl, BadPort: no command can listen there, or two different ports are asked for.
    """
    parts = check_url(url)
    if parts.hostname not in LOOPBACK:
        raise BadUrl(
            f"a command listens on this machine, not on {parts.hostname!r}; give an address such "
            "as http://127.0.0.1:${port}/mcp"
        )
    if PORT_PLACEHOLDER in url:
        return port
    named = parse_port(str(parts.port or (443 if parts.scheme == "https" else 80)), 0)
    if port not in (None, named):
        raise BadUrl(
            f"the address says port {named} and the port asked for is {port}; write ${{port}} in "
            "the address, or leave one of them out"
        )
    return named


def looks_secret(parts: SplitResult) -> bool:
    """Whether a part of an address may be a key, as some services hand them out."""
    return has_random_part(parts.path) or any(_secret_parameters(parts))


def _secret_parameters(parts: SplitResult) -> Iterator[bool]:
    for name, value in parse_qsl(parts.query, keep_blank_values=False):
        yield is_secret_name(name) or has_random_part(value)
