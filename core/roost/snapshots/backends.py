"""`Backends`: all ways to start bundles from snapshots, as one; it picks by the start."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable

from roost.models import Reason
from roost.models.snapshot import SnapshotBackend, SnapshotPhase
from roost.snapshots.backend import Backend, Built, Template, Tracer, Verifier
from roost.snapshots.cold_start import ColdStart
from roost.snapshots.entry import Entry, EntryKind
from roost.snapshots.node_entry import is_node
from roost.snapshots.record import Attempt, Made


class _Several(ABC):
    """Several backends, of which what a bundle starts picks one."""

    @abstractmethod
    def of(self, start: ColdStart) -> Backend:
        """Return the one for what a bundle starts."""

    def entry(self, start: ColdStart, *, quick: bool = False) -> Entry | Reason:
        """Return what a start runs, or why no snapshot can be made of it."""
        return self.of(start).entry(start, quick=quick)

    async def build(
        self,
        start: ColdStart,
        tracer: Tracer,
        verifier: Verifier,
        on_phase: Callable[[SnapshotPhase], None],
    ) -> Built | Attempt:
        """Make and verify a snapshot; nothing is left of one that ends otherwise."""
        backend = await asyncio.to_thread(self.of, start)
        return await backend.build(start, tracer, verifier, on_phase)

    async def change(
        self, made: Made, start: ColdStart, *, contents: bool = False
    ) -> Reason | None:
        """Return what has changed since a snapshot was made; its backend counts too."""
        wanted = await asyncio.to_thread(self.of, start)
        if made.backend is not wanted.kind:
            return Reason("how", f"how: it was made by {made.backend}, and {wanted.kind} is wanted")
        return await wanted.change(made, start, contents=contents)


class Standbys(_Several):
    """Those that park processes, one for each language.

    Args:
        python: of Python bundles, and of whatever is none of Node.
        node: of Node bundles.
    """

    def __init__(self, python: Backend, node: Backend) -> None:
        self._python = python
        self._node = node

    @property
    def kind(self) -> SnapshotBackend:
        """How they start bundles."""
        return SnapshotBackend.STANDBY

    def of(self, start: ColdStart) -> Backend:
        """Return the one for what a bundle starts."""
        return self._node if is_node(start.launch) else self._python

    async def open(self, made: Made, start: ColdStart) -> Template:
        """Park a process for the next start.

        Raises:
            TemplateFailed: it did not come up, or is not what was verified.
        """
        is_of_node = made.key.entry.kind is EntryKind.NODE
        return await (self._node if is_of_node else self._python).open(made, start)


class Backends(_Several):
    """Several backends behind the interface of one.

    Args:
        backends: each of another kind; the zygote and the code cache, which are the defaults of
            their runtimes, are among them.
    """

    def __init__(self, backends: Iterable[Backend]) -> None:
        self._by_kind = {backend.kind: backend for backend in backends}

    @property
    def kind(self) -> SnapshotBackend:
        """What makes the snapshot of a start that nothing more is known of."""
        return SnapshotBackend.ZYGOTE

    def of(self, start: ColdStart) -> Backend:
        """Return the one that was chosen for a bundle, or else the default of what it starts."""
        if start.how is not None and start.how in self._by_kind:
            return self._by_kind[start.how].of(start)
        default = SnapshotBackend.CODE_CACHE if is_node(start.launch) else SnapshotBackend.ZYGOTE
        return self._by_kind[default]

    async def open(self, made: Made, start: ColdStart) -> Template:
        """Make a snapshot's template again.

        Raises:
            TemplateFailed: it did not come up, or is not what was verified.
        """
        return await self._by_kind[made.backend].open(made, start)
