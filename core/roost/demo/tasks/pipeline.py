"""Pipeline: a durable task of three stages, of which the finished ones are never done again.

``roost add --worker pipeline --directory DIR``, and then from any program
``submit("pipeline.count", {"text": "to be or not to be", "out": "/tmp/counts.json"})``.
Each stage is a step, so the next attempt after a crash is given what was done. A stage that was cut
in the middle runs again: `store` therefore leaves nothing half written, however often it runs.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from roost import TaskContext, task

STAGES = 3


@task("pipeline.count", recovery="resume")
async def count(ctx: TaskContext, input: dict[str, Any]) -> dict[str, Any]:
    """Count the words of a text into a file."""
    words = await ctx.step("split", split, input["text"])
    ctx.progress(1, STAGES, f"{len(words)} words")
    counts = await ctx.step("count", tally, words)
    ctx.progress(2, STAGES, f"{len(counts)} different ones")
    if ctx.was_interrupted("store"):
        ctx.emit("stored again", {"attempt": ctx.attempt})
    # It blocks, so it goes into a thread: the event loop belongs to every run of the worker.
    path = await ctx.step("store", asyncio.to_thread, store, counts, input["out"])
    ctx.progress(STAGES, STAGES, "stored")
    ctx.link(Path(path).as_uri())
    return {"words": len(words), "path": path}


def split(text: str) -> list[str]:
    """First stage: cut a text into words."""
    return text.lower().split()


def tally(words: list[str]) -> dict[str, int]:
    """Second stage: count them."""
    return dict(Counter(words))


def store(counts: dict[str, int], out: str) -> str:
    """Third stage: write the file under another name first, and then rename it."""
    path = Path(out).absolute()
    half = path.with_name(f"{path.name}.part")
    half.write_text(json.dumps(counts))
    os.replace(half, path)
    return str(path)
