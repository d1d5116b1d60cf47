"""`RestoredStart`: the snapshot that one start of a bundle uses."""

from __future__ import annotations

from roost.drivers.base import DriverProcess, SpawnSpec
from roost.errors import RestoreFailed, SnapshotNotLoaded
from roost.models import StartMode
from roost.snapshots.backend import Template
from roost.snapshots.shelf import Shelf


class RestoredStart:
    """A snapshot that a start is to use; meets `roost.supervision.ports.PreparedStart`."""

    def __init__(
        self,
        shelf: Shelf,
        workspace: str,
        name: str,
        template: Template,
        *,
        mode: StartMode,
        is_required: bool,
    ) -> None:
        self._shelf = shelf
        self._workspace = workspace
        self._name = name
        self._template = template
        self.mode = mode
        self.is_required = is_required

    async def spawn(self, spec: SpawnSpec) -> DriverProcess:
        """Start a process from it; where there may be no cold start, from its next template too.

        Raises:
            RestoreFailed: it started none; its template is made again in the background.
            SnapshotNotLoaded: neither did its next template, which there may be none of.
            SnapshotMissing, SnapshotStale: there is nothing to make that from any more.
        """
        try:
            return await self._restored(self._template, spec)
        except RestoreFailed:
            if not self.is_required:
                raise
        template = await self._shelf.loaded(self._workspace, self._name)
        try:
            return await self._restored(template, spec)
        except RestoreFailed as failed:
            raise SnapshotNotLoaded(self._name, failed.details["reason"]) from failed

    async def _restored(self, template: Template, spec: SpawnSpec) -> DriverProcess:
        try:
            return await template.restore(spec)
        except RestoreFailed as failed:
            self._shelf.restore_refused(self._workspace, self._name, template, failed.message)
            raise
