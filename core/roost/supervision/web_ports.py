"""`WebPorts`: which port a start of a bundle that listens gets."""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack

from roost.errors import Unavailable
from roost.models import BundleKind, Definition, StartStep
from roost.supervision.slot import BundleSlot, SlotKey
from roost.supervision.start_failures import StartFailed

_LISTENING = (BundleKind.WEB, BundleKind.MCP_HTTP)
"""Kinds whose processes listen on a port."""


class WebPorts:
    """Hands out ports, each free one to a single start.

    Between its choice and the moment in which its process listens a port is free for anybody;
    those handed out are kept in mind, so that bundles that start together do not meet on one.
    """

    def __init__(self) -> None:
        self._handed_out: dict[SlotKey, int] = {}

    def choose(self, key: SlotKey, definition: Definition) -> int | None:
        """Return the port of a slot's next start: its fixed one, another free one, or None.

        Raises:
            Unavailable: no port is free.
        """
        if definition.kind not in _LISTENING or definition.is_elsewhere:
            return None
        if definition.port is not None:
            return definition.port
        port = _free_port(frozenset(self._handed_out.values()))
        self._handed_out[key] = port
        return port


def _free_port(avoided: frozenset[int]) -> int:
    """Return a port that nobody uses on any address and that is not among those avoided."""
    with ExitStack() as passed_over:
        while True:
            try:
                probe = passed_over.enter_context(_any_address())
                probe.bind(("", 0))
            except OSError as error:
                raise Unavailable(
                    f"this machine has no free port ({error.strerror}); close something that "
                    "listens, then try again"
                ) from error
            port: int = probe.getsockname()[1]
            if port not in avoided:
                return port


def _any_address() -> socket.socket:
    """Return a socket that binds every address, of IPv6 too where the machine has it."""
    if socket.has_dualstack_ipv6():
        probe = socket.socket(socket.AF_INET6)
        probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        return probe
    return socket.socket()


def check_fixed_port(slot: BundleSlot) -> None:
    """Refuse a fixed port that somebody else serves: his answers would pass for readiness.

    Raises:
        StartFailed: the port is taken.
    """
    port = slot.definition.port
    if slot.definition.kind not in _LISTENING or port is None:
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            # A port that this user may not bind may well be the bundle's: it may have the right.
            if error.errno == errno.EADDRINUSE:
                raise _taken(
                    slot, port, StartStep.SPAWN, "another program listens on it"
                ) from error


def taken_by(slot: BundleSlot, port: int, holder: str) -> StartFailed:
    """Return the failure of a start on whose port another program answers."""
    return _taken(slot, port, StartStep.READINESS, f"{holder} answers on it")


def _taken(slot: BundleSlot, port: int, step: StartStep, how: str) -> StartFailed:
    label = slot.label
    remedy = f"end that program, then run `roost start {label}`"
    if slot.definition.port is None:
        remedy = f"`roost start {label}` gives it another port"
    return StartFailed(step, "port_in_use", f"{label} cannot have port {port}: {how}; {remedy}")
