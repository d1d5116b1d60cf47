"""`Notifier`: tells the program that supervises this process how it is, by the sd_notify protocol.

One datagram of ``KEY=value`` lines goes to the Unix socket that the supervisor names in
`NOTIFY_SOCKET`; see sd_notify(3). Without that variable nothing is sent.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Mapping

from roost.lifecycle.component import current_component

logger = logging.getLogger(__name__)

ADDRESS = "NOTIFY_SOCKET"
WATCHDOG_USEC = "WATCHDOG_USEC"
WATCHDOG_PID = "WATCHDOG_PID"


class Notifier:
    """Speaks to one supervisor.

    A message that claims something of a ready app is guarded: sent before the app is ready it is
    still delivered, and logged once per call with the component that sent it. An app makes a new
    notifier for every start, because a restored process has a supervisor of its own.

    Args:
        environ: the process's environment; read for the supervisor's address only.
        is_ready: whether the app is ready.
    """

    def __init__(self, environ: Mapping[str, str], is_ready: Callable[[], bool]) -> None:
        self._address = environ.get(ADDRESS, "")
        self._is_ready = is_ready

    @property
    def is_heard(self) -> bool:
        """Whether there is a supervisor that listens."""
        return bool(self._address)

    def ready(self) -> None:
        """Say that the start is over."""
        self._send("READY=1")

    def stopping(self) -> None:
        """Say that the shutdown has begun."""
        self._send("STOPPING=1")

    def extend(self, seconds: float) -> None:
        """Ask for more time to stop than the supervisor would give, in seconds."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1_000_000)}")

    def starting(self, text: str) -> None:
        """Describe the start, or the shutdown, in one line."""
        self._send(f"STATUS={_one_line(text)}")

    def status(self, text: str) -> None:
        """Describe the ready app in one line, for people."""
        self._guard("status")
        self._send(f"STATUS={_one_line(text)}")

    def alive(self) -> None:
        """Say that the app makes progress; a supervisor may act when this stays out."""
        self._guard("alive")
        self._send("WATCHDOG=1")

    def _guard(self, message: str) -> None:
        if not self._is_ready():
            component = current_component.get()
            sender = repr(component.name) if component else "the app"
            logger.warning(
                "%s sent %r before the app is ready; send it from did_ready or later",
                sender,
                message,
            )

    def _send(self, text: str) -> None:
        if not self._address:
            return
        # A leading @ names Linux's abstract namespace.
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.sendto(text.encode(), address)
        except OSError as error:
            logger.debug("the supervisor at %s was not told: %s", self._address, error)


def watchdog_interval_s(environ: Mapping[str, str], pid: int) -> float | None:
    """Return the seconds between two signs of life the supervisor asks for, or None.

    Half of its own limit, as sd_watchdog_enabled(3) advises.
    """
    if environ.get(WATCHDOG_PID, str(pid)) != str(pid):
        return None
    limit = environ.get(WATCHDOG_USEC, "")
    is_number = limit.isascii() and limit.isdigit() and int(limit) > 0
    return int(limit) / 2_000_000 if is_number else None


def _one_line(text: str) -> str:
    return " ".join(text.split())
