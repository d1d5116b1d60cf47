"""What is written to one connection in a pass of the loop goes out together."""

from __future__ import annotations

from typing import Any

from roost.api.protocol import GATHERED_MOST, _Gathering


class Wire:
    """Takes note of what is written, as a transport."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_closed = False
        self.passes: list[Any] = []

    def call_soon(self, work: Any) -> None:
        self.passes.append(work)

    def write(self, data: bytes) -> None:
        assert not self.is_closed
        self.written.append(data)

    def close(self) -> None:
        self.is_closed = True

    def get_extra_info(self, name: str) -> str:
        return f"the {name}"

    def turn(self) -> None:
        passes, self.passes = self.passes, []
        for work in passes:
            work()


def test_what_is_written_in_one_pass_goes_out_in_one_write() -> None:
    wire = Wire()
    gathering: Any = _Gathering(wire, wire)  # type: ignore[arg-type]
    for piece in (b"head", b"", b"body"):
        gathering.write(piece)
    assert wire.written == []
    wire.turn()
    gathering.write(b"next")
    wire.turn()
    assert wire.written == [b"headbody", b"next"]
    assert gathering.get_extra_info("peer") == "the peer"


def test_what_is_gathered_goes_out_before_the_close_and_never_becomes_much() -> None:
    wire = Wire()
    gathering: Any = _Gathering(wire, wire)  # type: ignore[arg-type]
    gathering.write(b"x" * GATHERED_MOST)
    assert wire.written == [b"x" * GATHERED_MOST]
    gathering.write(b"last")
    gathering.close()
    wire.turn()
    assert wire.written[1:] == [b"last"] and wire.is_closed
