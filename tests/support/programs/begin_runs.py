"""Insert runs into one scope of a store at the same time as other processes.

Usage: begin_runs.py STORE_URL PREFIX COUNT. Prints ``ready``, waits for a line, then prints one
JSON object for each attempt.
"""

from __future__ import annotations

import asyncio
import json
import sys

from tests.support.stores import new_run

from roost.errors import AlreadyActive
from roost.store import SqlStore


async def attempt(store: SqlStore, run_id: str) -> dict[str, str | None]:
    try:
        await store.runs.insert(new_run(run_id, scope="chat"))
    except AlreadyActive as error:
        return {"tried": run_id, "active": error.details["run"]}
    return {"tried": run_id, "active": None}


async def main(url: str, prefix: str, count: int) -> None:
    async with SqlStore(url) as store:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        attempts = (attempt(store, f"{prefix}-{number}") for number in range(count))
        for outcome in await asyncio.gather(*attempts):
            print(json.dumps(outcome), flush=True)


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
