"""`ProcessSource`: what a platform has to tell about its processes."""

from __future__ import annotations

from typing import Protocol

from roost.drivers.proctable import ProcessEntry


class ProcessSource(Protocol):
    """Where a platform keeps its process table."""

    def boot_id(self) -> str:
        """Return what tells this boot of the machine from any other."""
        ...

    def entry(self, pid: int) -> ProcessEntry | None:
        """Return one process, or None when there is none with this pid."""
        ...

    def entries(self) -> dict[int, ProcessEntry]:
        """Return all processes by pid."""
        ...

    def marks(self, entries: list[ProcessEntry]) -> dict[int, str | None]:
        """Return the marks of these processes; None means that it has no mark for good."""
        ...

    def is_at_rest(self, pid: int) -> bool:
        """Say whether a process waits for something now; one that has ended does."""
        ...

    def descriptors(self, pid: int) -> int | None:
        """Count a process's open files; None where it is gone or the platform does not tell."""
        ...
