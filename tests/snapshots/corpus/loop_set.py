"""Sets an event loop for the thread."""

import asyncio

LOOP = asyncio.new_event_loop()
asyncio.set_event_loop(LOOP)
