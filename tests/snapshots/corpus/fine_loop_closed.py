"""Runs a loop to its end."""

import asyncio


async def _answer() -> int:
    return 42


ANSWER = asyncio.run(_answer())
