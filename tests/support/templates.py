"""Templates of small programs, and plain starts of the same programs to compare them with."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.support.processes import Bench, open_bench

from roost.drivers.base import DriverProcess, Mark, SpawnSpec
from roost.snapshots.backend import Template, TemplatePlan
from roost.snapshots.loaded_process import LoadedProcess
from roost.snapshots.standby_process import StandbyProcess, StandbyProcesses
from roost.snapshots.template_process import TemplateProcess, TemplateProcesses

BASE_ENV = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/"}

BOUND_S = 30.0
"""For anything that is waited for here, on a machine that is busy with other tests."""


@dataclass(frozen=True)
class Ended:
    """What a process said until its end."""

    out: str
    err: str
    exit: str


def script_plan(
    script: Path, modules: Iterable[str] = (), *, interpreter: str = sys.executable
) -> TemplatePlan:
    """Return the plan of ``python script``."""
    return TemplatePlan(
        interpreter=interpreter,
        flags=(),
        kind="script",
        target=str(script),
        modules=tuple(modules),
        paths=(),
        path0=str(script.parent),
        own_argv=1,
        env=BASE_ENV,
        cwd=str(script.parent),
    )


def module_plan(
    module: str, directory: Path, modules: Iterable[str] = (), *, interpreter: str = sys.executable
) -> TemplatePlan:
    """Return the plan of ``python -m module``."""
    plan = script_plan(directory / "unused", modules, interpreter=interpreter)
    return replace(plan, kind="module", target=module, own_argv=2)


class Lab:
    """A driver, and the templates that were made with it."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self._templates: list[Template] = []
        self._count = 0

    async def template(
        self, plan: TemplatePlan, *, bundle: str = "app", start_bound_s: float = BOUND_S
    ) -> TemplateProcess:
        """Start a template."""
        factory = TemplateProcesses(
            self.bench.driver, self.bench.data_id, "lab", bundle, start_bound_s=start_bound_s
        )
        async with asyncio.timeout(BOUND_S * 2):
            template = await factory.open(plan)
        self._templates.append(template)
        return template

    async def standby(
        self, plan: TemplatePlan, *, bundle: str = "app", start_bound_s: float = BOUND_S
    ) -> StandbyProcess:
        """Park a process."""
        factory = StandbyProcesses(
            self.bench.driver, self.bench.data_id, "lab", bundle, start_bound_s=start_bound_s
        )
        async with asyncio.timeout(BOUND_S * 2):
            standby = await factory.open(plan)
        self._templates.append(standby)
        return standby

    def spec(
        self, plan: TemplatePlan, *arguments: str, stdin: bool = False, **env: str
    ) -> SpawnSpec:
        """Return a start of the plan's program."""
        self._count += 1
        mark = Mark(self.bench.data_id, f"start-{self._count}", "lab", "app")
        head = (plan.interpreter, *plan.flags)
        word = ("-m", plan.target) if plan.kind == "module" else (plan.target,)
        return SpawnSpec((*head, *word, *arguments), BASE_ENV | env, plan.cwd, mark, stdin)

    async def plain(self, spec: SpawnSpec) -> DriverProcess:
        """Start a process as without a template."""
        process = self.bench.driver.spawn(spec)
        await self.bench.driver.connect(process)
        return process

    async def restored(self, template: Template, spec: SpawnSpec) -> DriverProcess:
        """Start a process from a template."""
        process = await template.restore(spec)
        await self.bench.driver.connect(process)
        return process

    async def close(self) -> None:
        """End all templates."""
        for template in self._templates:
            await template.close()


@asynccontextmanager
async def open_lab() -> AsyncIterator[Lab]:
    """Open a driver for templates."""
    async with open_bench() as bench:
        lab = Lab(bench)
        try:
            yield lab
        finally:
            await lab.close()


async def ended(process: DriverProcess, *, kept_alive: bool = False) -> Ended:
    """Read a process's output to its end and release it."""
    async with asyncio.timeout(BOUND_S):
        out, err = await asyncio.gather(process.stdout.read(), process.stderr.read())
        exit = await process.wait()
    if not kept_alive:
        await process.stop(1, eof_first=False)
    return Ended(out.decode(), err.decode(), str(exit))


async def line_of(process: DriverProcess) -> str:
    """Read one line that a process says."""
    async with asyncio.timeout(BOUND_S):
        return (await process.stdout.readuntil(b"\n")).decode().rstrip("\n")


def pid_of(process: DriverProcess | LoadedProcess) -> int:
    """Return the pid of a process that has one."""
    assert process.display_pid is not None
    return process.display_pid


def holds_in_memory(pid: int, needle: bytes) -> bool:
    """Say whether a process's memory holds these bytes anywhere that can be read."""
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            bounds, access, *_ = line.split()
            if not access.startswith("r"):
                continue
            start, end = (int(bound, 16) for bound in bounds.split("-"))
            try:
                memory.seek(start)
                content = memory.read(end - start)
            except (OSError, OverflowError, ValueError):
                continue  # of the kernel, such as [vvar]
            if content is not None and needle in content:
                return True
    return False


def write(directory: Path, name: str, text: str) -> Path:
    """Write a program."""
    path = directory / name
    path.write_text(text)
    return path


def interpreters() -> list[str]:
    """Return an interpreter of each version for which snapshots are made, as far as installed."""
    found = [sys.executable]
    roots = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    for minor in ("3.11", "3.12", "3.13"):
        if minor != f"{sys.version_info.major}.{sys.version_info.minor}":
            installed = sorted(Path(roots).glob(f"versions/{minor}.*/bin/python{minor}"))
            found += [str(path) for path in installed[-1:]]
    return found
