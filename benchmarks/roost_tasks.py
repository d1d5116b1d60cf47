"""The tasks of `benchmarks.tasks` as Roost's workers do them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from roost import TaskContext, task

STEPS = 10


@task("first")
async def first(ctx: TaskContext, input: Any) -> float:
    """Tell when the first line ran."""
    return time.monotonic()


@task("steps")
async def steps(ctx: TaskContext, input: Any) -> None:
    """Do ten steps that do nothing: what is measured is that each is kept."""
    for number in range(STEPS):
        await ctx.step(f"step {number}", abs, number)


@task("hang")
async def hang(ctx: TaskContext, input: str) -> None:
    """Leave the time of the first line of each attempt; only the second one ends."""
    _note(Path(input), time.monotonic())
    if ctx.attempt == 1:
        await asyncio.Event().wait()


def _note(path: Path, at: float) -> None:
    with path.open("a") as file:
        file.write(f"{at}\n")
