"""Who listens on a port: one of the tree, somebody else, or nobody that can be told."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from tests.support.ports import needs_ipv6
from tests.support.processes import open_bench, program

from roost.drivers.listeners import foreign_listener

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

ME = os.getpid()


@contextmanager
def listening(address: str, *, takes_ipv4: bool = False) -> Iterator[int]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with closing(socket.socket(family)) as server:
        if family is socket.AF_INET6:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not takes_ipv4)
        server.bind((address, 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("bound", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        pytest.param("::1", "::1", marks=needs_ipv6),
        pytest.param("::", "::1", marks=needs_ipv6),
        pytest.param("::", "127.0.0.1", marks=needs_ipv6),
    ],
)
def test_a_listener_outside_is_named_and_one_of_ours_is_not(bound: str, host: str) -> None:
    with listening(bound, takes_ipv4=host == "127.0.0.1") as port:
        named = foreign_listener(host, port, [])
        assert named is not None and named.endswith(f"(pid {ME})")
        assert foreign_listener(host, port, [ME]) is None


def test_nobody_is_named_where_nobody_listens() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        assert foreign_listener("127.0.0.1", deaf.getsockname()[1], []) is None


def test_a_connection_is_no_listener() -> None:
    with (
        listening("127.0.0.1") as port,
        socket.create_connection(("127.0.0.1", port)) as client,
    ):
        assert foreign_listener("127.0.0.1", client.getsockname()[1], []) is None


def test_a_listener_on_another_address_is_not_the_one_that_answers() -> None:
    with closing(socket.socket()) as asked, closing(socket.socket()) as other:
        asked.bind(("127.0.0.1", 0))
        port = asked.getsockname()[1]
        other.bind(("127.0.0.2", port))
        other.listen()
        assert foreign_listener("127.0.0.1", port, []) is None
        asked.listen()
        assert foreign_listener("127.0.0.1", port, []) is not None


async def test_a_listener_in_a_child_of_the_started_program_belongs_to_its_tree() -> None:
    async with open_bench() as bench:
        server = " ".join(program("web_manners", "--port", "0"))
        other = await bench.start(("/bin/sleep", "1000"))
        process = await bench.start(("/bin/sh", "-c", f"{server} & wait"), until=b"listening ")
        async with asyncio.timeout(30):
            port = int(await process.stdout.readuntil(b"\n"))
        assert process.foreign_listener("127.0.0.1", port) is None
        named = other.foreign_listener("127.0.0.1", port)
        assert named is not None and f"(pid {process.display_pid})" not in named


def test_no_more_processes_are_asked_for_than_it_takes_to_find_the_listener() -> None:
    def own_pids() -> Iterator[int]:
        yield ME
        raise AssertionError("the listener was found already")

    with listening("127.0.0.1") as port:
        assert foreign_listener("127.0.0.1", port, own_pids()) is None
