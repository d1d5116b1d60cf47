"""Runs of dbos on SQLite, for the Python that has dbos installed.

usage: dbos_program.py DATABASE delete|wal; each line of input is ``[COUNT, AT_ONCE]``, each answer
``{"seconds": ..., "begins": [...], "durability": ...}``
"""

import json
import os
import sqlite3
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from dbos import DBOS  # type: ignore[import-not-found,unused-ignore]

STEPS = 10


@DBOS.step()  # type: ignore[untyped-decorator,unused-ignore]
def step(number: int) -> int:
    """Do nothing: what is measured is that it is kept."""
    return number


@DBOS.workflow()  # type: ignore[untyped-decorator,unused-ignore]
def work(number: int) -> int:
    """Run ten steps."""
    for each in range(STEPS):
        step(each)
    return number


def one(number: int) -> float:
    """Begin a workflow and wait for its end; return the seconds until it had begun."""
    began = time.perf_counter()
    handle = DBOS.start_workflow(work, number)
    took = time.perf_counter() - began
    handle.get_result(polling_interval_sec=0.001)
    return took


def durability(path: str) -> str:
    """Return how a plain connection finds the database; dbos sets nothing else."""
    connection = sqlite3.connect(path)
    mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    level = {1: "NORMAL", 2: "FULL"}[connection.execute("PRAGMA synchronous").fetchone()[0]]
    connection.close()
    return f"journal {mode}, synchronous {level}"


def answer(path: str, count: int, at_once: int) -> str:
    """Do as many runs as asked for."""
    with ThreadPoolExecutor(at_once) as threads:
        began = time.perf_counter()
        begins = list(threads.map(one, range(count)))
        seconds = time.perf_counter() - began
    return json.dumps({"seconds": seconds, "begins": begins, "durability": durability(path)})


def main(path: str, mode: str) -> None:
    """Answer until the input ends."""
    sqlite3.connect(path).execute(f"PRAGMA journal_mode = {mode}").close()
    DBOS(
        config={
            "name": "bench",
            "system_database_url": f"sqlite:///{path}",
            "run_admin_server": False,
            "log_level": "ERROR",
        }
    )
    DBOS.launch()
    one(0)
    for line in sys.stdin:
        count, at_once = json.loads(line)
        print(answer(path, count, at_once), flush=True)
    os._exit(0)  # its threads would hold the process up


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
