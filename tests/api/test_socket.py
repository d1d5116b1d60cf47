"""Binding the daemon's socket: private, and never over a live one."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator

import pytest
from tests.support.socket_dir import socket_dir

from roost.api import bind_socket
from roost.errors import BadInput, DaemonAlreadyRunning


@pytest.fixture
def directory() -> Iterator[str]:
    with socket_dir() as made:
        yield made


def _mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_the_socket_and_its_directory_are_ours_alone(directory: str) -> None:
    path = f"{directory}/deep/er/roost.sock"
    old = os.umask(0)
    try:
        sock = bind_socket(path)
    finally:
        os.umask(old)
    with sock:
        assert _mode(path) == 0o600
        assert _mode(os.path.dirname(path)) == 0o700


def test_a_directory_that_was_open_is_closed(directory: str) -> None:
    os.chmod(directory, 0o755)
    with bind_socket(f"{directory}/roost.sock"):
        assert _mode(directory) == 0o700


def test_a_socket_that_nobody_listens_on_is_replaced(directory: str) -> None:
    path = f"{directory}/roost.sock"
    bind_socket(path).close()
    with bind_socket(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(path)


def test_a_live_socket_is_left_alone(directory: str) -> None:
    path = f"{directory}/roost.sock"
    with bind_socket(path):
        with pytest.raises(DaemonAlreadyRunning, match=directory):
            bind_socket(path)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)


def test_a_daemon_with_a_full_queue_is_alive(directory: str) -> None:
    path = f"{directory}/roost.sock"
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as waiting:
        busy.bind(path)
        busy.listen(0)
        waiting.connect(path)
        with pytest.raises(DaemonAlreadyRunning):
            bind_socket(path)


@pytest.mark.parametrize("kind", ["file", "link", "directory"])
def test_what_is_not_a_socket_is_not_removed(directory: str, kind: str) -> None:
    path = f"{directory}/roost.sock"
    if kind == "file":
        open(path, "w").close()
    elif kind == "link":
        os.symlink(f"{directory}/elsewhere", path)
    else:
        os.mkdir(path)
    with pytest.raises(BadInput, match="not a socket"):
        bind_socket(path)
    assert os.path.lexists(path)


def test_a_directory_of_somebody_else_is_refused(
    directory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with pytest.raises(BadInput, match="belongs to the user"):
        bind_socket(f"{directory}/roost.sock")
    assert os.listdir(directory) == []
