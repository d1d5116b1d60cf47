"""Writes with many tasks at once until it is killed; prints each write that it was told of.

usage: group_writer.py DATABASE
"""

from __future__ import annotations

import asyncio
import sys

from roost.store.database import Database
from roost.store.fixed_statement import Execute
from roost.store.tables import facts

WRITERS = 16
ROWS = 3
"""Rows of each write: all of them or none must be found later."""


async def write_on(database: Database, writer: int) -> None:
    """Write again and again, every other writer in one go; every fifth write fails midway."""
    write = write_block if writer % 2 else write_at_once
    number = 0
    while True:
        number += 1
        try:
            await write(database, f"{writer}-{number}", fails=number % 5 == 0)
        except ValueError:
            continue
        print(f"{writer}-{number}", flush=True)


async def write_block(database: Database, name: str, *, fails: bool) -> None:
    """Write the rows of a write with pauses between them."""
    async with database.write() as connection:
        for row in range(ROWS):
            await connection.execute(facts.insert().values(name=f"{name}-{row}", value="kept"))
            await asyncio.sleep(0)
            if fails:
                raise ValueError


async def write_at_once(database: Database, name: str, *, fails: bool) -> None:
    """Write the rows of a write without a pause."""

    def write(execute: Execute) -> None:
        for row in range(ROWS):
            execute(facts.insert(), {"name": f"{name}-{row}", "value": "kept"})
            if fails:
                raise ValueError

    await database.write_at_once(write)


async def main(path: str) -> None:
    """Run the writers."""
    database = Database(f"sqlite:///{path}")
    await database.open()
    await asyncio.gather(*(write_on(database, writer) for writer in range(WRITERS)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
