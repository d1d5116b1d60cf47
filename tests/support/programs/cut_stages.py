"""A worker's module with the three patterns of the demo, each stage of which can be cut.

Each stage leaves a line in the file ``lines`` beside this module, outside every journal. One that
the file ``cuts`` names leaves that list and then never ends.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from roost import SyncTaskContext, TaskContext, task
from roost.demo.tasks import agent_loop, pipeline, saga

HERE = Path(__file__).parent
os.environ[agent_loop.STORE] = str(HERE / "agent.db")

cutting = threading.Lock()
"""Guards the list of cuts."""


def enter(stage: str) -> bool:
    """Leave the line of a stage and say whether it is to be cut now."""
    with (HERE / "lines").open("a") as file:
        file.write(f"{stage}\n")
    with cutting:
        left = (HERE / "cuts").read_text().splitlines()
        if stage not in left:
            return False
        left.remove(stage)
        (HERE / "half").write_text("".join(f"{each}\n" for each in left))
        os.replace(HERE / "half", HERE / "cuts")
    return True


def in_thread(real: Callable[..., Any], name: Callable[..., str]) -> Callable[..., Any]:
    """Make a stage one that can be cut; it runs in a thread, which nothing but a kill ends."""

    def stage(*given: Any) -> Any:
        if enter(name(*given)):
            threading.Event().wait()
        return real(*given)

    return stage


def in_loop(real: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Make a stage one that can be cut; it runs in the event loop, which must not be blocked."""

    async def stage(*given: Any) -> Any:
        if enter(name):
            await asyncio.Event().wait()
        return real(*given)

    return stage


def put(owner: Any, function: str, stage: Callable[..., Any]) -> None:
    """Put a stage in the place of the function that it stands for."""
    setattr(owner, function, stage)


put(pipeline, "split", in_loop(pipeline.split, "split"))
put(pipeline, "tally", in_loop(pipeline.tally, "count"))
put(pipeline, "store", in_thread(pipeline.store, lambda *_: "store"))
put(saga, "reserve", in_thread(saga.reserve, lambda _, part: f"book {part}"))
put(saga, "cancel", in_thread(saga.cancel, lambda _, part: f"cancel {part}"))
for tool, use in tuple(agent_loop.TOOLS.items()):
    agent_loop.TOOLS[tool] = in_thread(use, lambda _, tool=tool: tool)


@task("for.nobody", recovery="rerun")
def for_nobody(ctx: SyncTaskContext, input: Any) -> int:
    """Do two steps that are done again in every attempt."""
    for name in ("first", "second"):
        ctx.step(name, in_thread(len, lambda given: given), name)
    return ctx.attempt


@task("as.worker")
async def as_worker(ctx: TaskContext, input: Any) -> str:
    """Begin a run that acts for this worker's bundle."""
    return (await ctx.submit("for.somebody", input, on_behalf=True)).run_id


@task("for.somebody")
def for_somebody(ctx: SyncTaskContext, input: Any) -> str | None:
    """Do one step for a person."""
    ctx.step("only", in_thread(len, lambda given: given), "only")
    return ctx.on_behalf_of


@task("never.again", recovery="never")
def never_again(ctx: SyncTaskContext, input: Any) -> None:
    """Do one step, and fail when the worker ends in it."""
    ctx.step("only", in_thread(len, lambda given: given), "only")
