"""What a key costs the processor with 10 000 runs and 1 000 bundles on the screen: it is answered
no later than that on a machine that has nothing else to do."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

import textual.app
import textual.pilot
from tests.support.fake_engine import FIXED_START, FakeEngine, bundle_view, run_view
from tests.support.idle import wait_for_idle

from roost.models import RunStatus
from roost_tui.app import RoostApp

BUNDLES, RUNS = 1000, 10_000

ROUNDS = 10

SCREENS = {"1": "dashboard", "3": "runs"}

KEYS = ("j", "k", "G", "g", "ctrl+d", "ctrl+u", "o", "<", ">", "o", "slash", "escape")


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of processor time from a key to the screen at rest again, sorted."""

    name: str
    taken: tuple[float, ...]

    def __str__(self) -> str:
        p50 = statistics.median(self.taken)
        p99 = self.taken[min(len(self.taken) - 1, round(0.99 * len(self.taken)))]
        return (
            f"keys on the {self.name} screen with {RUNS} runs".ljust(44)
            + f" {p50:8.1f} ms p50  {p99:8.1f} ms p99  {self.taken[-1]:.1f} ms at most  "
            f"(n={len(self.taken)})"
        )


def run() -> Iterator[Latency]:
    """Yield the latency of every key on the two screens with the longest tables."""
    yield from asyncio.run(_measure())


async def _measure() -> list[Latency]:
    # Textual's own wait takes a fiftieth of a second of quiet for rest, several times a key.
    for module in (textual.app, textual.pilot):
        vars(module)["wait_for_idle"] = wait_for_idle
    engine = FakeEngine(workspaces=("w",))
    for number in range(BUNDLES):
        engine.add_bundle(bundle_view(f"b{number:04}", workspace="w"))
    for number in range(RUNS):
        began = FIXED_START - (RUNS - number) * 1000
        engine.add_run(
            run_view(f"r-{number:05}", workspace="w", status=RunStatus.SUCCEEDED, created_at=began)
        )
    found = []
    async with RoostApp(engine).run_test(size=(120, 40)) as pilot:
        await pilot.pause(1.0)
        for key, name in SCREENS.items():
            await pilot.press(key)
            await pilot.pause(1.0)
            taken = []
            for pressed in KEYS * ROUNDS:
                began_s = time.process_time()
                await pilot.press(pressed)
                await pilot.pause()
                taken.append((time.process_time() - began_s) * 1000)
            found.append(Latency(name, tuple(sorted(taken))))
    return found
