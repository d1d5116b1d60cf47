"""What the supervisor of an app hears: readiness, signs of life, the stop; each start its own."""

import asyncio
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.app.running import LIMIT_S, lab, when_serving
from tests.support.socket_dir import socket_dir


@contextmanager
def supervisor() -> Iterator[tuple[str, socket.socket]]:
    with socket_dir() as directory, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"{directory}/notify")
        sock.setblocking(False)
        yield f"{directory}/notify", sock


def heard(sock: socket.socket) -> list[str]:
    messages = []
    while True:
        try:
            messages.append(sock.recv(4096).decode())
        except BlockingIOError:
            return messages


async def next_message(sock: socket.socket) -> str:
    async with asyncio.timeout(LIMIT_S):
        return (await asyncio.get_running_loop().sock_recv(sock, 4096)).decode()


def test_a_supervisor_hears_of_readiness_after_every_hook_and_of_the_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = lab()
    with supervisor() as (address, sock):
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        app.hook("did_load")(lambda: app.notifier.starting("opens the store"))
        app.hook("server_did_ready")(lambda: app.notifier.status("serves"))
        assert when_serving(app).run() == 0
        assert heard(sock) == ["STATUS=opens the store", "STATUS=serves", "READY=1", "STOPPING=1"]


def test_a_start_that_fails_is_never_told_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    app = lab()

    @app.hook("listen")
    def fail() -> None:
        raise OSError("no port")

    with supervisor() as (address, sock):
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        assert app.run() == 1
        assert heard(sock) == ["STOPPING=1"]


def test_signs_of_life_come_while_it_serves_from_one_timer_that_ends_with_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = lab()
    timers: list[int] = []
    with supervisor() as (address, sock), caplog.at_level(logging.WARNING):

        async def check() -> None:
            assert await next_message(sock) == "WATCHDOG=1"
            timers.append(sum(task.get_name() == "keep-alive" for task in asyncio.all_tasks()))

        when_serving(app, check)
        environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "20000", "WATCHDOG_PID": "0"}
        for name, value in (environ | {"WATCHDOG_PID": str(os.getpid())}).items():
            monkeypatch.setenv(name, value)
        for _ in range(2):
            assert app.run() == 0
            told = [message for message in heard(sock) if message != "WATCHDOG=1"]
            assert told == ["READY=1", "STOPPING=1"]
    assert timers == [1, 1]
    assert "before the app is ready" not in caplog.text


def test_a_restored_app_speaks_to_the_supervisor_of_its_new_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = when_serving(lab())
    with supervisor() as (old_address, old), supervisor() as (address, sock):
        monkeypatch.setenv("NOTIFY_SOCKET", old_address)
        app.load_for_snapshot()
        before = dict(os.environ)
        try:
            assert app.restore(before | {"NOTIFY_SOCKET": address}) == 0
        finally:
            os.environ.clear()
            os.environ.update(before)
        assert heard(old) == []
        assert heard(sock) == ["READY=1", "STOPPING=1"]
