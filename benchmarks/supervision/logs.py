"""Lines of 100 bytes as fast as a child can write them, and what was kept of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial

import psutil

from benchmarks.supervision.children import Bell, bell
from benchmarks.supervision.roost_subject import up
from benchmarks.supervision.subjects import Subject
from benchmarks.supervision.waiting import until

LINES = 300_000

SECRETS = (1, 10)
"""How many credentials the output is searched for, where it is."""

TAIL_BYTES = 400
EVERYTHING = 2**40

PAYLOAD = "é" * 40 + "0123456789-01234567"
"""99 bytes and a line break, most of it in characters that a chunk border can split."""


def log_captures(subjects: Sequence[Subject]) -> Iterator[str]:
    """Yield lines per second, the supervisor's CPU time, and what is missing."""
    scrubbing = [
        Subject(f"roost, {count} secret{'s' if count > 1 else ''}", partial(up, secrets=count))
        for count in SECRETS
    ]
    with bell() as rung:
        for subject in (*subjects, *scrubbing):
            with subject.up({"logs": _child(rung)}) as supervision:
                rung.forget()
                supervision.begin()
                began = rung.next_of("logs").at
                processes = [psutil.Process(pid) for pid in supervision.pids()]
                before = sum(sum(process.cpu_times()[:2]) for process in processes)
                rung.next_of("written")
                until(lambda: b"the end" in supervision.captured("logs", TAIL_BYTES))
                seconds = time.perf_counter() - began
                used = sum(sum(process.cpu_times()[:2]) for process in processes) - before
                kept = supervision.captured("logs", EVERYTHING)
            whole = kept.count(PAYLOAD.encode() + b"\n")
            yield (
                f"log lines of 100 bytes             {subject.name:<16} "
                f"{LINES / seconds / 1000:7.0f} k/s  {used:5.2f} s cpu  "
                f"{LINES - whole} of {LINES} lost or damaged"
            )


def _child(rung: Bell) -> tuple[str, ...]:
    write = f"yes '{PAYLOAD}' | head -n {LINES}"
    script = (
        f'echo "logs $$" > {rung.path}; {write}; echo "the end"; '
        f'echo "written $$" > {rung.path}; exec sleep 1000000'
    )
    return ("/bin/sh", "-c", script)
