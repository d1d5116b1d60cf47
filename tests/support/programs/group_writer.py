"""Writes with many tasks at once until it is killed; prints each write that it was told of.

usage: group_writer.py DATABASE
"""

from __future__ import annotations

import asyncio
import sys

from roost.store.database import Database
from roost.store.tables import facts

WRITERS = 16
ROWS = 3
"""Rows of each write: all of them or none must be found later."""


async def write_on(database: Database, writer: int) -> None:
    """Write again and again; every fifth write fails in the middle."""
    number = 0
    while True:
        number += 1
        try:
            async with database.write() as connection:
                for row in range(ROWS):
                    values = {"name": f"{writer}-{number}-{row}", "value": "kept"}
                    await connection.execute(facts.insert().values(values))
                    await asyncio.sleep(0)
                    if number % 5 == 0:
                        raise ValueError
        except ValueError:
            continue
        print(f"{writer}-{number}", flush=True)


async def main(path: str) -> None:
    """Run the writers."""
    database = Database(f"sqlite+aiosqlite:///{path}")
    await database.open()
    await asyncio.gather(*(write_on(database, writer) for writer in range(WRITERS)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
