"""The process table of systems without ``/proc``, read through ``ps``."""

from __future__ import annotations

import calendar
import subprocess
import time

from roost.drivers.proctable import ProcessEntry, find_mark

PS = "/bin/ps"

_COLUMNS = "pid=,ppid=,pgid=,stat=,rss=,time=,lstart="


class PsSource:
    """The process table as ``ps`` prints it; start times have the resolution of one second."""

    def boot_id(self) -> str:
        return _output(["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]).strip()

    def entry(self, pid: int) -> ProcessEntry | None:
        lines = _output([PS, "-o", _COLUMNS, "-p", str(pid)]).splitlines()
        return _parse(lines[0]) if lines else None

    def entries(self) -> dict[int, ProcessEntry]:
        lines = _output([PS, "-ax", "-o", _COLUMNS]).splitlines()
        return {entry.pid: entry for entry in map(_parse, lines)}

    def marks(self, entries: list[ProcessEntry]) -> dict[int, str | None]:
        if not entries:
            return {}
        marks: dict[int, str | None] = {}
        for line in _output([PS, "axeww", "-o", "pid=,command="]).splitlines():
            pid, _, words = line.strip().partition(" ")
            if mark := find_mark([word.encode() for word in words.split()]):
                marks[int(pid)] = mark
        # An absent mark is not final here: a process between fork and exec cannot be told apart.
        wanted = {entry.pid for entry in entries}
        return {pid: mark for pid, mark in marks.items() if pid in wanted}

    def is_at_rest(self, pid: int) -> bool:
        # Deferred: the watchdog loads this module too, and runs without site packages.
        import psutil

        try:
            busy = (psutil.STATUS_RUNNING, psutil.STATUS_DISK_SLEEP)
            return psutil.Process(pid).status() not in busy
        except psutil.Error:
            return True

    def descriptors(self, pid: int) -> int | None:
        return None


def _output(argv: list[str]) -> str:
    done = subprocess.run(
        argv,
        env={"LC_ALL": "C", "TZ": "UTC"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return done.stdout.decode("utf-8", "replace")


def _parse(line: str) -> ProcessEntry:
    pid, ppid, pgid, state, rss, used, *started = line.split()
    return ProcessEntry(
        pid=int(pid),
        ppid=int(ppid),
        pgid=int(pgid),
        sid=0,
        start=int(calendar.timegm(time.strptime(" ".join(started), "%a %b %d %H:%M:%S %Y"))),
        is_alive=not state.startswith(("Z", "X")),
        is_stopped=state.startswith("T"),
        cpu_s=_seconds(used),
        rss_bytes=int(rss) * 1024,
    )


def _seconds(used: str) -> float:
    """Read ``[dd-][hh:]mm:ss[.cc]``."""
    days, _, clock = used.rpartition("-")
    total = 0.0
    for part in clock.split(":"):
        total = total * 60 + float(part)
    return total + int(days or 0) * 86400
