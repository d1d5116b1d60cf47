"""A restored process is what a plain start is, in everything that it can see of itself."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.support.processes import PROGRAMS, until
from tests.support.templates import (
    BASE_ENV,
    Lab,
    ended,
    interpreters,
    line_of,
    module_plan,
    open_lab,
    pid_of,
    script_plan,
    write,
)

from roost.drivers.base import SpawnSpec
from roost.models import ResourceLimits
from roost.snapshots.backend import Template, TemplatePlan

pytestmark = pytest.mark.real

MODULES = (
    "json",
    "logging",
    "locale",
    "resource",
    "multiprocessing",
    "multiprocessing.process",
    "multiprocessing.context",
    "multiprocessing.queues",
    "asyncio",
)
"""What the probe imports, or some of it."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    directory = tmp_path / "an app"
    directory.mkdir()
    shutil.copy(PROGRAMS / "parity_probe.py", directory / "probe.py")
    return directory


def differences(plain: Any, restored: Any, path: str = "") -> Iterator[str]:
    """Yield what differs, field by field."""
    if isinstance(plain, dict) and isinstance(restored, dict):
        for name in plain.keys() | restored.keys():
            yield from differences(plain.get(name), restored.get(name), f"{path}.{name}")
    elif isinstance(plain, list) and isinstance(restored, list) and len(plain) == len(restored):
        for index, pair in enumerate(zip(plain, restored, strict=True)):
            yield from differences(*pair, f"{path}[{index}]")
    elif plain != restored:
        yield f"{path}: {plain!r} became {restored!r}"


async def compare(lab: Lab, template: Template, spec: SpawnSpec) -> None:
    facts = []
    # One after the other: they carry one mark, and the end of one ends what carries it.
    for start in (lab.plain, partial(lab.restored, template)):
        process = await start(spec)
        if process.stdin is not None:
            process.stdin.write("grüße".encode())
            process.stdin.close()
        said = await ended(process)
        assert (said.exit, said.err) == ("exit 0", "")
        facts.append(json.loads(said.out))
    assert list(differences(*facts)) == []


@pytest.mark.parametrize("interpreter", interpreters())
@pytest.mark.parametrize("kind", ["script", "module"])
async def test_a_restored_process_tells_the_same_of_itself_as_a_plain_one(
    home: Path, interpreter: str, kind: str
) -> None:
    plan = (
        script_plan(home / "probe.py", MODULES, interpreter=interpreter)
        if kind == "script"
        else module_plan("probe", home, MODULES, interpreter=interpreter)
    )
    async with open_lab() as lab:
        template = await lab.template(plan)
        spec = lab.spec(plan, "deep", "two words", TZ="Asia/Tokyo", SECRET="grüße", EMPTY="")
        await compare(lab, template, spec)


ENVIRONMENTS = {
    "unbuffered": {"PYTHONUNBUFFERED": "1"},
    "encoding": {"PYTHONIOENCODING": "latin-1:replace"},
    "no locale": {"LANG": ""},
    "warnings": {"PYTHONWARNINGS": "error::ResourceWarning"},
    "development": {"PYTHONDEVMODE": "1"},
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
async def test_what_the_interpreter_reads_at_its_start_holds_in_a_restored_process(
    home: Path, name: str
) -> None:
    env = BASE_ENV | ENVIRONMENTS[name]
    if not env["LANG"]:
        del env["LANG"]
    plan = replace(script_plan(home / "probe.py", MODULES), env=env)
    async with open_lab() as lab:
        template = await lab.template(plan)
        spec = replace(lab.spec(plan), env=env)
        await compare(lab, template, spec)


async def test_flags_limits_and_a_wanted_stdin_hold_in_a_restored_process(home: Path) -> None:
    plan = replace(
        script_plan(home / "probe.py", MODULES),
        flags=("-X", "utf8", "-W", "ignore", "-u", "-B"),
        own_argv=7,
    )
    async with open_lab() as lab:
        template = await lab.template(plan)
        spec = lab.spec(plan, stdin=True)
        limits = ResourceLimits(open_files=77, processes=4000, core_bytes=0, memory_bytes=1 << 32)
        await compare(lab, template, replace(spec, limits=limits))


async def test_a_package_is_run_by_its_main_module(tmp_path: Path) -> None:
    package = tmp_path / "thing"
    package.mkdir()
    write(package, "__init__.py", "loaded = True\n")
    shutil.copy(PROGRAMS / "parity_probe.py", package / "__main__.py")
    plan = module_plan("thing", tmp_path, ("thing", "thing.__main__", *MODULES))
    async with open_lab() as lab:
        template = await lab.template(plan)
        await compare(lab, template, lab.spec(plan))


async def test_a_command_in_a_file_of_its_own_is_started_as_the_system_does(
    home: Path,
) -> None:
    interpreter = interpreters()[0]
    script = home.parent / "probe-command"
    script.write_text(f"#!{interpreter}\n" + (home / "probe.py").read_text())
    script.chmod(0o755)
    plan: TemplatePlan = replace(script_plan(script, MODULES), own_argv=0)
    async with open_lab() as lab:
        template = await lab.template(plan)
        spec = replace(lab.spec(plan), argv=(str(script), "one"))
        await compare(lab, template, spec)


FAILING = """
import sys
def fail():
    raise LookupError("nothing there")
try:
    fail()
except LookupError as error:
    kind = sys.argv[1]
    if kind == "chained": raise ValueError("no") from error
if kind == "interrupt": raise KeyboardInterrupt
if kind == "text": sys.exit("a last word")
if kind == "syntax": compile("x =", "some file", "exec")
if kind == "hook":
    sys.excepthook = lambda *a: print("mine", a[0].__name__, file=sys.stderr)
    fail()
if kind == "group": raise ExceptionGroup("both", [ValueError(1), TypeError(2)])
"""


@pytest.mark.parametrize("interpreter", interpreters())
@pytest.mark.parametrize("kind", ["script", "module"])
async def test_a_failing_program_says_and_ends_with_what_a_plain_one_does(
    tmp_path: Path, interpreter: str, kind: str
) -> None:
    script = write(tmp_path, "failing.py", FAILING)
    plan = (
        script_plan(script, interpreter=interpreter)
        if kind == "script"
        else module_plan("failing", tmp_path, interpreter=interpreter)
    )
    async with open_lab() as lab:
        template = await lab.template(plan)
        for how in ("chained", "interrupt", "text", "syntax", "hook", "group"):
            spec = lab.spec(plan, how)
            plain = await ended(await lab.plain(spec))
            restored = await ended(await lab.restored(template, spec))
            assert restored == plain


async def test_an_interrupt_ends_a_restored_process_as_it_ends_a_plain_one(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        "waiting.py",
        "import atexit, threading\n"
        "atexit.register(print, 'tidied', flush=True)\n"
        "print('up', flush=True)\n"
        "threading.Event().wait()\n",
    )
    plan = script_plan(script)
    async with open_lab() as lab:
        template = await lab.template(plan)
        ends = []
        for process in (
            await lab.plain(lab.spec(plan)),
            await lab.restored(template, lab.spec(plan)),
        ):
            assert await line_of(process) == "up"
            await until(process.is_at_rest)
            os.kill(pid_of(process), signal.SIGINT)
            ends.append(await ended(process))
        assert ends[0].out == "tidied\n" and ends[0].exit == "SIGINT"
        assert ends[1] == ends[0]


async def test_what_the_compiler_warns_of_is_said_at_each_start(tmp_path: Path) -> None:
    plan = script_plan(write(tmp_path, "script.py", "print(1 is 1)\n"))
    async with open_lab() as lab:
        template = await lab.template(plan)
        spec = lab.spec(plan)
        plain = await ended(await lab.plain(spec))
        assert "SyntaxWarning" in plain.err
        for _ in range(2):
            assert await ended(await lab.restored(template, spec)) == plain


async def test_a_script_that_was_changed_under_its_template_runs_as_it_is_now(
    tmp_path: Path,
) -> None:
    script = write(tmp_path, "script.py", "print('one')\n")
    plan = script_plan(script)
    async with open_lab() as lab:
        template = await lab.template(plan)
        assert (await ended(await lab.restored(template, lab.spec(plan)))).out == "one\n"
        write(tmp_path, "script.py", "print('two')\n")
        assert (await ended(await lab.restored(template, lab.spec(plan)))).out == "two\n"
