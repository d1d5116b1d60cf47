"""Starts of a real program for builds of real snapshots: ready when it has said its first line."""

from __future__ import annotations

import asyncio
import secrets
import time

from tests.support.processes import Bench

from roost.drivers.base import DriverProcess, Mark, SpawnSpec
from roost.errors import Unavailable
from roost.snapshots.backend import Answered, Template, TracedCommand
from roost.snapshots.cold_start import ColdStart

BOUND_S = 60.0
"""For anything that is waited for here, on a machine that is busy with other tests."""


class RealStarts:
    """The engine's starts of one bundle; its first line is its answer."""

    def __init__(self, bench: Bench, start: ColdStart) -> None:
        self._bench = bench
        self.start = start

    async def trace(self, command: TracedCommand) -> Answered:
        return await self._answer(self.cold(command))

    async def verify(self, template: Template) -> Answered:
        return await self._answer(await template.restore(self.spec()))

    def cold(self, command: TracedCommand | None = None) -> DriverProcess:
        """Start it without a template."""
        spec = self.spec()
        if command is not None:
            spec = self.spec(command.argv, command.inherited)
        return self._bench.driver.spawn(spec)

    def spec(
        self, argv: tuple[str, ...] | None = None, inherited: tuple[int, ...] = ()
    ) -> SpawnSpec:
        launch = self.start.launch
        mark = Mark(self._bench.data_id, secrets.token_hex(8), *self.start.key)
        return SpawnSpec(
            argv or launch.argv, launch.env, launch.cwd, mark, wants_stdin=True, inherited=inherited
        )

    async def line(self, process: DriverProcess) -> str:
        """Return the first line of a process and end it."""
        try:
            await self._bench.driver.connect(process)
            async with asyncio.timeout(BOUND_S):
                line = await process.stdout.readline()
                if not line:
                    raise Unavailable((await process.stderr.read()).decode()[-500:])
            return line.decode().strip()
        finally:
            await process.stop(2.0, eof_first=True)

    async def _answer(self, process: DriverProcess) -> Answered:
        began = time.monotonic()
        line = await self.line(process)
        return Answered(round((time.monotonic() - began) * 1000), (("line", line),))
