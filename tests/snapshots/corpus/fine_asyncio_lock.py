"""Makes primitives of asyncio, which take the loop they are used in."""

import asyncio

LOCK = asyncio.Lock()
QUEUE: asyncio.Queue[int] = asyncio.Queue()
