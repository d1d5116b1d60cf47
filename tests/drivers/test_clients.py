"""Who is connected to a process that listens, as this machine tells it."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from tests.support.real_daemon import wait_for

from roost.drivers.clients import client_count

pytestmark = pytest.mark.real

SERVER = """
import os, socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
accepted = []
while True:
    accepted.append(server.accept())
    if len(accepted) == 1 and os.fork() == 0:  # a worker that shares the first connection
        sys.stdin.read()
        sys.exit()
"""

CLIENT = """
import socket, sys
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sys.stdin.read()
"""


@contextmanager
def program(text: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends; all it has started sees the end of its input."""
    process = subprocess.Popen(
        (sys.executable, "-S", "-c", text, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=30)


def with_children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        return [pid, *map(int, children.read().split())]


def test_connections_count_once_although_processes_share_them_and_our_own_do_not_count() -> None:
    with program(SERVER) as server:
        assert server.stdout is not None
        port = server.stdout.readline().decode().strip()
        assert client_count([server.pid]) == 0
        with program(CLIENT, port), program(CLIENT, port):
            wait_for(lambda: client_count(with_children(server.pid)), (2).__eq__)
            tree = wait_for(lambda: with_children(server.pid), lambda pids: len(pids) == 2)
            assert client_count(tree) == 2
            with closing(socket.create_connection(("127.0.0.1", int(port)))) as ours:
                ours.sendall(b"x")
                assert client_count(tree) == 2, "a probe of ours is nobody's work"
        wait_for(lambda: client_count(with_children(server.pid)), (0).__eq__)
    assert client_count([server.pid]) == 0
