"""What stands where a process would, for a server that runs somewhere else."""

import asyncio

from tests.support.processes import BOUND_S, open_bench

from roost.drivers.base import DriverProcess, ProcessExit
from roost.drivers.remote import REMOTE_HANDLE, RemoteProcess


async def test_it_lives_until_it_is_stopped_and_has_nothing_of_a_process() -> None:
    process: DriverProcess = RemoteProcess()
    assert process.display_pid is None and process.stdin is None and process.exit is None
    assert await process.stdout.read() == await process.stderr.read() == b""
    waits = [asyncio.create_task(process.wait()) for _ in range(2)]
    await asyncio.sleep(0)
    waits.pop().cancel()
    report = await process.stop(5.0, eof_first=True)
    assert report.survivors == () and not report.used_kill
    async with asyncio.timeout(BOUND_S):
        assert await waits[0] == process.exit == report.exit
    assert str(process.exit) == "disconnected"


async def test_a_second_stop_finds_what_the_first_one_did() -> None:
    process = RemoteProcess()
    first = await process.stop(0.0, eof_first=False)
    assert await process.stop(0.0, eof_first=False) == first


def test_its_end_is_no_clean_exit_so_that_every_policy_connects_again() -> None:
    assert not ProcessExit(None, None, "disconnected").is_clean


async def test_a_sweep_passes_its_handle_over() -> None:
    async with open_bench() as bench:
        assert (await bench.driver.sweep((REMOTE_HANDLE,))).ended == 0
