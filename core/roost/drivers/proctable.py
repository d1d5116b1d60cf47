"""The machine's process table: who lives, whose child it is, which mark it carries.

A pid alone names nobody: it is recycled. An `Identity` adds the start time and the boot id, and
`ProcessTable.signal` is the only way this package signals anything. Standard library only, because
the watchdog loads it too; values are named tuples because hundreds are made per scan and because
importing `dataclasses` would double the watchdog's start-up. They are made by `collections` and say
their types beside, because `typing` would be a fifth of the watchdog's memory.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import namedtuple

TYPE_CHECKING = False  # type checkers take it for true
if TYPE_CHECKING:
    from typing import Any

    from roost.drivers.process_source import ProcessSource

MARK_VARIABLE = "ROOST_MARK"
"""Environment variable of every child: ``<data_id>/<generation_id>``."""

STAT_BYTES = 4096
"""More than a line of ``/proc/PID/stat`` ever has: 52 numbers and a name of at most 64 bytes."""

_BUSY = (b"R", b"D")
"""States of a process that uses the machine: it runs, or waits for a disk."""

SETTLED_AGE_S = 2.0
"""A process younger than this may still be between fork and exec, so that it carries no mark yet is
not remembered."""


class Identity(namedtuple("Identity", ("pid", "start", "boot"))):
    """Names one process for ever: pid, start time (platform's unit) and boot id."""

    __slots__ = ()

    pid: int
    start: int
    boot: str

    @classmethod
    def from_values(cls, values: Any) -> Identity:
        """Rebuild an identity from decoded JSON; raises `ValueError` when it is none."""
        try:
            return cls(int(values["pid"]), int(values["start"]), str(values["boot"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"not an identity: {values!r}") from error


class ProcessEntry(
    namedtuple(
        "ProcessEntry",
        "pid ppid pgid sid start is_alive is_stopped cpu_s rss_bytes threads",
        defaults=(1,),
    )
):
    """One process at the time of the scan."""

    __slots__ = ()

    pid: int
    ppid: int
    pgid: int
    sid: int
    """Session, or 0 where the platform does not tell."""
    start: int
    is_alive: bool
    """False for a zombie: it has ended and only waits for its parent."""
    is_stopped: bool
    cpu_s: float
    """Processor time used since its start, in seconds."""
    rss_bytes: int
    threads: int
    """1 where the platform does not tell."""


class Snapshot:
    """The whole table at one moment.

    Args:
        taken_at: monotonic time in seconds.
        entries: every process by pid.
        marks: mark of every process that carries one, by pid.
    """

    __slots__ = ("_kin", "entries", "marks", "taken_at")

    def __init__(
        self, taken_at: float, entries: dict[int, ProcessEntry], marks: dict[int, str]
    ) -> None:
        self.taken_at = taken_at
        self.entries = entries
        self.marks = marks
        self._kin: Kinship | None = None

    @property
    def kin(self) -> Kinship:
        """Who belongs to whom; found out once, because many trees ask it of one snapshot."""
        if self._kin is None:
            self._kin = Kinship.of(self)
        return self._kin


class Kinship(namedtuple("Kinship", ("children", "sessions", "groups", "marked"))):
    """Pids by what joins processes."""

    __slots__ = ()

    children: dict[int, list[int]]
    sessions: dict[int, list[int]]
    groups: dict[int, list[int]]
    marked: dict[str, list[int]]

    @classmethod
    def of(cls, snapshot: Snapshot) -> Kinship:
        """Sort the processes of a snapshot."""
        kin = cls({}, {}, {}, {})
        for entry in snapshot.entries.values():
            kin.children.setdefault(entry.ppid, []).append(entry.pid)
            kin.sessions.setdefault(entry.sid, []).append(entry.pid)
            kin.groups.setdefault(entry.pgid, []).append(entry.pid)
        for pid, mark in snapshot.marks.items():
            kin.marked.setdefault(mark, []).append(pid)
        return kin


def system_source() -> ProcessSource:
    """Return the source of this platform."""
    if sys.platform == "linux":
        return ProcSource()
    # Deferred: it needs subprocess, which the watchdog on Linux can do without.
    from roost.drivers.pstable import PsSource

    return PsSource()


class ProcSource:
    """The process table of Linux, read from ``/proc``."""

    def __init__(self) -> None:
        self._ticks_per_s = os.sysconf("SC_CLK_TCK")
        self._page_bytes = os.sysconf("SC_PAGE_SIZE")
        # Since Linux 6.2 the size of this directory is the number; listing it costs three times
        # as much.
        self._sizes_tell = os.stat("/proc/self/fd").st_size > 0

    def boot_id(self) -> str:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()

    def entry(self, pid: int) -> ProcessEntry | None:
        stat = _read_stat(pid)
        return self._parse(pid, stat) if stat else None

    def is_at_rest(self, pid: int) -> bool:
        stat = _read_stat(pid)
        return not stat or _fields(stat)[0] not in _BUSY

    def descriptors(self, pid: int) -> int | None:
        try:
            if self._sizes_tell:
                return os.stat(f"/proc/{pid}/fd").st_size
            return len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            return None

    def entries(self) -> dict[int, ProcessEntry]:
        found = (self.entry(int(name)) for name in os.listdir("/proc") if name.isdecimal())
        return {entry.pid: entry for entry in found if entry is not None}

    def marks(self, entries: list[ProcessEntry]) -> dict[int, str | None]:
        now = int(time.clock_gettime(time.CLOCK_BOOTTIME) * self._ticks_per_s)
        settled = now - SETTLED_AGE_S * self._ticks_per_s
        marks: dict[int, str | None] = {}
        for entry in entries:
            mark = find_mark(_read_bytes(f"/proc/{entry.pid}/environ").split(b"\0"))
            if mark is not None or entry.start < settled:
                marks[entry.pid] = mark
        return marks

    def _parse(self, pid: int, stat: bytes) -> ProcessEntry:
        fields = _fields(stat)
        state, threads = fields[0], int(fields[17])
        # A process whose main thread has ended shows Z while its other threads still run.
        is_alive = state not in (b"Z", b"X", b"x") or threads > 1
        return ProcessEntry(
            pid=pid,
            ppid=int(fields[1]),
            pgid=int(fields[2]),
            sid=int(fields[3]),
            start=int(fields[19]),
            is_alive=is_alive,
            is_stopped=state in (b"T", b"t"),
            cpu_s=(int(fields[11]) + int(fields[12])) / self._ticks_per_s,
            rss_bytes=int(fields[21]) * self._page_bytes,
            threads=threads,
        )


def _read_stat(pid: int) -> bytes:
    """Return a process's line, empty when it is gone.

    By plain system calls: a scan reads hundreds, and file objects take three times as long.
    """
    try:
        file = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(file, STAT_BYTES)
    except OSError:
        return b""
    finally:
        os.close(file)


def _fields(stat: bytes) -> list[bytes]:
    """Return the fields of a process's line from the third on, its state."""
    # The name in parentheses may itself hold spaces and parentheses; field 3 follows the last.
    return stat[stat.rfind(b")") + 2 :].split()


def _read_bytes(path: str) -> bytes:
    """Return a file of ``/proc``, empty when the process is gone or is not ours to read."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.readall() or b""
    except OSError:
        return b""


def find_mark(variables: list[bytes]) -> str | None:
    """Return the mark among ``NAME=value`` pairs."""
    prefix = MARK_VARIABLE.encode() + b"="
    for variable in variables:
        if variable.startswith(prefix):
            return variable[len(prefix) :].decode("utf-8", "replace")
    return None


class _NoPidfd(Exception):
    """A process cannot be held by a descriptor here."""


class ProcessTable:
    """Reads the table and signals processes by identity.

    A mark once seen is kept while its process lives: a program may overwrite or clear its
    environment later.
    """

    def __init__(self, source: ProcessSource | None = None) -> None:
        self._source = source or system_source()
        self._snapshot: Snapshot | None = None
        self._marks: dict[tuple[int, int], str | None] = {}
        self.boot_id = self._source.boot_id()
        """Boot id of this machine's present boot."""

    def read(self, max_age_s: float = 0.0) -> Snapshot:
        """Return the table, at most `max_age_s` seconds old; callers that poll share one scan."""
        now = time.monotonic()
        if self._snapshot is None or now - self._snapshot.taken_at >= max_age_s:
            entries = self._source.entries()
            self._snapshot = Snapshot(now, entries, self._read_marks(entries))
        return self._snapshot

    def is_at_rest(self, pid: int) -> bool:
        """Say whether a process waits for something now; one that has ended does."""
        return self._source.is_at_rest(pid)

    def identify(self, pid: int) -> Identity | None:
        """Return the identity of the process that has this pid now, zombies included."""
        entry = self._source.entry(pid)
        return self.identity(entry) if entry else None

    def descriptors(self, pid: int) -> int | None:
        """Count a process's open files; None where that cannot be told."""
        return self._source.descriptors(pid)

    def identity(self, entry: ProcessEntry) -> Identity:
        """Return the identity of a process of this table."""
        return Identity(entry.pid, entry.start, self.boot_id)

    def holds(self, identity: Identity) -> bool:
        """Say whether this very process is there, zombies included."""
        return identity.boot == self.boot_id and self.identify(identity.pid) == identity

    def signal(self, identity: Identity, signum: int) -> bool:
        """Signal this very process, never another one that has its pid.

        Returns:
            False when it is gone, or may not be signalled; nothing was sent then.
        """
        try:
            return self._signal_by_pidfd(identity, signum)
        except _NoPidfd:
            return self._signal_by_pid(identity, signum)

    def _signal_by_pidfd(self, identity: Identity, signum: int) -> bool:
        if sys.platform != "linux":
            raise _NoPidfd
        try:
            pidfd = os.pidfd_open(identity.pid)
        except ProcessLookupError:
            return False
        except OSError as error:
            # Without the system call (old kernel, sandbox) or a free descriptor.
            raise _NoPidfd from error
        try:
            # Read after the descriptor is held: whatever it names can no longer be swapped.
            if not self.holds(identity):
                return False
            signal.pidfd_send_signal(pidfd, signum)
        except (ProcessLookupError, PermissionError):
            return False
        finally:
            os.close(pidfd)
        return True

    def _signal_by_pid(self, identity: Identity, signum: int) -> bool:
        if not self.holds(identity):
            return False
        try:
            os.kill(identity.pid, signum)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def _read_marks(self, entries: dict[int, ProcessEntry]) -> dict[int, str]:
        known = self._marks
        self._marks = {
            (entry.pid, entry.start): known[entry.pid, entry.start]
            for entry in entries.values()
            if (entry.pid, entry.start) in known
        }
        unknown = [e for e in entries.values() if (e.pid, e.start) not in known]
        for pid, mark in self._source.marks(unknown).items():
            self._marks[pid, entries[pid].start] = mark
        return {pid: mark for (pid, _), mark in self._marks.items() if mark is not None}
