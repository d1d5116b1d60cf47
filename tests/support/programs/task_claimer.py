"""Claims runs of a task that it is told of, one after the other, and prints which it got."""

from __future__ import annotations

import asyncio
import sys

from roost.store import SqlStore


async def main(path: str, name: str, run_ids: list[str]) -> None:
    """Try each run once, when a line on stdin says so."""
    async with SqlStore(f"sqlite:///{path}") as store:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        for run_id in run_ids:
            view = await store.tasks.claim(
                run_id,
                at=5_000,
                owner=name,
                epoch=0,
                bundle="worker",
                generation=1,
                lease_ms=30_000,
            )
            if view is not None:
                sys.stdout.write(f"{run_id}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
