from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.processes import (
    BOUND_S,
    PROGRAMS,
    SLEEP,
    is_alive,
    marked_pids,
    new_data_id,
    open_bench,
    program,
    until,
)

from roost.drivers.proctable import Identity, ProcessTable
from roost.drivers.watchdog_program import Watch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

CHILDREN = (
    ("/bin/sh", "-c", "sleep 1000 & echo ready; wait"),
    program("double_fork", "stay", "setsid"),
    program("double_fork", "end", "fork"),
    program("deaf"),
    ("/bin/sh", "-c", " ".join(program("deaf")) + "; true"),
)


@dataclass(frozen=True, slots=True)
class TinyDaemon:
    """A running daemon program with `CHILDREN`."""

    process: asyncio.subprocess.Process
    data_id: str
    watchdog: int
    handles: tuple[str, ...]

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def tiny_daemon(*commands: tuple[str, ...]) -> AsyncIterator[TinyDaemon]:
    data_id = new_data_id()
    arguments = [json.dumps(command) for command in commands]
    script = str(PROGRAMS / "tiny_daemon.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable, script, data_id, *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(BOUND_S):
            told = json.loads(await process.stdout.readline())
        yield TinyDaemon(process, data_id, told["watchdog"], tuple(told["handles"]))
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
        await until(lambda: not is_alive(told["watchdog"]))


async def test_a_killed_daemon_leaves_no_child_behind() -> None:
    async with tiny_daemon(*CHILDREN) as daemon:
        # The kernel shows an environment only a moment after the program has begun.
        await until(lambda: len(marked_pids(daemon.data_id)) == 8)
        await daemon.kill()
        await until(lambda: marked_pids(daemon.data_id) == ())
        await until(lambda: not is_alive(daemon.watchdog))


async def test_children_of_another_data_directory_survive_the_watchdog() -> None:
    async with open_bench() as other:
        kept = await other.start(SLEEP)
        async with tiny_daemon(SLEEP_AND_SAY) as daemon:
            await daemon.kill()
            await until(lambda: marked_pids(daemon.data_id) == ())
            await until(lambda: not is_alive(daemon.watchdog))
        assert kept.exit is None
        assert other.left() == (kept.display_pid,)


SLEEP_AND_SAY = ("/bin/sh", "-c", "echo ready; exec sleep 1000")


async def test_a_sweep_ends_what_daemon_and_watchdog_left() -> None:
    async with tiny_daemon(*CHILDREN) as daemon:
        await until(lambda: len(marked_pids(daemon.data_id)) == 8)
        os.kill(daemon.watchdog, signal.SIGKILL)
        await daemon.kill()
        await until(lambda: not is_alive(daemon.watchdog))
        left = marked_pids(daemon.data_id)
        assert len(left) >= 6
        async with open_bench() as other:
            kept = await other.start(SLEEP)
            async with open_bench(data_id=daemon.data_id) as heir:
                mine = await heir.start(SLEEP_AND_SAY, until=b"ready")
                report = await heir.driver.sweep((*daemon.handles, mine.handle))
                # One whose pipes closed with its daemon may end by itself just before the sweep.
                assert 1 <= report.ended <= len(left)
                assert report.survivors == ()
                assert mine.exit is None and heir.left() == (mine.display_pid,)
                assert (await heir.driver.sweep(daemon.handles)).ended == 0
            assert kept.exit is None


@pytest.mark.parametrize("change", [{"start": 1}, {"boot": "an earlier boot"}])
async def test_a_sweep_does_not_touch_who_has_the_pid_now(change: dict[str, object]) -> None:
    async with open_bench() as other, open_bench() as heir:
        foreign = await other.start(SLEEP)
        handle = json.dumps(json.loads(foreign.handle) | change)
        report = await heir.driver.sweep((handle, "not a handle", "[]"))
        assert (report.ended, report.survivors) == (0, ())
        assert foreign.exit is None


async def test_a_sweep_by_handle_finds_a_leader_that_lost_its_mark() -> None:
    async with open_bench() as bench, open_bench() as heir:
        process = await bench.start(("/bin/sh", "-c", "echo ready; exec env -i sleep 1000"))
        await until(lambda: bench.left() == ())
        report = await heir.driver.sweep((process.handle,))
        assert report.ended == 1
        assert (await process.wait()).signal == signal.SIGTERM


async def test_a_missing_watchdog_is_replaced_and_told_everything() -> None:
    async with open_bench() as bench:
        first = bench.watchdog.pid
        assert first is not None
        process = await bench.start(SLEEP)
        os.kill(first, signal.SIGKILL)
        await until(lambda: bench.watchdog.pid not in (None, first))
        assert process.exit is None
        bench.watchdog._process._close_pipe()  # type: ignore[union-attr]
        async with asyncio.timeout(BOUND_S):
            assert (await process.wait()).signal == signal.SIGTERM


async def test_a_watchdog_that_hangs_is_killed_when_it_is_dismissed() -> None:
    async with open_bench() as bench:
        pid = bench.watchdog.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        async with asyncio.timeout(BOUND_S):
            await bench.watchdog.close()
        assert not is_alive(pid)


async def test_a_list_longer_than_the_pipe_reaches_the_watchdog_later() -> None:
    async with open_bench() as bench:
        pid = bench.watchdog.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        for number in range(2000):
            bench.watchdog.add(Identity(number, 1, "no boot"), f"{bench.data_id}/gen-{number}")
        process = await bench.start(SLEEP)
        os.kill(pid, signal.SIGCONT)
        sent = bench.watchdog._process
        assert sent is not None
        await until(lambda: not sent._unsent)
        sent._close_pipe()
        async with asyncio.timeout(BOUND_S):
            assert (await process.wait()).signal == signal.SIGTERM


async def test_the_watchdog_is_deaf_to_signals_and_holds_nothing_of_ours() -> None:
    async with open_bench() as bench:
        pid = bench.watchdog.pid
        assert pid is not None
        await until(lambda: ignores(pid, signal.SIGTERM))
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, signum)
        held = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
        assert [name for name in held if not name.startswith("pipe:")] == ["/dev/null"] * 2
        assert len(held) == 3
        assert Path(f"/proc/{pid}/environ").read_bytes().startswith(b"PYTHONPATH=")
        assert ProcessTable().read().entries[pid].sid == pid
        assert bench.watchdog.pid == pid


def ignores(pid: int, signum: int) -> bool:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    mask = next(line.split()[1] for line in lines if line.startswith("SigIgn"))
    return bool(int(mask, 16) >> (signum - 1) & 1)


def test_messages_build_the_list_and_nonsense_changes_nothing() -> None:
    watch = Watch()
    identity = Identity(7, 8, "boot")
    watch.hear(b"add 7 8 boot data/gen")
    for nonsense in (b"", b"\xff", b"7", b"add", b"add 9 8 boot", b"remove x 8 boot data/gen"):
        watch.hear(nonsense)
    assert (watch.leaders, watch.marks, watch.is_dismissed) == ({identity}, {"data/gen"}, False)
    watch.hear(b"remove 7 8 boot data/gen")
    assert (watch.leaders, watch.marks) == (set(), {"data/gen"})
    watch.hear(b"bye")
    assert watch.is_dismissed


async def test_the_watchdog_loads_the_standard_library_only_and_little_of_that() -> None:
    script = (
        "import sys, roost.drivers.watchdog_program as program;"
        "loaded = {name.split('.')[0] for name in sys.modules};"
        "print(sorted(loaded - set(sys.stdlib_module_names) - {'__main__', 'roost'}));"
        "heavy = {'asyncio', 'dataclasses', 'json', 're', 'subprocess', 'typing'};"
        "print(sorted(loaded & heavy))"
    )
    root = str(Path(sys.modules["roost"].__file__ or "").parent.parent)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-S", "-c", script),
        env={"PYTHONPATH": root},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert output.decode().split("\n")[:2] == ["[]", "[]"]
