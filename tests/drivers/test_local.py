from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.processes import (
    BOUND_S,
    SLEEP,
    Bench,
    is_alive,
    open_bench,
    open_descriptors,
    program,
    spec,
    until,
)

from roost.drivers import exits
from roost.drivers import process as process_module
from roost.drivers.base import ProcessExit, TreeFigures
from roost.drivers.process import LocalProcess
from roost.drivers.proctable import ProcessTable
from roost.errors import BadInput, CommandNotFound, Unavailable

GRACE_S = 60.0
"""More than anything takes that ends by itself."""


async def test_output_input_and_exit_status_arrive_whole() -> None:
    async with open_bench() as bench:
        process = await bench.start(program("reader"), wants_stdin=True, until=b"ready\n")
        assert process.stdin is not None
        process.stdin.write(b"hello\n")
        assert await process.stdout.readuntil(b"\n") == b"hello\n"
        process.stdin.close()
        assert await process.wait() == ProcessExit(code=3, signal=None)
        report = await process.stop(5, eof_first=True)
        assert await process.stdout.read() == b"bye\n"
        assert await process.stderr.read() == b"bye\n"
        assert report.exit == ProcessExit(code=3, signal=None)
        assert not report.used_kill


async def test_what_a_process_said_before_its_end_can_be_read_after_the_stop() -> None:
    async with open_bench() as bench:
        script = "read go; echo out; echo err >&2; exit 4"
        process = await bench.start(("/bin/sh", "-c", script), wants_stdin=True)
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        wait_without_the_loop(process)
        await process.stop(5, eof_first=False)
        assert await process.stdout.read() == b"out\n"
        assert await process.stderr.read() == b"err\n"
        assert str(process.exit) == "exit 4"


async def test_the_mark_is_in_the_environment_and_nothing_else_is_inherited() -> None:
    async with open_bench() as bench:
        process = await bench.start(("/bin/sh", "-c", "/usr/bin/env; ls /proc/self/fd"))
        lines = (await process.stdout.read()).decode().split("\n")
        assert f"ROOST_MARK={bench.data_id}/bench-1" in lines
        assert "ROOST_WORKSPACE=lab" in lines and "ROOST_BUNDLE=app" in lines
        assert not any(line.startswith(("HOME=", "PYTEST")) for line in lines)
        # 3 is the directory that ls reads.
        assert [line for line in lines if line.isdecimal()] == ["0", "1", "2", "3"]
        await process.stop(1, eof_first=False)


async def test_what_is_inherited_has_the_same_number_and_stays_the_callers() -> None:
    reading, writing = os.pipe()
    async with open_bench() as bench:
        argv = ("/bin/sh", "-c", f"echo said > /proc/self/fd/{writing}")
        made = spec(argv, data_id=bench.data_id)
        process = bench.driver.spawn(replace(made, inherited=(writing,)))
        await bench.driver.connect(process)
        assert (await process.wait()).is_clean
        await process.stop(1, eof_first=False)
    os.close(writing)
    assert os.read(reading, 99) == b"said\n"
    assert os.read(reading, 99) == b""
    os.close(reading)


async def test_stdin_is_the_null_device_unless_it_is_wanted() -> None:
    async with open_bench() as bench:
        process = await bench.start(("/bin/cat",))
        assert process.stdin is None
        assert (await process.wait()).is_clean
        await process.stop(1, eof_first=True)


@pytest.mark.parametrize(
    ("argv", "cwd", "expected"),
    [
        (("/no/such/program",), "/", CommandNotFound),
        (("no-such-program",), "/", CommandNotFound),
        (("/etc/passwd",), "/", CommandNotFound),
        (("/etc",), "/", CommandNotFound),
        (SLEEP, "/no/such/directory", BadInput),
        (("/bin/sleep", "a\0b"), "/", BadInput),
        (("/bin/sleep", "x" * 10_000_000), "/", BadInput),
        ((), "/", BadInput),
    ],
)
async def test_a_start_that_cannot_work_names_the_command(
    argv: tuple[str, ...], cwd: str, expected: type[Exception]
) -> None:
    async with open_bench() as bench:
        before = open_descriptors()
        with pytest.raises(expected) as caught:
            bench.driver.spawn(spec(argv, data_id=bench.data_id, cwd=cwd))
        assert repr(argv[0] if argv else "") in str(caught.value)
        assert open_descriptors() == before


async def test_a_program_in_an_unknown_format_is_not_found(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fnonsense")
    broken.chmod(0o700)
    async with open_bench() as bench:
        with pytest.raises(CommandNotFound, match="broken"):
            bench.driver.spawn(spec((str(broken),), data_id=bench.data_id))


async def test_a_child_that_cannot_be_watched_is_not_left_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(pid: int) -> int:
        raise OSError(errno.EMFILE, "too many open files")

    async with open_bench() as bench:
        before = open_descriptors()
        monkeypatch.setattr(exits, "_open_pidfd", refuse)
        with pytest.raises(Unavailable, match="too many open files"):
            bench.driver.spawn(spec(SLEEP, data_id=bench.data_id))
        monkeypatch.undo()
        assert bench.left() == ()
        assert open_descriptors() == before


TREES = {
    "plain": SLEEP,
    "wrapper": ("/bin/sh", "-c", "echo ready; sleep 1000; true"),
    "background": ("/bin/sh", "-c", "sleep 1000 & echo ready; wait"),
    "own session": ("/bin/sh", "-c", "setsid sleep 1000 & echo ready; wait"),
    "double fork": program("double_fork", "stay", "fork"),
    "double fork, own session": program("double_fork", "stay", "setsid"),
}


@pytest.mark.parametrize("name", TREES)
async def test_a_stop_leaves_nothing_of_a_tree(name: str) -> None:
    async with open_bench() as bench:
        process = await bench.start(TREES[name], until=None if name == "plain" else b"ready")
        report = await process.stop(GRACE_S, eof_first=True)
        assert report.survivors == ()
        assert not report.used_kill
        assert report.exit == ProcessExit(code=None, signal=signal.SIGTERM)
        assert bench.left() == ()
        assert report.duration_ms < GRACE_S * 1000, "nobody waits for the rest of the grace"


async def test_a_process_deaf_to_term_is_killed_after_the_grace() -> None:
    async with open_bench() as bench:
        process = await bench.start(program("deaf"), until=b"ready")
        report = await process.stop(0.2, eof_first=True)
        assert report.used_kill and report.survivors == ()
        assert report.exit == ProcessExit(code=None, signal=signal.SIGKILL)
        assert report.duration_ms >= 200


async def test_a_deaf_child_of_a_wrapper_is_killed_too() -> None:
    command = " ".join(program("deaf"))
    async with open_bench() as bench:
        process = await bench.start(("/bin/sh", "-c", f"{command}; true"), until=b"ready")
        report = await process.stop(0.2, eof_first=False)
        assert report.used_kill and report.survivors == ()
        assert bench.left() == ()


async def test_a_stopped_process_gets_its_term() -> None:
    async with open_bench() as bench:
        process = await bench.start(SLEEP)
        assert process.display_pid is not None
        os.kill(process.display_pid, signal.SIGSTOP)
        report = await process.stop(GRACE_S, eof_first=False)
        assert report.exit == ProcessExit(code=None, signal=signal.SIGTERM)
        assert not report.used_kill


async def test_a_server_that_leaves_at_end_of_file_is_not_signalled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process_module, "EOF_WAIT_S", BOUND_S)  # it leaves at its own pace
    async with open_bench() as bench:
        process = await bench.start(program("reader"), wants_stdin=True, until=b"ready\n")
        report = await process.stop(GRACE_S, eof_first=True)
        assert report.exit == ProcessExit(code=3, signal=None)


@pytest.mark.parametrize("how", ["fork", "setsid"])
async def test_descendants_left_by_a_dead_leader_are_ended(how: str) -> None:
    async with open_bench() as bench:
        process = await bench.start(program("double_fork", "end", how), until=b"\n")
        assert (await process.wait()).is_clean
        await until(lambda: len(bench.left()) == 1)
        report = await process.stop(5, eof_first=True)
        assert report.survivors == ()
        assert bench.left() == ()
        assert report.exit == ProcessExit(code=0, signal=None)


async def test_one_that_cleared_its_environment_and_escaped_is_reported() -> None:
    async with open_bench() as bench:
        process = await bench.start(program("double_fork", "end", "bare"))
        pid = int((await process.stdout.readuntil(b"\n")).split()[1])
        await process.wait()
        await until(lambda: bench.left() == ())
        await process.stop(1, eof_first=False)
        await until(lambda: pid in bench.driver.orphans())
        os.kill(pid, signal.SIGKILL)
        reap(pid)
        await until(lambda: bench.driver.orphans() == ())


async def test_concurrent_stops_share_one_walk_and_the_shortest_grace_wins() -> None:
    async with open_bench() as bench:
        process = await bench.start(program("deaf"), until=b"ready")
        patient = asyncio.create_task(process.stop(60, eof_first=False))
        await asyncio.sleep(0)
        hasty = await process.stop(0.1, eof_first=False)
        assert await patient is hasty
        assert await process.stop(5, eof_first=True) is hasty


async def test_a_cancelled_stop_goes_on() -> None:
    async with open_bench() as bench:
        process = await bench.start(program("deaf"), until=b"ready")
        stopping = asyncio.create_task(process.stop(0.1, eof_first=False))
        await asyncio.sleep(0)
        stopping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopping
        async with asyncio.timeout(BOUND_S):
            await process.wait()


async def test_many_may_wait_and_one_may_give_up() -> None:
    async with open_bench() as bench:
        process = await bench.start(SLEEP)
        waiters = [asyncio.create_task(process.wait()) for _ in range(3)]
        await asyncio.sleep(0)
        waiters[0].cancel()
        await process.stop(5, eof_first=False)
        results = await asyncio.gather(*waiters, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert results[1:] == [process.exit, process.exit]


async def test_a_hundred_starts_and_stops_leave_no_descriptor_and_no_thread() -> None:
    async with open_bench() as bench:
        first = await bench.start(SLEEP, wants_stdin=True)
        await first.stop(5, eof_first=False)
        before = open_descriptors(), threading.active_count()
        for _ in range(100):
            process = await bench.start(SLEEP, wants_stdin=True)
            await process.stop(5, eof_first=False)
        assert (open_descriptors(), threading.active_count()) == before
    assert zombies() == []


async def test_a_process_that_was_never_connected_is_stopped_and_freed() -> None:
    async with open_bench() as bench:
        before = open_descriptors()
        process = bench.driver.spawn(spec(SLEEP, data_id=bench.data_id, wants_stdin=True))
        report = await process.stop(5, eof_first=True)
        assert report.survivors == ()
        assert open_descriptors() == before


async def test_a_flood_that_nobody_reads_does_not_hold_up_a_stop() -> None:
    async with open_bench() as bench:
        process = await bench.start(("/usr/bin/yes",), until=b"y\n")
        async with asyncio.timeout(BOUND_S):
            report = await process.stop(1, eof_first=False)
        assert report.survivors == ()


async def test_input_that_is_not_taken_does_not_hold_up_a_stop() -> None:
    async with open_bench() as bench:
        process = await bench.start(SLEEP, wants_stdin=True)
        assert process.stdin is not None
        process.stdin.write(b"x" * 1_000_000)
        async with asyncio.timeout(BOUND_S):
            report = await process.stop(1, eof_first=True)
        assert report.survivors == ()


async def test_orphans_that_end_are_reaped() -> None:
    async with open_bench() as bench:
        process = await bench.start(program("fork_short", "20"), until=b"ready")
        await until(lambda: zombies() == [])
        await process.stop(5, eof_first=False)


async def test_the_status_of_somebody_elses_child_is_left_to_him() -> None:
    async with open_bench() as bench:
        others = [start_another(new_session=new) for new in (True, False)]
        await until(lambda: set(zombies()) == {other.pid for other in others})
        process = await bench.start(program("fork_short", "5"), until=b"ready")
        await until(lambda: set(zombies()) == {other.pid for other in others})
        assert [other.wait(BOUND_S) for other in others] == [7, 7]
        asynchronous = await asyncio.create_subprocess_exec("/bin/sh", "-c", "exit 8")
        assert await asynchronous.wait() == 8
        await process.stop(5, eof_first=False)


async def test_figures_cover_the_whole_tree_and_end_with_it() -> None:
    async with open_bench() as bench:
        process = await bench.start(("/bin/sh", "-c", "sleep 1000 & echo ready; wait"), until=b"r")
        found = await figures_once(bench, process, lambda found: found.processes == 2)
        assert found.rss_bytes > 0 and found.threads == 2
        assert found.descriptors is not None and found.descriptors >= 6
        await process.stop(5, eof_first=False)
        assert process.handle not in (await bench.driver.measure()).figures


async def figures_once(
    bench: Bench, process: LocalProcess, holds: Callable[[TreeFigures], bool]
) -> TreeFigures:
    """Measure until it holds; nothing announces that a process has done something."""
    async with asyncio.timeout(BOUND_S):
        while True:
            found = (await bench.driver.measure()).figures[process.handle]
            if holds(found):
                return found
            await asyncio.sleep(0.05)


async def test_a_busy_process_shows_its_processor_use() -> None:
    async with open_bench() as bench:
        process = await bench.start(("/bin/sh", "-c", "echo r; while :; do :; done"), until=b"r")
        first = await figures_once(bench, process, lambda found: True)
        assert first.cpu_percent == 0.0
        await figures_once(bench, process, lambda found: found.cpu_percent > 10)
        await process.stop(5, eof_first=False)


async def test_a_child_that_left_its_tree_and_cleared_its_environment_ends_with_it() -> None:
    async with open_bench() as bench:
        script = "env -i setsid sleep 1000 & echo ready; read go"
        process = await bench.start(("/bin/sh", "-c", script), wants_stdin=True, until=b"ready")
        await figures_once(bench, process, lambda found: found.processes == 2)
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        report = await process.stop(5, eof_first=False)
        assert report.survivors == () and bench.driver.orphans() == ()
        assert adopted() <= {bench.watchdog.pid}


def adopted() -> set[int | None]:
    """Pids of living children of ours that are in a session of their own."""
    entries = ProcessTable().read().entries.values()
    return {e.pid for e in entries if e.ppid == os.getpid() and e.sid == e.pid and e.is_alive}


async def test_a_handle_tells_who_it_is() -> None:
    async with open_bench() as bench:
        process = await bench.start(SLEEP)
        assert f'"mark": "{bench.data_id}/bench-1"' in process.handle
        await process.stop(5, eof_first=False)


async def test_closing_the_driver_ends_what_is_still_owned() -> None:
    async with open_bench() as bench:
        await bench.start(program("deaf"), until=b"ready")
        await bench.start(SLEEP)
        watchdog = bench.watchdog.pid
    assert bench.left() == ()
    assert watchdog is not None and not is_alive(watchdog)


async def test_without_pidfds_a_thread_watches_and_ends_with_its_child(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(pid: int) -> int:
        raise NotImplementedError

    async with open_bench() as bench:
        monkeypatch.setattr(exits, "_open_pidfd", refuse)
        threads = threading.active_count()
        process = await bench.start(("/bin/sh", "-c", "sleep 1000 & echo ready; wait"), until=b"r")
        assert threading.active_count() == threads + 1
        report = await process.stop(5, eof_first=False)
        assert report.exit == ProcessExit(code=None, signal=signal.SIGTERM)
        assert threading.active_count() == threads
        assert bench.left() == ()


def wait_without_the_loop(process: LocalProcess) -> None:
    os.waitid(os.P_PID, process.identity.pid, os.WEXITED | os.WNOWAIT)


def reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def start_another(*, new_session: bool) -> subprocess.Popen[bytes]:
    return subprocess.Popen(("/bin/sh", "-c", "exit 7"), start_new_session=new_session)


def zombies() -> list[int]:
    """Return our ended children that nobody has waited for."""
    done = subprocess.run(
        ["/bin/ps", "-o", "pid=,stat=", "--ppid", str(os.getpid())],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    rows = (line.split() for line in done.stdout.splitlines())
    return [int(pid) for pid, state in rows if state.startswith("Z")]


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
