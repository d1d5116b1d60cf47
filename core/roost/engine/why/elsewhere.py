"""What is told of MCP servers over HTTP: where they answer, and the way out of each failure."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from roost.engine.why.subject import Subject
from roost.supervision.start_failures import authorization_words

LOOK_S = 1.0
"""Bound of one look at a port, which takes milliseconds or meets trouble."""

_WAYS_OUT = {
    "refused": "start the server there, or correct the address",
    "session_lost": "start the server there, or correct the address",
    "unavailable": "wait until the server there has recovered, or ask who runs it",
    "timeout": "make sure that this machine reaches it: its network, a firewall, a proxy",
    "unreachable": "make sure that this machine reaches it: its network, a firewall, a proxy",
    "unknown_host": "correct the host in the address, or this machine's name resolution",
    "redirected": "install it again with the address that it sends to",
    "not_mcp": "correct the path in the address: servers often answer on /mcp",
    "certificate": "where an authority of your own signed it, start the daemon with SSL_CERT_FILE "
    "naming that authority's certificate",
}
"""By the code of the reason."""


def address_of(subject: Subject) -> str | None:
    """Return where a server over HTTP answers, as it may be shown; None for what is none."""
    filled = subject.filling.filled
    if subject.definition.url is None:
        return None
    return (filled.address if filled is not None else None) or subject.definition.url


def mended_by(subject: Subject) -> str | None:
    """Return what mends the failure of the last start or session, where its code tells."""
    code = subject.reason.code if subject.reason is not None else ""
    if code == "unauthorized":
        told = authorization_words(subject.label, subject.definition)
        return f"{told[:1].upper()}{told[1:]}; then {subject.respawn}."
    found = _WAYS_OUT.get(code)
    return f"{found[:1].upper()}{found[1:]}; then {subject.respawn}." if found else None


def seen_now(subject: Subject) -> tuple[str, ...]:
    """Look whether anything listens at the address of a server that runs elsewhere; blocks."""
    filled = subject.filling.filled
    if not subject.definition.is_elsewhere or filled is None or filled.url is None:
        return ()
    parts = urlsplit(filled.url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), LOOK_S).close()
    except OSError as error:
        return (f"now: port {port} of {parts.hostname} takes no connection ({_words(error)})",)
    return (f"now: something listens on port {port} of {parts.hostname}",)


def _words(error: OSError) -> str:
    return error.strerror or ("no answer" if isinstance(error, TimeoutError) else "unreachable")
