"""Many idle children from nothing, and what their supervisor costs once they run."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence

import psutil

from benchmarks.supervision.children import Bell, bell
from benchmarks.supervision.subjects import Subject, Supervision

QUIET_S = 5.0
"""Start-up work is over by then."""

IDLE_S = 20.0


def cold_starts(subjects: Sequence[Subject], count: int) -> Iterator[str]:
    """Yield, for each, the time to the last first line, then CPU and memory at rest."""
    with bell() as rung:
        yield f"cold start of {count:<20} {'bare spawn':<12} {_bare(rung, count):6.2f} s"
        for subject in subjects:
            names = [f"s-{number}" for number in range(count)]
            with subject.up({name: rung.idle_child(name) for name in names}) as supervision:
                rung.forget()
                began = time.perf_counter()
                supervision.begin()
                last = max(line.at for line in rung.lines(count))
                time.sleep(QUIET_S)
                percent, mebibytes = at_rest(supervision)
            yield (
                f"cold start of {count:<20} {subject.name:<12} {last - began:6.2f} s   "
                f"at rest {percent:5.2f} % cpu, {mebibytes:6.1f} MiB PSS"
            )


def _bare(rung: Bell, count: int) -> float:
    began = time.perf_counter()
    processes = [subprocess.Popen(rung.idle_child(f"b-{number}")) for number in range(count)]
    last = max(line.at for line in rung.lines(count))
    for process in processes:
        process.kill()
        process.wait()
    return last - began


def at_rest(supervision: Supervision) -> tuple[float, float]:
    """Return its processor use in per cent of one, and its memory in MiB, the children aside."""
    processes = [psutil.Process(pid) for pid in supervision.pids()]
    before = sum(_cpu_s(process) for process in processes)
    time.sleep(IDLE_S)
    used = sum(_cpu_s(process) for process in processes) - before
    memory = sum(process.memory_full_info().pss for process in processes)
    return used / IDLE_S * 100, memory / 2**20


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
