"""`AppReader`: learns what an app is by loading it, unstarted, in a process of its own."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping

from roost.bundles import DESCRIBE, AppDescription, LauncherOutput, read_description
from roost.drivers.base import Driver, DriverProcess, Mark, SpawnSpec
from roost.errors import BadApp

LOAD_BOUND_S = 30.0
"""As long as a start may take: an app that loads for longer could not be started either."""

STOP_GRACE_S = 2.0

LAST_WORDS_S = 1.0
"""How long output is read on after the end; what the app left running may hold the pipe open."""

KEPT_BYTES = 65536
"""Of each stream its newest part: the answer and the last words stand at the end."""

CHUNK_BYTES = 65536


class AppReader:
    """Runs the launcher that describes apps.

    Its process sees what a start of the app would see, except the credentials: an empty working
    directory and the daemon's environment reduced to the allow-list. Whatever the app's code
    starts meanwhile is ended with it.

    Args:
        driver: starts and ends the process.
        data_id: identity of the data directory.
        environ: the environment of the process.
    """

    def __init__(self, driver: Driver, data_id: str, environ: Mapping[str, str]) -> None:
        self._driver = driver
        self._data_id = data_id
        self._environ = dict(environ)

    async def describe(
        self, command: tuple[str, ...], *, workspace: str, directory: str
    ) -> AppDescription:
        """Ask the app that this command starts what it is.

        Raises:
            BadApp: it could not be loaded in time, or not at all.
        """
        mark = Mark(self._data_id, "describe", workspace, "")
        with tempfile.TemporaryDirectory(prefix="roost-app-") as cwd:
            spec = SpawnSpec((*command, DESCRIBE), self._environ, cwd, mark)
            process = self._driver.spawn(spec)
            try:
                await self._driver.connect(process)
                output = await _run_to_end(process, directory)
            finally:
                await asyncio.shield(process.stop(STOP_GRACE_S, eof_first=False))
        return read_description(output, directory)


async def _run_to_end(process: DriverProcess, directory: str) -> LauncherOutput:
    out, err = bytearray(), bytearray()
    readers = [
        asyncio.create_task(_keep_newest(process.stdout, out)),
        asyncio.create_task(_keep_newest(process.stderr, err)),
    ]
    try:
        async with asyncio.timeout(LOAD_BOUND_S):
            ended = await process.wait()
        await asyncio.wait(readers, timeout=LAST_WORDS_S)
    except TimeoutError:
        raise BadApp(
            directory,
            f"it was not loaded within {LOAD_BOUND_S:g} s; its modules must not wait for anything",
        ) from None
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
    return LauncherOutput(_text(out), _text(err), str(ended))


async def _keep_newest(reader: asyncio.StreamReader, kept: bytearray) -> None:
    while chunk := await reader.read(CHUNK_BYTES):
        kept += chunk
        del kept[:-KEPT_BYTES]


def _text(kept: bytearray) -> str:
    return kept.decode(errors="replace")
