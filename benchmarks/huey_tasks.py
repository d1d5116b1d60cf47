"""Tasks of huey on SQLite, for the Python that has huey installed.

usage: huey_tasks.py DATABASE worker|client; see `benchmarks.task_subjects.Rival` for what a client
is asked and answers. huey knows no steps: the value of each is stored by its own `put`.
"""

import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from huey import SqliteHuey  # type: ignore[import-not-found,unused-ignore]

STEPS = 10
SLOTS = 16
POLL_S = 0.01

huey = SqliteHuey(filename=sys.argv[1], fsync=True)


@huey.task()  # type: ignore[untyped-decorator,unused-ignore]
def first(_: int) -> float:
    """Tell when the first line ran."""
    return time.monotonic()


@huey.task(context=True)  # type: ignore[untyped-decorator,unused-ignore]
def steps(_: int, task: Any = None) -> bool:
    """Do ten steps that do nothing: what is measured is that each is kept."""
    for number in range(STEPS):
        huey.put(f"{task.id}:{number}", number)
    return True


@huey.task()  # type: ignore[untyped-decorator,unused-ignore]
def hang(path: str) -> None:
    """Leave the time of the first line of each attempt; only the second one ends."""
    with open(path, "a") as file:
        file.write(f"{time.monotonic()}\n")
    with open(path) as file:
        if len(file.readlines()) == 1:
            threading.Event().wait()


def work() -> None:
    """Do what is submitted until somebody ends the process."""
    consumer = huey.create_consumer(
        workers=SLOTS, initial_delay=POLL_S, max_delay=POLL_S, backoff=1.0, periodic=False
    )
    print("ready", flush=True)
    consumer.run()


def done(what: Any, number: int) -> tuple[float, Any]:
    """Do one task to its end."""
    at = time.monotonic()
    return at, what(number).get(blocking=True, backoff=1.0, max_delay=0.002)


def answer(what: str, count: Any, at_once: int) -> Any:
    """Do what a client is asked."""
    if what == "hang":
        hang(count)
        return {}
    task = {"first": first, "steps": steps}[what]
    with ThreadPoolExecutor(at_once) as threads:
        began = time.perf_counter()
        told = list(threads.map(lambda number: done(task, number), range(count)))
        seconds = time.perf_counter() - began
    firsts = [found - at for at, found in told if isinstance(found, float)]
    durability = f"journal wal, synchronous FULL, polls every {POLL_S * 1000:g} ms"
    return {"seconds": seconds, "firsts": firsts, "durability": durability}


def serve() -> None:
    """Answer what a client is asked."""
    for line in sys.stdin:
        print(json.dumps(answer(*json.loads(line))), flush=True)
    os._exit(0)


if __name__ == "__main__":
    (work if sys.argv[2] == "worker" else serve)()
