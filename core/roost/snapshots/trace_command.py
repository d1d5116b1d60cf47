"""`TraceCommand`: starts a bundle under trace, and keeps the memory that it writes to."""

from __future__ import annotations

import json
import os
from pathlib import Path

from roost.snapshots.backend import FORMAT, Trace, TracedCommand
from roost.snapshots.cold_start import ColdStart
from roost.snapshots.entry import Entry
from roost.snapshots.launcher import wire
from roost.snapshots.trace_file import read_trace

LARGEST_TRACE = 64 << 20
"""Bytes: twenty times what the largest apps known write; the rest is not read."""

_LAUNCHER = str(Path(__file__).with_name("launcher"))


class TraceCommand:
    """The traced start of one bundle; close it.

    Args:
        entry: what is started.
        start: the cold start that it stands for.

    Raises:
        OSError: the machine has no room for its memory.
    """

    def __init__(self, entry: Entry, start: ColdStart) -> None:
        self._entry = entry
        self._trace = os.memfd_create("roost-trace", os.MFD_CLOEXEC)
        try:
            spec = json.dumps(_spec(entry, start, self._trace)).encode("ascii")
            self._spec = wire.in_memory(spec)
        except BaseException:
            os.close(self._trace)
            raise
        self._is_closed = False

    @property
    def command(self) -> TracedCommand:
        """What is started in place of the bundle's own command."""
        program = (self._entry.interpreter, *self._entry.flags, _LAUNCHER)
        return TracedCommand((*program, "trace", str(self._spec), ""), (self._spec, self._trace))

    def read(self) -> Trace:
        """Return what was traced; call it when the traced process has ended."""
        size = min(os.fstat(self._trace).st_size, LARGEST_TRACE)
        return read_trace(os.pread(self._trace, size, 0))

    def close(self) -> None:
        """Forget what was written. Safe to call again."""
        if not self._is_closed:
            self._is_closed = True
            os.close(self._spec)
            os.close(self._trace)


def _spec(entry: Entry, start: ColdStart, trace_fd: int) -> wire.Message:
    own = start.launch.argv[entry.own_argv :]
    return {
        "format": FORMAT,
        "kind": entry.wire_kind,
        # A script by the word that this start has for it, as relative as that is.
        "target": own[0] if entry.wire_kind == "script" else entry.target,
        "argv": own[1:],
        "trace_fd": trace_fd,
    }
