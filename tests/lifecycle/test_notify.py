"""The word to the supervisor: what is sent, and the guard on what claims that the app is ready."""

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.lifecycle.tracing import served
from tests.support.socket_dir import socket_dir

from roost.lifecycle import Lifecycle, Notifier


@contextmanager
def supervisor(address: str) -> Iterator[socket.socket]:
    """Listen where a supervisor would; its datagrams are in the queue once they are sent."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(address)
        sock.setblocking(False)
        yield sock


@pytest.fixture
def address() -> Iterator[str]:
    with socket_dir() as directory:
        yield f"{directory}/notify"


def received(sock: socket.socket) -> list[str]:
    messages = []
    try:
        while True:
            messages.append(sock.recv(4096).decode())
    except BlockingIOError:
        return messages


def test_every_message_is_one_datagram_of_the_protocol(address: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": address}, lambda: True)
    with supervisor(address) as sock:
        notifier.starting("opens\nthe store")
        notifier.ready()
        notifier.status("serves  3\tbundles")
        notifier.alive()
        notifier.stopping()
        notifier.extend(2.5)
        assert received(sock) == [
            "STATUS=opens the store",
            "READY=1",
            "STATUS=serves 3 bundles",
            "WATCHDOG=1",
            "STOPPING=1",
            "EXTEND_TIMEOUT_USEC=2500000",
        ]


@pytest.mark.skipif(not Path("/proc").exists(), reason="abstract sockets are Linux's own")
def test_an_address_with_an_at_sign_is_of_the_abstract_namespace(address: str) -> None:
    with supervisor(f"\0{address}") as sock:
        Notifier({"NOTIFY_SOCKET": f"@{address}"}, lambda: True).ready()
        assert received(sock) == ["READY=1"]


def test_without_a_supervisor_nothing_is_sent_and_one_that_is_gone_is_no_error(
    address: str,
) -> None:
    assert not Notifier({}, lambda: True).is_heard
    Notifier({}, lambda: True).ready()
    gone = Notifier({"NOTIFY_SOCKET": address}, lambda: True)
    assert gone.is_heard
    gone.ready()


def test_a_supervisor_that_does_not_read_does_not_hold_the_app_up(address: str) -> None:
    with supervisor(address) as sock:
        notifier = Notifier({"NOTIFY_SOCKET": address}, lambda: True)
        for _ in range(2000):  # far more than its queue takes
            notifier.alive()
        assert set(received(sock)) == {"WATCHDOG=1"}


async def test_what_claims_readiness_too_early_is_sent_and_warned_of_once_per_call(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    lifecycle = Lifecycle("lab")
    notifier = Notifier({"NOTIFY_SOCKET": address}, lambda: lifecycle.is_up)

    def send() -> None:
        notifier.alive()
        notifier.status("up")

    lifecycle.add("early", will_ready=send)
    lifecycle.add("right", did_ready=send)
    with supervisor(address) as sock, caplog.at_level(logging.WARNING):
        await served(lifecycle)
        await lifecycle.close()
        assert received(sock) == ["WATCHDOG=1", "STATUS=up"] * 2
    assert [record.getMessage() for record in caplog.records] == [
        f"'early' sent {message!r} before the app is ready; send it from did_ready or later"
        for message in ("alive", "status")
    ]
