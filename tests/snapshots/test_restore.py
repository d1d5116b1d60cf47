"""Processes are started from a template, owned like any other, and never started by halves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.processes import is_alive, marked_pids, open_descriptors, until
from tests.support.templates import (
    BOUND_S,
    Lab,
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

from roost.drivers.adopted import ForkedProcess
from roost.drivers.base import DriverProcess, Mark
from roost.drivers.proctable import ProcessTable
from roost.errors import RestoreFailed, TemplateFailed
from roost.models import ResourceLimits
from roost.snapshots import template_start
from roost.snapshots.template_process import TemplateProcess

pytestmark = pytest.mark.real

SLEEPER = "import time\nprint('up', flush=True)\ntime.sleep(1000)\n"


@pytest.fixture
def sleeper(tmp_path: Path) -> Path:
    return write(tmp_path, "sleeper.py", SLEEPER)


async def up(lab: Lab, template: TemplateProcess, script: Path) -> DriverProcess:
    process = await lab.restored(template, lab.spec(script_plan(script)))
    assert await line_of(process) == "up"
    return process


async def test_a_loaded_template_tells_what_it_holds(tmp_path: Path) -> None:
    write(tmp_path, "good.py", "import json\n")
    write(tmp_path, "broken.py", "raise LookupError('no such thing')\n")
    write(tmp_path, "leaves.py", "import sys\nsys.exit(3)\n")
    write(tmp_path, "left_out.py", "")
    write(tmp_path, "wants.py", "import left_out\n")
    script = write(tmp_path, "app.py", "import wants\nprint(wants.left_out.__name__)\n")
    modules = ("json", "good", "broken", "leaves", "left_out", "wants", "__main__")
    plan = replace(script_plan(script, modules), exclude=("left_out",))
    async with open_lab() as lab:
        template = await lab.template(plan)
        report = template.report
        assert report.loaded == 2
        assert [name for name, _ in report.failed] == ["broken", "leaves"]
        assert dict(report.failed)["broken"] == "LookupError: no such thing"
        assert "wants" in report.poisoned
        # What was left out of the template is there for what is started from it.
        said = await ended(await lab.restored(template, lab.spec(plan)))
        assert (said.out, said.err) == ("left_out\n", "")


async def test_an_interpreter_that_nobody_has_looked_at_is_refused(sleeper: Path) -> None:
    fake = write(sleeper.parent, "python", "#!/bin/sh\necho 'no such version' >&2\nexit 78\n")
    fake.chmod(0o755)
    async with open_lab() as lab:
        with pytest.raises(TemplateFailed, match="no such version"):
            await lab.template(script_plan(sleeper, interpreter=str(fake)))
        assert lab.bench.left() == ()


async def test_a_template_that_dies_while_it_loads_is_told_with_its_last_words(
    tmp_path: Path,
) -> None:
    write(tmp_path, "deadly.py", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    script = write(tmp_path, "app.py", "")
    async with open_lab() as lab:
        before = open_descriptors()
        with pytest.raises(TemplateFailed, match="SIGKILL"):
            await lab.template(script_plan(script, ("deadly",)))
        assert lab.bench.left() == ()
        assert open_descriptors() == before


@pytest.mark.parametrize("version", [(3, 10), (3, 14)])
def test_the_launcher_refuses_versions_that_nobody_has_looked_at(version: tuple[int, int]) -> None:
    launcher = Path(template_start.__file__).with_name("launcher")
    code = (
        f"import runpy, sys; sys.version_info = {(*version, 0)}; "
        f"sys.argv = ['launcher', 'template', '9']; "
        f"runpy.run_path({str(launcher)!r}, run_name='__main__')"
    )
    argv = (sys.executable, "-c", code)
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 78
    assert "CPython 3.11, 3.12 and 3.13" in done.stderr


async def test_a_report_of_any_length_arrives_whole(tmp_path: Path) -> None:
    names = tuple(f"there_is_no_module_{number}" for number in range(3000))
    script = write(tmp_path, "app.py", "")
    async with open_lab() as lab:
        template = await lab.template(script_plan(script, names))
        assert [name for name, _ in template.report.failed] == list(names)


async def test_a_start_is_owned_marked_and_stopped_like_any_other(sleeper: Path) -> None:
    async with open_lab() as lab:
        template = await lab.template(script_plan(sleeper))
        process = await up(lab, template, sleeper)
        marks = ProcessTable().read().marks
        assert marks[pid_of(process)] == f"{lab.bench.data_id}/start-1"
        assert marks[pid_of(template)].startswith(f"{lab.bench.data_id}/template-")
        assert lab.bench.driver.orphans() == ()
        figures = (await lab.bench.driver.measure()).figures
        assert figures[process.handle].processes == 1
        report = await process.stop(5, eof_first=False)
        assert str(report.exit) == "SIGTERM" and not report.survivors
        assert is_alive(pid_of(template))
        assert lab.bench.left() == (pid_of(template),)


async def test_closing_a_template_leaves_what_was_started_from_it(sleeper: Path) -> None:
    async with open_lab() as lab:
        template = await lab.template(script_plan(sleeper))
        process = await up(lab, template, sleeper)
        await template.close()
        assert await template.wait_gone() == "it was closed"
        assert lab.bench.left() == (pid_of(process),)
        entry = ProcessTable().read().entries[pid_of(process)]
        assert entry.ppid == os.getpid()
        assert lab.bench.driver.orphans() == ()
        with pytest.raises(RestoreFailed, match="closed"):
            await template.restore(lab.spec(script_plan(sleeper)))
        report = await process.stop(5, eof_first=False)
        assert str(report.exit) == "SIGTERM"
        assert lab.bench.left() == ()


async def test_ending_a_stopped_template_leaves_what_was_started_from_it(sleeper: Path) -> None:
    async with open_lab() as lab:
        template = await lab.template(script_plan(sleeper))
        processes = [await up(lab, template, sleeper) for _ in range(2)]
        os.kill(pid_of(template), signal.SIGSTOP)
        await template.close()
        assert set(lab.bench.left()) == {pid_of(process) for process in processes}
        for process in processes:
            assert str((await process.stop(5, eof_first=False)).exit) == "SIGTERM"


async def test_descendants_of_a_restored_process_belong_to_its_tree_alone(tmp_path: Path) -> None:
    text = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        print(os.getpid(), flush=True)\n"
        "        time.sleep(1000)\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "time.sleep(1000)\n"
    )
    script = write(tmp_path, "app.py", text)
    plan = script_plan(script)
    async with open_lab() as lab:
        template = await lab.template(plan)
        first = await lab.restored(template, lab.spec(plan))
        second = await lab.restored(template, lab.spec(plan))
        left = [int(await line_of(process)) for process in (first, second)]
        # Its grandchild left its session and is ours by now, and carries its own mark.
        report = await first.stop(5, eof_first=False)
        assert not report.survivors
        assert not is_alive(left[0]) and is_alive(left[1]) and is_alive(pid_of(second))
        await template.close()
        assert is_alive(left[1]) and is_alive(pid_of(second))
        await second.stop(5, eof_first=False)
        assert lab.bench.left() == ()


async def test_the_watchdog_ends_template_and_restored_processes_of_a_dead_daemon(
    sleeper: Path,
) -> None:
    from roost.drivers.proctable import Identity
    from roost.drivers.watchdog_program import Watch

    async with open_lab() as lab:
        template = await lab.template(script_plan(sleeper))
        process = await up(lab, template, sleeper)
        told = lab.bench.watchdog._alive
        watch = Watch()
        watch.leaders |= {Identity(*identity) for identity in told}
        watch.marks |= set(told.values())
        assert {identity.pid for identity in told} == {pid_of(template), pid_of(process)}
        await asyncio.to_thread(watch.end_all)
        await until(lambda: lab.bench.left() == ())
        assert str(await process.wait()) == "SIGTERM"
        await process.stop(1, eof_first=False)


async def test_ten_at_once_are_ten_processes(tmp_path: Path) -> None:
    text = (
        "import os, sys\n"
        "with os.scandir('/proc/self/fd') as listing:\n"
        "    count = len(list(listing)) - 1\n"
        "print(os.environ['N'], os.getpid(), count, flush=True)\n"
        "sys.stdin.read()\n"
    )
    script = write(tmp_path, "app.py", text)
    plan = script_plan(script)
    async with open_lab() as lab:
        template = await lab.template(plan)
        specs = [lab.spec(plan, stdin=True, N=str(n)) for n in range(10)]
        processes = await asyncio.gather(*(lab.restored(template, spec) for spec in specs))
        lines = [(await line_of(process)).split() for process in processes]
        assert [int(n) for n, _, _ in lines] == list(range(10))
        assert [int(pid) for _, pid, _ in lines] == [pid_of(p) for p in processes]
        assert {count for _, _, count in lines} == {"3"}
        # None holds the pipe of another one: each ends at its own end of file.
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
            assert (await ended(process)).exit == "exit 0"


async def test_two_templates_never_mix(tmp_path: Path) -> None:
    async with open_lab() as lab:
        plans = []
        for name in ("one", "two"):
            directory = tmp_path / name
            directory.mkdir()
            write(directory, "shared.py", f"name = {name!r}\n")
            script = write(directory, "app.py", "import shared\nprint(shared.name)\n")
            plans.append(script_plan(script, ("shared",)))
        templates = [await lab.template(plan, bundle=f"app-{n}") for n, plan in enumerate(plans)]
        for _ in range(3):
            started = await asyncio.gather(
                *(lab.restored(t, lab.spec(p)) for t, p in zip(templates, plans, strict=True))
            )
            assert [(await ended(process)).out for process in started] == ["one\n", "two\n"]
        for other in (0, 1):
            with pytest.raises(RestoreFailed, match="another script"):
                await templates[other].restore(lab.spec(plans[1 - other]))


@pytest.mark.parametrize("interpreter", interpreters())
async def test_no_byte_of_a_credential_stays_in_the_template_or_reaches_a_sibling(
    tmp_path: Path, interpreter: str
) -> None:
    text = "import os, sys, time\nkept = os.environ.get('SECRET')\nprint('up', flush=True)\n"
    script = write(tmp_path, "app.py", text + "time.sleep(1000)\n")
    plan = script_plan(script, ("json", "asyncio"), interpreter=interpreter)
    secret, argument, token = (os.urandom(16).hex() for _ in range(3))
    async with open_lab() as lab:
        template = await lab.template(plan)
        spec = lab.spec(plan, argument, SECRET=secret)
        process = await lab.restored(template, replace(spec, handed=token.encode()))
        sibling = await lab.restored(template, lab.spec(plan))
        assert await line_of(process) == await line_of(sibling) == "up"
        assert holds_in_memory(pid_of(process), secret.encode())
        assert holds_in_memory(pid_of(process), argument.encode())
        for value in (secret, argument, token):
            assert not holds_in_memory(pid_of(template), value.encode())
            assert not holds_in_memory(pid_of(sibling), value.encode())
        environ = Path(f"/proc/{pid_of(process)}/environ").read_bytes()
        assert secret.encode() not in environ
        await process.stop(1, eof_first=False)
        await sibling.stop(1, eof_first=False)


async def test_what_is_handed_over_can_be_read_where_the_variable_says(tmp_path: Path) -> None:
    text = "import os\nn = int(os.environ['ROOST_TOKEN_FD'])\nprint(os.pread(n, 99, 0).decode())\n"
    text += "os.execv('/bin/sh', ['sh', '-c', f'cat /proc/self/fd/{n}'])\n"
    plan = script_plan(write(tmp_path, "app.py", text.replace(".decode())", ".decode(), flush=1)")))
    async with open_lab() as lab:
        template = await lab.template(plan)
        spec = replace(lab.spec(plan), handed=b"a token")
        plain = await ended(await lab.plain(spec))
        restored = await ended(await lab.restored(template, spec))
        assert restored == plain
        assert restored.out.startswith("a token\n")


async def test_what_must_differ_between_siblings_differs(tmp_path: Path) -> None:
    text = (
        "import multiprocessing.process as m, os, random, ssl, tempfile, uuid\n"
        "print(random.random(), uuid.uuid4(), uuid.uuid1(), os.urandom(8).hex(),\n"
        "      ssl.RAND_bytes(8).hex(),\n"
        "      bytes(m.current_process().authkey).hex(), next(tempfile._RandomNameSequence()))\n"
    )
    script = write(tmp_path, "app.py", text)
    names = ("random", "uuid", "ssl", "tempfile", "multiprocessing", "multiprocessing.process")
    plan = script_plan(script, names)
    async with open_lab() as lab:
        template = await lab.template(plan)
        said = [await ended(await lab.restored(template, lab.spec(plan))) for _ in range(3)]
        assert len({value for each in said for value in each.out.split()}) == 3 * len(
            said[0].out.split()
        )


# What cannot be ----------------------------------------------------------------------------------


async def test_a_start_that_needs_another_interpreter_is_not_made(sleeper: Path) -> None:
    plan = script_plan(sleeper)
    async with open_lab() as lab:
        template = await lab.template(plan)
        with pytest.raises(RestoreFailed, match="PYTHONHASHSEED"):
            await template.restore(lab.spec(plan, PYTHONHASHSEED="7"))
        with pytest.raises(RestoreFailed, match="LANG"):
            await template.restore(lab.spec(plan, LANG="C"))
        await (await up(lab, template, sleeper)).stop(1, eof_first=False)


async def test_a_start_that_cannot_show_its_mark_is_not_made(tmp_path: Path) -> None:
    write(
        tmp_path,
        "titled.py",
        "stat = open('/proc/self/stat').read().rpartition(')')[2].split()\n"
        "start, end = map(int, stat[47:49])\n"
        "with open('/proc/self/mem', 'r+b', buffering=0) as memory:\n"
        "    memory.seek(start)\n"
        "    memory.write(bytes(end - start))\n",
    )
    plan = script_plan(write(tmp_path, "script.py", "import titled\n"), ["titled"])
    async with open_lab() as lab:
        template = await lab.template(plan)
        with pytest.raises(RestoreFailed, match="cannot show whose process it is"):
            await template.restore(lab.spec(plan))


async def test_what_a_start_is_denied_ends_it_before_its_entry(sleeper: Path) -> None:
    plan = script_plan(sleeper)
    async with open_lab() as lab:
        template = await lab.template(plan)
        before = open_descriptors()
        with pytest.raises(RestoreFailed, match="directory cannot be entered"):
            await template.restore(
                replace(lab.spec(plan), cwd="/no/such", argv=lab.spec(plan).argv)
            )
        spec = replace(lab.spec(plan), limits=ResourceLimits(open_files=1 << 40))
        with pytest.raises(RestoreFailed, match="RLIMIT_NOFILE"):
            await template.restore(spec)
        long = Mark(lab.bench.data_id, "x" * 200, "lab", "app")
        with pytest.raises(RestoreFailed, match="whose process"):
            await template.restore(replace(lab.spec(plan), mark=long))
        assert lab.bench.left() == (pid_of(template),)
        assert open_descriptors() == before


HOOKED = """
import json, sys
class registry: pass
import types
m = types.ModuleType("snapshot_restore_py")
m.before, m.after = [], []
m.get_before_snapshot, m.get_after_restore = (lambda: m.before), (lambda: m.after)
sys.modules["snapshot_restore_py"] = m
log = []
def note(text, fail=""):
    import os
    log.append(text)
    if fail and os.environ.get("FAIL") == fail:
        raise RuntimeError("a secret")
for n in "123":
    m.before.append((note, (f"before {n}",), {}))
    m.after.append((note, (f"after {n}",), {"fail": n}))
"""


@pytest.fixture
def hooked(tmp_path: Path) -> Path:
    write(tmp_path, "hooked.py", HOOKED)
    return write(tmp_path, "app.py", "import hooked\nprint(*hooked.log, sep=', ')\n")


async def test_hooks_run_backwards_before_and_forwards_after(hooked: Path) -> None:
    plan = script_plan(hooked, ("hooked",))
    async with open_lab() as lab:
        template = await lab.template(plan)
        said = await ended(await lab.restored(template, lab.spec(plan)))
        assert said.out == "before 3, before 2, before 1, after 1, after 2, after 3\n"


async def test_a_failed_hook_after_a_restore_fails_the_restore(hooked: Path) -> None:
    plan = script_plan(hooked, ("hooked",))
    async with open_lab() as lab:
        template = await lab.template(plan)
        before = open_descriptors()
        with pytest.raises(RestoreFailed, match="hook note raised RuntimeError") as caught:
            await template.restore(lab.spec(plan, FAIL="2"))
        assert "secret" not in str(caught.value)
        assert lab.bench.left() == (pid_of(template),)
        assert open_descriptors() == before
        assert (await ended(await lab.restored(template, lab.spec(plan)))).exit == "exit 0"


async def test_a_failed_hook_before_a_snapshot_fails_the_template(hooked: Path) -> None:
    text = "import hooked\nhooked.m.before.append((hooked.note, ('x',), {'fail': ''}))\n"
    text += "hooked.m.before.append((lambda: 1 / 0, (), {}))\n"
    write(hooked.parent, "worse.py", text)
    plan = script_plan(hooked, ("hooked", "worse"))
    async with open_lab() as lab:
        with pytest.raises(TemplateFailed, match="before_snapshot hook <lambda> raised"):
            await lab.template(plan)
        assert lab.bench.left() == ()


async def test_hooks_have_a_bound_before_and_after(
    hooked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(hooked.parent, "slow.py", "import hooked, time\nh = (time.sleep, (1000,), {})\n")
    write(hooked.parent, "before.py", "import slow\nslow.hooked.m.before.append(slow.h)\n")
    write(hooked.parent, "after.py", "import slow\nslow.hooked.m.after.append(slow.h)\n")
    monkeypatch.setattr("roost.snapshots.loaded_process.HOOK_BOUND_S", 0.3)
    async with open_lab() as lab:
        with pytest.raises(TemplateFailed, match="took more than"):
            await lab.template(script_plan(hooked, ("hooked", "slow", "before")))
        plan = script_plan(hooked, ("hooked", "slow", "after"))
        template = await lab.template(plan, start_bound_s=3)
        with pytest.raises(RestoreFailed, match="did not come to its entry"):
            await template.restore(lab.spec(plan))
        assert lab.bench.left() == (pid_of(template),)


# A template that dies or stops -------------------------------------------------------------------


async def test_a_template_killed_before_it_answers_leaves_nothing(sleeper: Path) -> None:
    plan = script_plan(sleeper)
    async with open_lab() as lab:
        before = open_descriptors()
        template = await lab.template(plan)
        os.kill(pid_of(template), signal.SIGSTOP)
        starting = asyncio.create_task(template.restore(lab.spec(plan)))
        await until(lambda: bool(template._starts))
        os.kill(pid_of(template), signal.SIGKILL)
        with pytest.raises(RestoreFailed, match="has ended"):
            await starting
        assert "SIGKILL" in await template.wait_gone()
        assert lab.bench.left() == ()
        assert open_descriptors() == before


async def test_a_template_that_does_not_answer_is_ended_and_leaves_nothing(sleeper: Path) -> None:
    plan = script_plan(sleeper)
    async with open_lab() as lab:
        before = open_descriptors()
        template = await lab.template(plan, start_bound_s=0.3)
        os.kill(pid_of(template), signal.SIGSTOP)
        with pytest.raises(RestoreFailed, match="did not answer"):
            await template.restore(lab.spec(plan))
        assert "in time" in await template.wait_gone()
        assert lab.bench.left() == ()
        assert open_descriptors() == before


async def test_a_cancelled_start_leaves_nothing(sleeper: Path) -> None:
    plan = script_plan(sleeper)
    async with open_lab() as lab:
        template = await lab.template(plan)
        before = open_descriptors()
        for turns in range(8):
            starting = asyncio.create_task(template.restore(lab.spec(plan)))
            for _ in range(turns):
                await asyncio.sleep(0)
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                # The last ones may be over before they are cancelled.
                await (await starting).stop(0, eof_first=False)
        await until(lambda: lab.bench.left() == (pid_of(template),))
        await until(lambda: not children_of(pid_of(template)))
        assert open_descriptors() == before
        await (await up(lab, template, sleeper)).stop(1, eof_first=False)


async def test_what_nobody_owns_runs_nothing_of_the_app(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy whose daemon has gone waits at its gate and ends there."""
    script = write(tmp_path, "app.py", "open('ran', 'w').close()\n")
    plan = script_plan(script)
    async with open_lab() as lab:
        template = await lab.template(plan)

        def lose(forked: ForkedProcess, mark: Mark) -> DriverProcess:
            raise RestoreFailed("no room to own it")

        monkeypatch.setattr(template._driver, "adopt", lose)
        with pytest.raises(RestoreFailed, match="no room"):
            await template.restore(lab.spec(plan))
        await until(lambda: not children_of(pid_of(template)))
        assert not (tmp_path / "ran").exists()


async def test_a_module_is_run_from_its_template(tmp_path: Path) -> None:
    write(tmp_path, "tool.py", "import sys\nprint(sys.argv[1:], __spec__.name)\n")
    plan = module_plan("tool", tmp_path, ("tool",))
    async with open_lab() as lab:
        template = await lab.template(plan)
        said = await ended(await lab.restored(template, lab.spec(plan, "x")))
        with pytest.raises(RestoreFailed, match="another module"):
            await template.restore(replace(lab.spec(plan), argv=(plan.interpreter, "-m", "timeit")))
        # Loaded nowhere but as its own main module: there is no warning of that.
        assert (said.out, said.err) == ("['x'] tool\n", "")


def children_of(pid: int) -> list[int]:
    entries = ProcessTable().read().entries.values()
    return [entry.pid for entry in entries if entry.ppid == pid]


async def test_its_memory_can_be_measured(sleeper: Path) -> None:
    async with open_lab() as lab:
        template = await lab.template(script_plan(sleeper))
        async with asyncio.timeout(BOUND_S):
            assert (await template.measure() or 0) > 1 << 20
        await template.close()
        assert await template.measure() is None
        assert marked_pids(lab.bench.data_id) == ()
