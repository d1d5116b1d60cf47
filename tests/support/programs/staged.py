"""A worker's module whose tasks leave lines in a file, so that it shows what ran how often."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

from roost import SyncTaskContext, TaskContext, task


def note(path: str, line: str) -> str:
    """Append a line to a file outside the journal."""
    with Path(path).open("a") as file:
        file.write(f"{line}\n")
    return line


@task("stages")
def stages(ctx: SyncTaskContext, input: dict[str, Any]) -> list[str]:
    """Three stages; the first attempt never ends the second one."""

    def second() -> str:
        note(input["path"], "second")
        if ctx.attempt == 1:
            threading.Event().wait()
        return "second"

    return [
        ctx.step("first", note, input["path"], "first"),
        ctx.step("second", second),
        ctx.step("third", note, input["path"], "third"),
    ]


@task("patient", recovery="never")
async def patient(ctx: TaskContext, input: Any) -> None:
    """Wait for ever, and clean up."""
    ctx.emit("begun", {"attempt": ctx.attempt})
    try:
        await asyncio.Event().wait()
    finally:
        note(input["path"], "cleaned up")


@task("flaky", retries=2, transient=ConnectionError, retry_first_s=0.05)
async def flaky(ctx: TaskContext, input: Any) -> dict[str, Any]:
    """Fail twice with what may pass."""
    await ctx.step("once", note, input["path"], "once")
    if ctx.attempt < 3:
        raise ConnectionError("no route yet")
    return {"attempt": ctx.attempt}


@task("family")
async def family(ctx: TaskContext, input: Any) -> Any:
    """Let a child do the work, and say what must not be said."""
    ctx.emit("completed", {"not": "yet"})
    child = await ctx.submit("leaf", input)
    return (await ctx.wait(child, timeout_s=60)).result


@task("leaf")
def leaf(ctx: SyncTaskContext, input: Any) -> Any:
    """Return what it was given, by way of a step."""
    ctx.progress(1, 1, "given")
    return ctx.step("echo", lambda: {"given": input})


@task("many")
async def many(ctx: TaskContext, input: Any) -> int:
    """Do as many steps as it is told to."""
    return sum([await ctx.step(f"step-{n}", abs, n) for n in range(input["steps"])])
