"""Tasks of dbos on SQLite, for the Python that has dbos installed.

usage: dbos_tasks.py DATABASE worker|client; see `benchmarks.task_subjects.Rival` for what a client
is asked and answers
"""

import json
import os
import sqlite3
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from dbos import DBOS, DBOSClient  # type: ignore[import-not-found,unused-ignore]

STEPS = 10
SLOTS = 16
POLL_S = 0.01

os.environ["DBOS__APPVERSION"] = "bench"


@DBOS.step()  # type: ignore[untyped-decorator,unused-ignore]
def step(number: int) -> int:
    """Do nothing: what is measured is that it is kept."""
    return number


@DBOS.workflow(name="first")  # type: ignore[untyped-decorator,unused-ignore]
def first(_: int) -> float:
    """Tell when the first line ran."""
    return time.monotonic()


@DBOS.workflow(name="steps")  # type: ignore[untyped-decorator,unused-ignore]
def steps(_: int) -> None:
    """Do ten steps."""
    for number in range(STEPS):
        step(number)


@DBOS.workflow(name="hang")  # type: ignore[untyped-decorator,unused-ignore]
def hang(path: str) -> None:
    """Leave the time of the first line of each attempt; only the second one ends."""
    with open(path, "a") as file:
        file.write(f"{time.monotonic()}\n")
    with open(path) as file:
        if len(file.readlines()) == 1:
            threading.Event().wait()


def durability(path: str) -> str:
    """Return how a plain connection finds the database; dbos sets nothing else."""
    connection = sqlite3.connect(path)
    mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    level = {1: "NORMAL", 2: "FULL"}[connection.execute("PRAGMA synchronous").fetchone()[0]]
    connection.close()
    return f"journal {mode}, synchronous {level}, polls every {POLL_S * 1000:g} ms"


def work(path: str) -> None:
    """Do what is submitted until somebody ends the process."""
    sqlite3.connect(path).execute("PRAGMA journal_mode = wal").close()
    url = f"sqlite:///{path}"
    DBOS(
        config={
            "name": "bench",
            "system_database_url": url,
            "run_admin_server": False,
            "log_level": "ERROR",
        }
    )
    DBOS.launch()
    DBOS.register_queue("bench", worker_concurrency=SLOTS, polling_interval_sec=POLL_S)
    print("ready", flush=True)
    threading.Event().wait()


def serve(path: str) -> None:
    """Answer what a client is asked."""
    client = DBOSClient(system_database_url=f"sqlite:///{path}")

    def begin(name: str, given: object) -> object:
        return client.enqueue({"workflow_name": name, "queue_name": "bench"}, given)

    def done(name: str, given: object) -> tuple[float, object]:
        at = time.monotonic()
        return at, begin(name, given).get_result(polling_interval_sec=0.002)  # type: ignore[attr-defined,unused-ignore]

    def answer(what: str, count: object, at_once: int) -> object:
        if what == "hang":
            begin("hang", count)
            return {}
        with ThreadPoolExecutor(at_once) as threads:
            began = time.perf_counter()
            told = list(threads.map(lambda number: done(what, number), range(int(str(count)))))
            seconds = time.perf_counter() - began
        firsts = [found - at for at, found in told if isinstance(found, float)]
        return {"seconds": seconds, "firsts": firsts, "durability": durability(path)}

    for line in sys.stdin:
        print(json.dumps(answer(*json.loads(line))), flush=True)
    os._exit(0)


if __name__ == "__main__":
    (work if sys.argv[2] == "worker" else serve)(sys.argv[1])
