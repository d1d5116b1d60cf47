"""A crash, from the kill to the first line of the replacement."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from benchmarks.supervision.children import bell
from benchmarks.supervision.figures import milliseconds
from benchmarks.supervision.subjects import Subject

CHILDREN = 9
"""Each is killed once: a second crash soon after the first is held back on purpose."""


def crashes(subjects: Sequence[Subject]) -> Iterator[str]:
    """Yield the figures of all, taken in turn child by child."""
    with ExitStack() as stack:
        rung = stack.enter_context(bell())
        pids: dict[str, dict[str, int]] = {}
        for subject in subjects:
            names = [f"c-{subject.name}-{number}" for number in range(CHILDREN)]
            children = {name: rung.idle_child(name) for name in names}
            supervision = stack.enter_context(subject.up(children))
            rung.forget()
            supervision.begin()
            pids[subject.name] = {line.child: line.pid for line in rung.lines(CHILDREN)}
        time.sleep(SETTLED_S)
        taken: dict[str, list[float]] = {name: [] for name in pids}
        for number in range(CHILDREN):
            for name, children_pids in pids.items():
                child = f"c-{name}-{number}"
                began = time.perf_counter()
                os.kill(children_pids[child], signal.SIGKILL)
                taken[name].append(rung.next_of(child).at - began)
    for name, seconds in taken.items():
        yield milliseconds("crash to replacement", name, seconds)


SETTLED_S = 2.0
"""Every supervisor takes its children for up by then."""
