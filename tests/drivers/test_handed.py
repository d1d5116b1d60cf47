"""A text that a child reads from a descriptor of its own."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import pytest
from tests.support.processes import open_bench, open_descriptors, spec

from roost.drivers.handed import TOKEN_VARIABLE, handed
from roost.models import ResourceLimits
from roost.sdk import place

READ = """
import json, os, sys
number = int(os.environ["ROOST_TOKEN_FD"])
seen = [os.pread(number, 100, 0).decode() for _ in range(2)]
try:
    os.pwrite(number, b"forged", 0)
    seen.append("written")
except OSError:
    seen.append("sealed")
print(json.dumps(seen))
"""


@pytest.mark.parametrize("limits", [ResourceLimits(), ResourceLimits(open_files=64)])
@pytest.mark.skipif(sys.platform != "linux", reason="sealed memory is a thing of Linux")
async def test_a_child_reads_what_it_is_handed_and_cannot_change_it(
    limits: ResourceLimits,
) -> None:
    async with open_bench() as bench:
        before = open_descriptors()
        told = spec((sys.executable, "-S", "-c", READ), data_id=bench.data_id)
        process = bench.driver.spawn(replace(told, handed=b"t0ken", limits=limits))
        await bench.driver.connect(process)
        assert await process.stdout.readline() == b'["t0ken", "t0ken", "sealed"]\n'
        await process.stop(5, eof_first=False)
        assert open_descriptors() == before


async def test_a_child_that_is_handed_nothing_is_told_of_no_descriptor() -> None:
    async with open_bench() as bench:
        process = await bench.start(("/bin/sh", "-c", f"echo ${{{TOKEN_VARIABLE}-none}}"))
        assert await process.stdout.readline() == b"none\n"
        await process.stop(5, eof_first=False)


def test_without_sealed_memory_it_is_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    with handed(b"t0ken") as descriptor:
        assert descriptor is not None
        assert os.read(descriptor, 100) == b"t0ken" and os.read(descriptor, 100) == b""


def test_what_is_handed_over_is_in_no_repr() -> None:
    told = replace(spec(("/bin/true",), data_id="d"), handed=b"t0ken")
    assert "t0ken" not in repr(told)


def test_both_sides_call_the_descriptor_by_the_same_name() -> None:
    assert TOKEN_VARIABLE == place.TOKEN_VARIABLE
