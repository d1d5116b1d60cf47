"""Which port a start of a web bundle gets."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pytest
from tests.support.supervised import World

from roost.errors import Unavailable
from roost.models import BundleKind, Definition, Runtime, Source, SourceKind
from roost.supervision import web_ports
from roost.supervision.start_failures import StartFailed
from roost.supervision.web_ports import WebPorts, check_fixed_port, taken_by

WEB = Definition(
    kind=BundleKind.WEB,
    runtime=Runtime.BINARY,
    title="web",
    version="",
    command="run",
    source=Source(SourceKind.COMMAND, "run"),
)


class Machine:
    """Hands out ports in an order of the test's."""

    def __init__(self, ports: list[int]) -> None:
        self.ports: Iterator[int] = iter(ports)
        self.open = 0

    def socket(self) -> _Socket:
        return _Socket(self)


class _Socket:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._port = 0

    def __enter__(self) -> Self:
        self._machine.open += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._machine.open -= 1

    def bind(self, _: tuple[str, int]) -> None:
        found = next(self._machine.ports, None)
        if found is None:
            raise OSError(errno.EADDRINUSE, "Address already in use")
        self._port = found

    def getsockname(self) -> tuple[str, int]:
        return "", self._port


def hand_out(monkeypatch: pytest.MonkeyPatch, *ports: int) -> Machine:
    machine = Machine(list(ports))
    monkeypatch.setattr(web_ports, "_any_address", machine.socket)
    return machine


def test_two_starts_never_get_the_same_port_even_where_the_machine_offers_it_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = hand_out(monkeypatch, 5000, 5000, 5000, 5001)
    ports = WebPorts()
    assert ports.choose(("w", "a"), WEB) == 5000
    assert ports.choose(("w", "b"), WEB) == 5001
    assert machine.open == 0, "what was passed over is held no longer than the search"


def test_the_next_start_of_a_bundle_gets_another_port_than_its_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hand_out(monkeypatch, 5000, 5000, 5001, 5000)
    ports = WebPorts()
    given = [ports.choose(("w", "a"), WEB) for _ in range(3)]
    assert given == [5000, 5001, 5000]


def test_a_fixed_port_and_no_port_are_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    hand_out(monkeypatch)
    ports = WebPorts()
    assert ports.choose(("w", "a"), replace(WEB, port=8080)) == 8080
    assert ports.choose(("w", "b"), replace(WEB, kind=BundleKind.COMMAND)) is None


def test_a_machine_without_a_free_port_is_said_to_be_full(monkeypatch: pytest.MonkeyPatch) -> None:
    hand_out(monkeypatch)
    with pytest.raises(Unavailable, match="no free port"):
        WebPorts().choose(("w", "a"), WEB)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1"])
def test_a_port_that_is_used_on_one_address_only_is_not_free(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as user:
        try:
            user.bind((address, 0))
        except OSError:
            pytest.skip(f"this machine has no {address}")
        user.listen()
        port = user.getsockname()[1]
        with web_ports._any_address() as probe, pytest.raises(OSError, match="in use"):
            probe.bind(("", port))


async def test_a_port_that_only_the_daemon_may_not_bind_is_left_to_the_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = await World(tmp_path).slot()
    slot.definition = replace(slot.definition, kind=BundleKind.WEB, port=80)

    def refuse(number: int) -> Any:
        class Refusing(socket.socket):
            def bind(self, address: Any) -> None:
                raise OSError(number, "no")

        return Refusing

    with monkeypatch.context() as patched:
        patched.setattr(socket, "socket", refuse(errno.EACCES))
        check_fixed_port(slot)
    with monkeypatch.context() as patched:
        patched.setattr(socket, "socket", refuse(errno.EADDRINUSE))
        with pytest.raises(StartFailed, match="another program listens on it"):
            check_fixed_port(slot)


async def test_what_to_do_about_a_taken_port_depends_on_who_chose_it(tmp_path: Path) -> None:
    slot = await World(tmp_path).slot()
    slot.definition = replace(slot.definition, kind=BundleKind.WEB)
    assert "gives it another port" in taken_by(slot, 5000, "nginx (pid 7)").sentence
    slot.definition = replace(slot.definition, port=5000)
    fixed = taken_by(slot, 5000, "nginx (pid 7)")
    assert fixed.code == "port_in_use"
    assert "nginx (pid 7) answers on it; end that program" in fixed.sentence
