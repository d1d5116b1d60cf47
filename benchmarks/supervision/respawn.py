"""A respawn, from the wish to the new process's first line."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from benchmarks.supervision.children import Bell, bell
from benchmarks.supervision.figures import milliseconds
from benchmarks.supervision.subjects import Subject

ROUNDS = 15


def respawns(subjects: Sequence[Subject]) -> Iterator[str]:
    """Yield the figures of all, taken in turn round by round."""
    with ExitStack() as stack:
        rung = stack.enter_context(bell())
        wishes: dict[tuple[str, str], Callable[[], None]] = {}
        for subject in subjects:
            child = f"r-{subject.name}"
            supervision = stack.enter_context(subject.up({child: rung.idle_child(child)}))
            rung.forget()
            supervision.begin()
            rung.next_of(child)
            wishes["by api", subject.name] = _wish(supervision.respawn_by_api, child)
            wishes["by command", subject.name] = _wish(supervision.respawn_by_command, child)
        taken: dict[tuple[str, str], list[float]] = {key: [] for key in wishes}
        floor = [_bare(rung) for _ in range(ROUNDS)]
        for _ in range(ROUNDS):
            for key, wish in wishes.items():
                taken[key].append(_first_line(rung, f"r-{key[1]}", wish))
    yield milliseconds("respawn", "bare spawn", floor)
    for (how, who), seconds in taken.items():
        yield milliseconds(f"respawn {how}", who, seconds)


def _wish(respawn: Callable[[str], None], child: str) -> Callable[[], None]:
    return lambda: respawn(child)


def _first_line(rung: Bell, child: str, wish: Callable[[], None]) -> float:
    began = time.perf_counter()
    asking = threading.Thread(target=wish)
    asking.start()
    line = rung.next_of(child)
    asking.join()
    return line.at - began


def _bare(rung: Bell) -> float:
    began = time.perf_counter()
    process = subprocess.Popen(rung.idle_child("bare"))
    line = rung.next_of("bare")
    process.kill()
    process.wait()
    return line.at - began
