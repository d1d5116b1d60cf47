"""A parked process becomes the next start's process, and is nobody's before."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.snapshots.test_parity import ENVIRONMENTS, FAILING, MODULES, compare
from tests.support.processes import PROGRAMS, is_alive, marked_pids, open_descriptors, until
from tests.support.templates import (
    BASE_ENV,
    BOUND_S,
    ended,
    holds_in_memory,
    interpreters,
    line_of,
    module_plan,
    open_lab,
    pid_of,
    script_plan,
    write,
)

from roost.drivers.local import mark_text
from roost.drivers.process import LocalProcess
from roost.drivers.proctable import ProcessTable
from roost.errors import RestoreFailed
from roost.models import ResourceLimits

pytestmark = pytest.mark.real

SLEEPER = "import os, time\nprint('up', os.environ.get('SECRET'), flush=True)\ntime.sleep(1000)\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    directory = tmp_path / "an app"
    directory.mkdir()
    shutil.copy(PROGRAMS / "parity_probe.py", directory / "probe.py")
    return directory


@pytest.fixture
def sleeper(tmp_path: Path) -> Path:
    return write(tmp_path, "sleeper.py", SLEEPER)


# What it is ------------------------------------------------------------------------------------


@pytest.mark.parametrize("interpreter", interpreters())
@pytest.mark.parametrize("kind", ["script", "module"])
async def test_a_handed_over_process_tells_the_same_of_itself_as_a_plain_one(
    home: Path, interpreter: str, kind: str
) -> None:
    plan = (
        script_plan(home / "probe.py", MODULES, interpreter=interpreter)
        if kind == "script"
        else module_plan("probe", home, MODULES, interpreter=interpreter)
    )
    async with open_lab() as lab:
        standby = await lab.standby(plan)
        spec = lab.spec(plan, "deep", "two words", TZ="Asia/Tokyo", SECRET="grüße", EMPTY="")
        await compare(lab, standby, spec)


@pytest.mark.parametrize("name", ENVIRONMENTS)
async def test_what_the_interpreter_reads_at_its_start_holds_in_a_handed_over_process(
    home: Path, name: str
) -> None:
    env = BASE_ENV | ENVIRONMENTS[name]
    if not env["LANG"]:
        del env["LANG"]
    plan = replace(script_plan(home / "probe.py", MODULES), env=env)
    async with open_lab() as lab:
        standby = await lab.standby(plan)
        await compare(lab, standby, replace(lab.spec(plan), env=env))


async def test_flags_limits_and_a_wanted_stdin_hold_in_a_handed_over_process(home: Path) -> None:
    plan = replace(
        script_plan(home / "probe.py", MODULES),
        flags=("-X", "utf8", "-W", "ignore", "-u", "-B"),
        own_argv=7,
    )
    async with open_lab() as lab:
        standby = await lab.standby(plan)
        spec = lab.spec(plan, stdin=True)
        limits = ResourceLimits(open_files=77, processes=4000, core_bytes=0, memory_bytes=1 << 32)
        await compare(lab, standby, replace(spec, limits=limits))


async def test_a_failing_program_says_and_ends_with_what_a_plain_one_does(tmp_path: Path) -> None:
    plan = script_plan(write(tmp_path, "failing.py", FAILING))
    async with open_lab() as lab:
        for how in ("chained", "interrupt", "text", "hook"):
            standby = await lab.standby(plan)
            spec = lab.spec(plan, how)
            plain = await ended(await lab.plain(spec))
            assert await ended(await lab.restored(standby, spec)) == plain


async def test_it_is_a_child_of_the_daemon_that_leads_its_session_and_shows_its_mark(
    sleeper: Path,
) -> None:
    plan = script_plan(sleeper)
    async with open_lab() as lab:
        standby = await lab.standby(plan)
        parked = pid_of(standby)
        spec = lab.spec(plan)
        process = await lab.restored(standby, spec)
        assert await line_of(process) == "up None"
        assert pid_of(process) == parked
        entry = ProcessTable().read().entries[parked]
        assert (entry.ppid, entry.sid) == (os.getpid(), parked)
        assert ProcessTable().read().marks[parked] == mark_text(spec.mark)
        assert spec.mark.generation_id in process.handle
        await process.stop(0, eof_first=False)


THREADED = """
import asyncio, concurrent.futures, socket, threading
pool = concurrent.futures.ThreadPoolExecutor(1)
pool.submit(int).result()
asyncio.set_event_loop(loop := asyncio.new_event_loop())
one, two = socket.socketpair()
started = threading.Event()
def answer():
    started.set()
    while data := two.recv(100):
        two.sendall(data.upper())
threading.Thread(target=answer, daemon=True).start()
started.wait()
"""

USES_THREADS = """
import threaded
threaded.one.sendall(b"hello")
print(threaded.one.recv(100).decode(), threaded.pool.submit(lambda: 7).result(), flush=True)
threaded.loop.run_until_complete(threaded.asyncio.sleep(0))
"""


@pytest.mark.parametrize("interpreter", interpreters())
async def test_threads_loops_and_sockets_of_its_imports_go_on_working(
    tmp_path: Path, interpreter: str
) -> None:
    write(tmp_path, "threaded.py", THREADED)
    script = write(tmp_path, "app.py", USES_THREADS)
    plan = script_plan(script, ("threaded",), interpreter=interpreter)
    async with open_lab() as lab:
        standby = await lab.standby(plan)
        assert standby.report.problems == ()
        said = await ended(await lab.restored(standby, lab.spec(plan)))
        assert (said.out, said.err, said.exit) == ("HELLO 7\n", "", "exit 0")


# Whose it is -----------------------------------------------------------------------------------


async def test_no_credential_is_in_it_before_it_is_handed_over(sleeper: Path) -> None:
    secret = secrets.token_hex(20)
    plan = script_plan(sleeper)
    async with open_lab() as lab:
        standby, next_one = await lab.standby(plan), await lab.standby(plan)
        assert not holds_in_memory(pid_of(standby), secret.encode())
        process = await lab.restored(standby, lab.spec(plan, SECRET=secret))
        assert await line_of(process) == f"up {secret}"
        assert holds_in_memory(pid_of(process), secret.encode())
        assert secret.encode() not in Path(f"/proc/{pid_of(process)}/environ").read_bytes()
        assert not holds_in_memory(pid_of(next_one), secret.encode())
        await process.stop(0, eof_first=False)


async def test_it_serves_one_start(sleeper: Path) -> None:
    plan = script_plan(sleeper)
    async with open_lab() as lab:
        standby = await lab.standby(plan)
        assert not standby.is_spent
        process = await lab.restored(standby, lab.spec(plan))
        assert standby.is_spent
        with pytest.raises(RestoreFailed, match="handed over"):
            await standby.restore(lab.spec(plan))
        assert await standby.wait_gone() == "it was handed over"
        await standby.close()
        assert await line_of(process) == "up None"
        assert process.exit is None and is_alive(pid_of(process)), "it is the start's now"
        await process.stop(0, eof_first=False)
        assert not is_alive(pid_of(process))


async def test_of_two_starts_at_once_one_takes_it_and_the_other_is_refused(sleeper: Path) -> None:
    plan = script_plan(sleeper)
    async with open_lab() as lab:
        standby = await lab.standby(plan)
        starts = (standby.restore(lab.spec(plan)), standby.restore(lab.spec(plan)))
        process, refused = await asyncio.gather(*starts, return_exceptions=True)
        assert isinstance(refused, RestoreFailed) and "handed over" in str(refused)
        assert isinstance(process, LocalProcess)
        await lab.bench.driver.connect(process)
        assert await line_of(process) == "up None"
        await process.stop(0, eof_first=False)


async def test_a_stop_ends_it_with_what_it_has_started_and_frees_everything(
    tmp_path: Path,
) -> None:
    script = write(
        tmp_path,
        "parent.py",
        "import subprocess\n"
        "child = subprocess.Popen(['/bin/sleep', '1000'], start_new_session=True)\n"
        "print(child.pid, flush=True)\nchild.wait()\n",
    )
    plan = script_plan(script)
    async with open_lab() as lab:
        before = open_descriptors()
        standby = await lab.standby(plan)
        process = await lab.restored(standby, lab.spec(plan))
        child = int(await line_of(process))
        report = await process.stop(1, eof_first=False)
        assert report.survivors == ()
        assert not is_alive(child)
        assert lab.bench.left() == ()
        await standby.close()
        assert open_descriptors() == before


@pytest.mark.parametrize("hook", ["raises", "too slow"])
async def test_one_that_does_not_come_to_its_entry_is_ended_and_told(
    tmp_path: Path, hook: str
) -> None:
    body = "raise LookupError" if hook == "raises" else "import time; time.sleep(1000)"
    registry = (
        "import sys, types\nm = types.ModuleType('snapshot_restore_py')\n"
        f"def resume():\n    {body}\n"
        "m.get_before_snapshot = list\nm.get_after_restore = lambda: [(resume, (), {})]\n"
        "sys.modules['snapshot_restore_py'] = m\n"
    )
    write(tmp_path, "hooked.py", registry)
    plan = script_plan(write(tmp_path, "app.py", ""), ("hooked",))
    async with open_lab() as lab:
        bound_s = BOUND_S if hook == "raises" else 0.5
        standby = await lab.standby(plan, start_bound_s=bound_s)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("roost.snapshots.loaded_process.HOOK_BOUND_S", 0.1)
            with pytest.raises(RestoreFailed, match=r"resume raised|did not come"):
                await standby.restore(lab.spec(plan))
        assert not standby.is_spent, "it was lost, not used"
        assert await standby.wait_gone()
        assert lab.bench.left() == ()


async def test_a_parked_process_that_dies_says_so_and_starts_nothing(sleeper: Path) -> None:
    plan = script_plan(sleeper)
    async with open_lab() as lab:
        standby = await lab.standby(plan)
        os.kill(pid_of(standby), signal.SIGKILL)
        async with asyncio.timeout(BOUND_S):
            assert "SIGKILL" in await standby.wait_gone()
        with pytest.raises(RestoreFailed, match="SIGKILL"):
            await standby.restore(lab.spec(plan))


async def test_a_start_that_is_cancelled_leaves_nothing_of_it(sleeper: Path) -> None:
    plan = script_plan(sleeper)
    async with open_lab() as lab:
        standby = await lab.standby(plan)
        os.kill(pid_of(standby), signal.SIGSTOP)
        start = asyncio.ensure_future(standby.restore(lab.spec(plan)))
        await until(lambda: standby.is_spent)
        start.cancel()
        with pytest.raises(asyncio.CancelledError):
            await start
        async with asyncio.timeout(BOUND_S):
            await standby.wait_gone()
        assert standby.is_spent, "nobody is to blame, so this is no loss"
        assert lab.bench.left() == ()


OWNER = """
import asyncio, sys
from pathlib import Path
from tests.support.processes import open_bench
from tests.support.templates import Lab, line_of, pid_of, script_plan

async def main():
    async with open_bench(sys.argv[1]) as bench:
        lab, plan = Lab(bench), script_plan(Path(sys.argv[2]))
        parked, used = await lab.standby(plan), await lab.standby(plan)
        process = await lab.restored(used, lab.spec(plan))
        print(await line_of(process), pid_of(parked), pid_of(process), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_killed_daemon_leaves_neither_the_parked_nor_the_handed_over_process(
    sleeper: Path, tmp_path: Path
) -> None:
    data_id = f"test-{secrets.token_hex(8)}"
    owner = write(tmp_path, "owner.py", OWNER)
    root = str(Path(__file__).parents[2])
    daemon = await asyncio.create_subprocess_exec(
        *(sys.executable, str(owner), data_id, str(sleeper)),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": root},
    )
    try:
        assert daemon.stdout is not None
        async with asyncio.timeout(BOUND_S):
            line = await daemon.stdout.readline()
        pids = [int(word) for word in line.split()[-2:]]
        assert all(map(is_alive, pids))
    finally:
        daemon.kill()
        await daemon.communicate()
    await until(lambda: not marked_pids(data_id), within_s=BOUND_S)
    assert not any(map(is_alive, pids))
