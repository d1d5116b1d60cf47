"""A daemon that owns the commands given to it and dies badly when told to.

Arguments: the data id, then one JSON array of strings per child. It says `ready`, the pid of its
watchdog and the handles of its children as one JSON object, then waits for its end.
"""

import asyncio
import json
import sys

from roost.drivers import LocalDriver, Watchdog
from roost.drivers.base import Mark, SpawnSpec


async def main(data_id: str, commands: list[str]) -> None:
    watchdog = Watchdog(data_id)
    driver = LocalDriver(data_id, watchdog=watchdog)
    await driver.open()
    children = []
    for number, command in enumerate(commands):
        mark = Mark(data_id, f"gen-{number}", "lab", f"app-{number}")
        spec = SpawnSpec(tuple(json.loads(command)), {"PATH": "/usr/bin:/bin"}, "/", mark)
        child = driver.spawn(spec)
        await driver.connect(child)
        children.append(child)
    for child in children:
        await child.stdout.readuntil(b"ready")
    handles = [child.handle for child in children]
    print(json.dumps({"watchdog": watchdog.pid, "handles": handles}), flush=True)
    await asyncio.Event().wait()


asyncio.run(main(sys.argv[1], sys.argv[2:]))
