"""A process of one start becomes another's without ever being nobody's."""

from __future__ import annotations

import io
import os
import signal

import pytest
from tests.support.processes import SLEEP, is_alive, open_bench, open_descriptors

from roost.drivers.base import Mark
from roost.drivers.local import mark_text
from roost.drivers.pipes import ChildEnds
from roost.errors import Unavailable

pytestmark = pytest.mark.real


def pipe_ends() -> tuple[ChildEnds, tuple[int, int]]:
    """Return our ends of two pipes, and the other ends."""
    (out, their_out), (err, their_err) = os.pipe(), os.pipe()
    ours = ChildEnds(None, io.FileIO(out), io.FileIO(err))
    return ours, (their_out, their_err)


async def test_it_is_read_through_its_new_pipes_and_found_by_its_new_mark() -> None:
    async with open_bench() as bench:
        before = open_descriptors()
        process = await bench.start(SLEEP)
        ends, theirs = pipe_ends()
        mark = Mark(bench.data_id, "another", "lab", "app")
        same = bench.driver.hand_over(process, ends, mark)
        assert same is process
        assert process.mark == mark_text(mark) and mark_text(mark) in process.handle
        await bench.driver.connect(process)
        os.write(theirs[0], b"hello")
        assert await process.stdout.readexactly(5) == b"hello"
        measured = await bench.driver.measure()
        assert measured.figures[process.handle].processes == 1
        assert measured.orphans == ()
        for end in theirs:
            os.close(end)
        report = await process.stop(0, eof_first=False)
        assert str(report.exit) == "SIGKILL"
        assert not is_alive(process.identity.pid)
        assert open_descriptors() == before


@pytest.mark.parametrize("how", ["ended", "ending"])
async def test_what_has_ended_or_is_being_ended_is_handed_to_nobody(how: str) -> None:
    async with open_bench() as bench:
        process = await bench.start(SLEEP)
        if how == "ended":
            os.kill(process.identity.pid, signal.SIGKILL)
            await process.wait()
        else:
            await process.stop(0, eof_first=False)
        before = process.handle
        ends, theirs = pipe_ends()
        with pytest.raises(Unavailable, match="has ended"):
            bench.driver.hand_over(process, ends, Mark(bench.data_id, "another", "lab", "app"))
        assert process.handle == before
        ends.close()
        for end in theirs:
            os.close(end)
        await process.stop(0, eof_first=False)
