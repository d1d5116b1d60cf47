"""`BuildTools`: programs that builds of snapshots use, installed into the data directory once."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path

from roost.bundles.installers import Installers
from roost.bundles.prepare import plan_npm
from roost.drivers.base import Mark
from roost.errors import CommandNotFound, TemplateFailed
from roost.supervision import LogFiles
from roost.supervision.prepare import PrepareFailed, Preparer

ESBUILD = "0.28.2"
"""The version that all tests of bundled programs ran with."""

LOG_NUMBER = 1
"""An install is no start; all of them go into one log of the bundle."""


class BuildTools:
    """Meets `roost.snapshots.node_work.Bundler`.

    Args:
        preparer: the one that bundles are prepared by.
        installers: package managers of this machine.
        environ: the daemon's environment, reduced here to what installers need.
        tools: directory in the data directory.
        logs: where output of installs goes.
        data_id: identity of the data directory.
    """

    def __init__(
        self,
        *,
        preparer: Preparer,
        installers: Installers,
        environ: Mapping[str, str],
        tools: Path,
        logs: LogFiles,
        data_id: str,
    ) -> None:
        self._preparer = preparer
        self._installers = installers
        self._environ = environ
        self._tools = tools
        self._logs = logs
        self._data_id = data_id

    async def directory(self, workspace: str, bundle: str) -> str:
        """Return where esbuild is, installed from npm on first use.

        Raises:
            CommandNotFound: npm is not installed.
            TemplateFailed: it could not be installed.
        """
        place = self._tools / f"esbuild-{ESBUILD}"
        if not place.is_dir():
            await self._install(place, workspace, bundle)
        return str(place / "node_modules" / "esbuild")

    async def _install(self, place: Path, workspace: str, bundle: str) -> None:
        npm = self._installers.npm
        if npm is None:
            raise CommandNotFound("npm")
        plan = plan_npm(npm, f"esbuild@{ESBUILD}", place, self._environ)
        mark = Mark(self._data_id, f"tools-{uuid.uuid4().hex}", workspace, bundle)
        log = self._logs.writer(workspace, bundle, LOG_NUMBER)
        try:
            await self._preparer.run(plan, mark, log)
        except PrepareFailed as failed:
            raise TemplateFailed(f"{failed}; it makes one script of a Node program") from failed
        finally:
            log.close()
