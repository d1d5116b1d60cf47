"""The driver interface: how processes are started, watched and stopped.

Everything above a driver knows byte streams, an exit and an opaque handle. A pid is a display
field.
"""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass, field
from typing import Protocol

from roost.models import ResourceLimits


@dataclass(frozen=True, slots=True)
class Mark:
    """What every child's environment tells about its owner."""

    data_id: str
    """Identity of the data directory: stable over daemon starts."""
    generation_id: str
    workspace: str
    bundle: str


@dataclass(frozen=True, slots=True)
class SpawnSpec:
    """One process to start. `env` is complete: only the mark is added to it."""

    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    mark: Mark
    wants_stdin: bool = False
    """True for protocols on stdin; otherwise stdin is the null device."""
    limits: ResourceLimits = field(default_factory=ResourceLimits)
    """Hold from the program's first instruction."""
    handed: bytes | None = field(default=None, repr=False)
    """What it may read from a descriptor of its own, which `ROOST_TOKEN_FD` names."""
    inherited: tuple[int, ...] = ()
    """Descriptors of the caller that it gets under the same numbers; the caller closes its own."""


@dataclass(frozen=True, slots=True)
class ProcessExit:
    """How a process ended: exactly one of `code`, `signal` and `told` is set."""

    code: int | None
    signal: int | None
    told: str | None = None
    """In words, where no process of this machine ended."""

    @property
    def is_clean(self) -> bool:
        """Whether it ended with exit code 0."""
        return self.code == 0

    def __str__(self) -> str:
        if self.told is not None:
            return self.told
        if self.signal is not None:
            try:
                return signal.Signals(self.signal).name
            except ValueError:
                return f"signal {self.signal}"
        return f"exit {self.code}"


@dataclass(frozen=True, slots=True)
class StopReport:
    """What a stop found: the tree is gone when `survivors` is empty."""

    exit: ProcessExit | None
    survivors: tuple[int, ...] = ()
    used_kill: bool = False
    duration_ms: int = 0


@dataclass(frozen=True, slots=True)
class TreeFigures:
    """Resource use of a whole process tree; `cpu_percent` is since the last measurement."""

    cpu_percent: float
    rss_bytes: int
    """Resident memory; pages that processes share count once for each."""
    processes: int
    threads: int = 0
    descriptors: int | None = None
    """None where the system does not tell."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What every tree of a driver uses, at one moment."""

    figures: dict[str, TreeFigures]
    """By handle; a tree that is gone has none."""
    orphans: tuple[int, ...] = ()
    """Living processes of this data directory that nobody supervises, as display numbers."""
    cost_s: float = 0.0
    """Processor time that it took, in seconds."""


class DriverProcess(Protocol):
    """A live process tree that a driver owns."""

    @property
    def handle(self) -> str:
        """Opaque text that lets the same driver find the tree again after a restart."""
        ...

    @property
    def display_pid(self) -> int | None: ...

    @property
    def stdin(self) -> asyncio.StreamWriter | None: ...

    @property
    def stdout(self) -> asyncio.StreamReader: ...

    @property
    def stderr(self) -> asyncio.StreamReader: ...

    @property
    def exit(self) -> ProcessExit | None:
        """How the leader ended, or None while it lives."""
        ...

    async def wait(self) -> ProcessExit:
        """Wait for the leader's end; safe to call from several tasks and to cancel."""
        ...

    async def stop(self, grace_s: float, *, eof_first: bool) -> StopReport:
        """End the whole tree and return when none of it is left.

        Walks: close stdin and wait briefly (`eof_first`), TERM, KILL after `grace_s` seconds.
        Safe to call again and after the leader's own end, whose descendants it then ends. Every
        process needs it once, however it ended: only then are its pipes and its number freed.
        """
        ...

    def is_at_rest(self) -> bool:
        """Whether the leader waits for something now instead of using the machine."""
        ...

    async def clients(self) -> int | None:
        """Count the connections to the ports that the tree listens on.

        Returns:
            None when the platform does not tell.
        """
        ...

    def suspended(self) -> tuple[int, ...]:
        """Return display numbers of the tree's processes that a signal has stopped (SIGSTOP)."""
        ...

    def foreign_listener(self, host: str, port: int) -> str | None:
        """Name the program outside this tree that answers on an address of its machine.

        Returns:
            None when it is one of the tree's, or when the platform does not tell.
        """
        ...


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What a sweep for leftovers did."""

    ended: int
    survivors: tuple[int, ...] = field(default=())


class Driver(Protocol):
    """Starts processes and finds leftovers."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def connect(self, process: DriverProcess) -> None:
        """Attach the process's pipes to the running loop; called once right after `spawn`."""
        ...

    def spawn(self, spec: SpawnSpec) -> DriverProcess:
        """Start a process in a session of its own; ownership begins before this returns.

        Raises:
            CommandNotFound: the program does not exist or cannot be executed.
        """
        ...

    async def measure(self) -> Measurement:
        """Measure all trees at once."""
        ...

    async def sweep(self, handles: tuple[str, ...]) -> SweepReport:
        """End what an earlier daemon of this data directory left behind.

        Args:
            handles: handles that the store still holds as live.
        """
        ...
