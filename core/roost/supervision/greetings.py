"""`Greetings`: what starts wait for that become ready by what their process says of itself.

A worker says hello over the API once its module is loaded. Its process and the request that brings
the hello know nothing of each other but the generation.
"""

from __future__ import annotations

import asyncio

from roost.errors import RoostError


class HelloRefused(Exception):
    """What a worker said of itself was refused; `error` says why."""

    def __init__(self, error: RoostError) -> None:
        super().__init__(str(error))
        self.error = error


class Greetings:
    """The hellos that starts under way wait for, by generation."""

    def __init__(self) -> None:
        self._awaited: dict[str, asyncio.Future[tuple[str, ...]]] = {}

    def expect(self, generation_id: str) -> None:
        """Take a hello of this generation from now on; its process is about to be spawned."""
        self._awaited[generation_id] = asyncio.get_running_loop().create_future()

    def forget(self, generation_id: str) -> None:
        """Take no hello of this generation any more; safe to call again."""
        awaited = self._awaited.pop(generation_id, None)
        if awaited is not None:
            awaited.cancel()

    async def wait(self, generation_id: str) -> tuple[str, ...]:
        """Return the names of the tasks that the generation said it offers; the caller bounds it.

        Raises:
            HelloRefused: they were not taken.
        """
        return await asyncio.shield(self._awaited[generation_id])

    def accept(self, generation_id: str, tasks: tuple[str, ...]) -> None:
        """Let the start of this generation go on, if one waits."""
        awaited = self._awaited.get(generation_id)
        if awaited is not None and not awaited.done():
            awaited.set_result(tasks)

    def refuse(self, generation_id: str, error: RoostError) -> None:
        """Let the start of this generation fail, if one waits."""
        awaited = self._awaited.get(generation_id)
        if awaited is not None and not awaited.done():
            awaited.set_exception(HelloRefused(error))
            awaited.exception()  # taken note of, also where nobody waits yet
