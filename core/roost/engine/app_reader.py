"""`AppReader`: learns what an app is by loading it, unstarted, in a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping

from roost.bundles import DESCRIBE, AppDescription, LauncherOutput, read_description
from roost.drivers.base import Driver, Mark, SpawnSpec
from roost.engine.short_program import run_short_program
from roost.errors import BadApp

LOAD_BOUND_S = 30.0
"""As long as a start may take: an app that loads for longer could not be started either."""

KEPT_BYTES = 65536
"""Of each stream its newest part: the answer and the last words stand at the end."""


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
            output = await self._run(spec, directory)
        return read_description(output, directory)

    async def _run(self, spec: SpawnSpec, directory: str) -> LauncherOutput:
        try:
            said = await run_short_program(
                self._driver, spec, bound_s=LOAD_BOUND_S, kept_bytes=KEPT_BYTES
            )
        except TimeoutError:
            raise BadApp(
                directory,
                f"it was not loaded within {LOAD_BOUND_S:g} s; its modules must not wait for "
                "anything",
            ) from None
        return LauncherOutput(said.stdout, said.stderr, str(said.ended))
