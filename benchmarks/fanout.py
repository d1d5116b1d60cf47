"""One run of 1000 steps with 50 viewers: events a second that reach them, and that none is lost.

Each viewer reads what is stored behind the number it has seen, as `roost run follow` does.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.run_subjects import begin, opened
from roost.models import RunProgress, RunStatus
from roost.runs import RunRecorder
from roost.runs.values import Ending

VIEWERS = 50
STEPS = 1000


def run() -> Iterator[str]:
    """Yield one line."""
    with tempfile.TemporaryDirectory(prefix="roost-bench-") as folder:
        yield asyncio.run(_fan_out(Path(folder)))


async def _fan_out(folder: Path) -> str:
    store, recorder = await opened(folder)
    run_id = await begin(recorder, 0)
    viewers = [asyncio.create_task(_view(recorder, run_id)) for _ in range(VIEWERS)]
    began = time.perf_counter()
    for step in range(STEPS):
        await recorder.step(run_id, RunProgress(step, STEPS, f"step {step}"))
    await recorder.finalize("main", run_id, Ending(RunStatus.SUCCEEDED))
    stored = time.perf_counter() - began
    seen = await asyncio.gather(*viewers)
    took = time.perf_counter() - began
    await recorder.close()
    await store.close()
    if any(numbers != list(range(1, STEPS + 2)) for numbers in seen):
        raise SystemExit("a viewer has missed, repeated or reordered an event")
    rate = sum(map(len, seen)) / took
    return (
        f"fan-out of {STEPS} steps to {VIEWERS} viewers: {rate:.0f} events/s delivered, none lost; "
        f"steps stored in {stored:.2f} s, all seen {took - stored:.2f} s later"
    )


async def _view(recorder: RunRecorder, run_id: str) -> list[int]:
    return [event.seq async for event in recorder.events("main", run_id)]
