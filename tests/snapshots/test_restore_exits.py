"""How a restored process ended is told exactly, whatever became of its template."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from tests.support.processes import is_alive, until
from tests.support.templates import (
    BOUND_S,
    Lab,
    line_of,
    open_lab,
    pid_of,
    script_plan,
    write,
)

from roost.drivers.base import DriverProcess, ProcessExit
from roost.drivers.proctable import ProcessTable
from roost.snapshots.template_process import TemplateProcess

pytestmark = pytest.mark.real

PROGRAM = """
import os, signal, subprocess, sys, threading
print("up", flush=True)
sys.stdin.read()
how = sys.argv[1]
if how == "code": sys.exit(3)
if how == "raise": raise ValueError("no")
if how == "kill": os.kill(os.getpid(), signal.SIGKILL)
if how == "abort": os.abort()
if how == "leave": os._exit(7)
if how == "threads":
    threading.Thread(target=lambda: threading.Event().wait(0.1)).start()
    sys.exit(5)
if how == "children":
    subprocess.run(["/bin/sh", "-c", "exit 9"])
    subprocess.Popen(["/bin/sleep", "1000"])
    sys.exit(6)
"""

ENDINGS = {
    "code": ProcessExit(3, None),
    "raise": ProcessExit(1, None),
    "kill": ProcessExit(None, signal.SIGKILL),
    "abort": ProcessExit(None, signal.SIGABRT),
    "leave": ProcessExit(7, None),
    "threads": ProcessExit(5, None),
    "children": ProcessExit(6, None),
    "end": ProcessExit(0, None),
}


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return write(tmp_path, "app.py", PROGRAM)


async def all_endings(
    lab: Lab, template: TemplateProcess, script: Path
) -> dict[str, DriverProcess]:
    plan = script_plan(script)
    specs = {how: lab.spec(plan, how, stdin=True) for how in ENDINGS}
    started = {how: await lab.restored(template, spec) for how, spec in specs.items()}
    for process in started.values():
        assert await line_of(process) == "up"
    return started


async def exits(started: dict[str, DriverProcess]) -> dict[str, ProcessExit]:
    for process in started.values():
        assert process.stdin is not None
        process.stdin.close()
    async with asyncio.timeout(BOUND_S):
        return {how: await process.wait() for how, process in started.items()}


async def release(lab: Lab, started: dict[str, DriverProcess]) -> None:
    for process in started.values():
        report = await process.stop(1, eof_first=False)
        assert not report.survivors


async def test_exits_are_exact_while_the_template_lives(script: Path) -> None:
    async with open_lab() as lab:
        template = await lab.template(script_plan(script, ("subprocess",)))
        started = await all_endings(lab, template, script)
        assert await exits(started) == ENDINGS
        # Not one number is free before its tree is released.
        pids = {pid_of(process) for process in started.values()}
        assert all(pid in ProcessTable().read().entries for pid in pids)
        await release(lab, started)
        await until(lambda: not pids & ProcessTable().read().entries.keys())
        assert lab.bench.left() == (pid_of(template),)


async def test_exits_are_exact_after_the_template_was_killed(script: Path) -> None:
    async with open_lab() as lab:
        template = await lab.template(script_plan(script))
        started = await all_endings(lab, template, script)
        os.kill(pid_of(template), signal.SIGKILL)
        assert "SIGKILL" in await template.wait_gone()
        assert await exits(started) == ENDINGS
        pids = {pid_of(process) for process in started.values()}
        assert all(pid in ProcessTable().read().entries for pid in pids)
        await release(lab, started)
        assert not pids & ProcessTable().read().entries.keys()
        assert lab.bench.left() == ()


async def test_exits_are_exact_though_the_template_was_stopped(script: Path) -> None:
    async with open_lab() as lab:
        template = await lab.template(script_plan(script))
        started = await all_endings(lab, template, script)
        os.kill(pid_of(template), signal.SIGSTOP)
        # It can tell nothing: it is ended, and its children become ours.
        assert await exits(started) == ENDINGS
        assert "does not tell" in await template.wait_gone()
        await release(lab, started)
        assert lab.bench.left() == ()


async def test_a_status_that_the_template_had_not_told_survives_it(script: Path) -> None:
    async with open_lab() as lab:
        template = await lab.template(script_plan(script))
        started = await all_endings(lab, template, script)
        os.kill(pid_of(template), signal.SIGSTOP)
        for process in started.values():
            assert process.stdin is not None
            process.stdin.close()
        pids = [pid_of(process) for process in started.values()]
        await until(lambda: not any(map(is_alive, pids)))
        os.kill(pid_of(template), signal.SIGKILL)
        assert await exits(started) == ENDINGS
        await release(lab, started)
        assert lab.bench.left() == ()


async def test_a_process_ends_as_usual_while_its_template_is_being_closed(script: Path) -> None:
    async with open_lab() as lab:
        template = await lab.template(script_plan(script))
        started = await all_endings(lab, template, script)
        closing = asyncio.create_task(template.close())
        assert await exits(started) == ENDINGS
        await closing
        await release(lab, started)
        assert lab.bench.left() == ()


async def test_shutting_down_runs_what_a_plain_end_runs(tmp_path: Path) -> None:
    write(tmp_path, "early.py", "import atexit\natexit.register(print, 'early')\n")
    text = (
        "import atexit, early, threading, time\n"
        "atexit.register(print, 'late')\n"
        "def work():\n"
        "    threading.Event().wait(0.1)\n"
        "    print('worked')\n"
        "threading.Thread(target=work).start()\n"
        "class Held:\n"
        "    def __del__(self): print('freed')\n"
        "held = Held()\n"
    )
    plan = script_plan(write(tmp_path, "app.py", text), ("early", "threading"))
    async with open_lab() as lab:
        template = await lab.template(plan)
        for process in (
            await lab.plain(lab.spec(plan)),
            await lab.restored(template, lab.spec(plan)),
        ):
            async with asyncio.timeout(BOUND_S):
                out = await process.stdout.read()
            assert out.decode().split() == ["worked", "late", "early", "freed"]
            await process.stop(1, eof_first=False)
        # The template, which the daemon's end ends as well, has no shutdown of its own.
        template._control.close()
        assert "exit 0" in await template.wait_gone()
        assert "early" not in template._tails[0].last_line()


async def test_closing_the_driver_ends_templates_and_what_was_started(script: Path) -> None:
    async with open_lab() as lab:
        template = await lab.template(script_plan(script))
        started = await all_endings(lab, template, script)
        await lab.bench.driver.close()
        assert lab.bench.left() == ()
        assert all(process.exit is not None for process in started.values())
        assert await template.wait_gone()


async def test_what_a_killed_template_was_still_to_reap_is_reaped_at_once(script: Path) -> None:
    plan = script_plan(script)
    async with open_lab() as lab:
        template = await lab.template(plan)
        process = await lab.restored(template, lab.spec(plan, "code", stdin=True))
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(BOUND_S):
            await process.wait()
        ended, loader = pid_of(process), pid_of(template)
        os.kill(loader, signal.SIGSTOP)
        await process.stop(0, eof_first=False)
        assert Path(f"/proc/{ended}").exists(), "its parent cannot reap it"
        os.kill(loader, signal.SIGKILL)
        await until(lambda: not Path(f"/proc/{ended}").exists())
