"""Runs a step of a build under the bundle's Node, as a process that ends with the daemon."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from roost.drivers.base import Mark, ProcessExit, SpawnSpec
from roost.snapshots.node_template import Spawning
from roost.snapshots.output_tail import OutputTail

TOOL_BOUND_S = 120.0
"""Bundling five hundred files takes a second, and loading them as long as a cold start; what waits
for something that never comes is ended here."""

_SAID_BYTES = 256 << 10
"""V8 tells first what it cannot do, and then everything that it knows of the object."""

_STOP_GRACE_S = 0.5
"""A step of a build has nothing to tidy up."""


@dataclass(frozen=True, slots=True)
class ToolEnd:
    """How a step ended."""

    exit: ProcessExit | None
    """None when it was ended because it took too long."""
    said: str
    """What it wrote to standard error, the end of it."""

    @property
    def is_clean(self) -> bool:
        """Whether it did its work."""
        return self.exit is not None and self.exit.is_clean

    def __str__(self) -> str:
        ended = "did not end in time" if self.exit is None else f"ended with {self.exit}"
        return f"{ended}: {self.said}" if self.said else ended


async def run_tool(
    driver: Spawning,
    argv: tuple[str, ...],
    env: Mapping[str, str],
    cwd: str,
    owner: tuple[str, str, str],
    *,
    bound_s: float = TOOL_BOUND_S,
) -> ToolEnd:
    """Run a step to its end; nothing of it is left, also when the caller is cancelled.

    Args:
        driver: owns the process.
        argv: an absolute path and its arguments.
        env: its whole environment; holds no credential.
        cwd: where it runs.
        owner: identity of the data directory, workspace and bundle.
        bound_s: seconds it may take.

    Raises:
        RoostError: it cannot be started.
    """
    data_id, workspace, bundle = owner
    mark = Mark(data_id, f"build-{uuid.uuid4().hex}", workspace, bundle)
    process = driver.spawn(SpawnSpec(argv, dict(env), cwd, mark))
    tails: list[OutputTail] = []
    ended: ProcessExit | None = None
    try:
        await driver.connect(process)
        tails = [OutputTail(process.stdout), OutputTail(process.stderr, _SAID_BYTES)]
        for tail in tails:
            tail.begin()
        async with asyncio.timeout(bound_s):
            ended = await process.wait()
    except TimeoutError:
        pass
    finally:
        await asyncio.shield(process.stop(_STOP_GRACE_S, eof_first=False))
        for tail in tails:
            await tail.finish()
    return ToolEnd(ended, tails[1].text())
