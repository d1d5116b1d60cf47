"""Reads what a process has besides memory: descriptors, threads, handlers, timers, output.

A fact is a short tuple of its kind and its value. What is a fact when a module ends, and was none
when it began, is that module's, or that of a module it imported, which then claimed it first.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # no enums, unlike signal
import _thread
import atexit
import os
import sys
from contextlib import suppress
from typing import Any

Fact = tuple[str, object]

OWN_VARIABLES = b"ROOST_"
"""Begins the names of variables that Roost sets anew for every process."""

SIGNALS = tuple(range(1, 65))
"""All of Linux."""

TIMERS = {
    "ITIMER_REAL": _signal.ITIMER_REAL,
    "ITIMER_VIRTUAL": _signal.ITIMER_VIRTUAL,
    "ITIMER_PROF": _signal.ITIMER_PROF,
}

OF_LIBC = frozenset({32, 33})
"""The C library takes these for itself when the first thread starts."""

CALLS_OUT = ("SigBlk", "SigIgn", "SigCgt")
"""Lines of /proc/self/status: signals that are blocked, ignored and caught, also below Python."""


def claim(
    claimed: dict[Fact, str], module: str, before: frozenset[Fact], now: frozenset[Fact]
) -> list[Fact]:
    """Write down what a module leaves behind, and return that."""
    for gone in [fact for fact in claimed if fact[0] == "descriptor" and fact not in now]:
        del claimed[gone]
    fresh = [fact for fact in now - before if fact not in claimed]
    for fact in fresh:
        claimed[fact] = module
    return fresh


def process_facts() -> frozenset[Fact]:
    """Return what an import can leave behind and what is quick to look at."""
    found: set[Fact] = set(_Listed.facts())
    found.update(("task", number) for number in range(1, task_count()))
    now = _handlers()
    if now != _USUAL:
        found.update(
            ("signal", (number, id(handler)))
            for number, handler, usual in zip(SIGNALS, now, _USUAL, strict=True)
            if handler is not usual
        )
    found.update(("timer", which) for which in timers())
    loop = event_loop()
    if loop is not None:
        found.add(("loop", id(loop)))
    return frozenset(found)


class _Listed:
    """The descriptors as they were listed last, which is good until their number changes.

    Listing takes ten times longer than asking for their number, which kernels from 6.2 on know. Who
    closes one and opens another under a new number in between is found by the list of the end.
    """

    count = 0
    found: frozenset[Fact] = frozenset()

    @classmethod
    def facts(cls) -> frozenset[Fact]:
        count = os.stat("/proc/self/fd").st_size
        if not count or count != cls.count:
            cls.count = count
            cls.found = frozenset(("descriptor", number) for number in descriptors())
        return cls.found


def descriptors() -> list[int]:
    """Return the numbers of all open descriptors."""
    return [number for number in map(int, os.listdir("/proc/self/fd")) if _is_open(number)]


def _is_open(number: int) -> bool:
    # The listing holds a descriptor of its own, which is closed by now.
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def descriptor_target(number: int) -> str:
    """Return what a descriptor is open on, without the numbers that differ each time."""
    try:
        return os.readlink(f"/proc/self/fd/{number}").partition(":[")[0]
    except OSError:
        return "something that is closed by now"


def task_count() -> int:
    """Return the number of threads that the kernel knows of this process."""
    return os.stat("/proc/self/task").st_nlink - 2


def environ() -> dict[bytes, bytes]:
    """Return what `os.environ` holds, without making strings of it."""
    held: Any = os.environ
    return dict(held._data)


class HiddenVariables:
    """Keeps variables out of `os.environ` while modules are loaded that may copy it.

    Whoever reads the environment below finds them still.
    """

    def __init__(self, secret: str | None) -> None:
        """Hide Roost's own variables.

        Args:
            secret: those with this value are hidden as well.
        """
        held: Any = os.environ
        self._data: dict[bytes, bytes] = held._data
        needle = None if secret is None else secret.encode("utf-8", "surrogateescape")
        # Made anew: what is there is posix.environ itself.
        self._put(
            {
                name: value
                for name, value in self._data.items()
                if not name.startswith(OWN_VARIABLES) and value != needle
            }
        )

    def show(self) -> None:
        """Let `os.environ` be as it was."""
        self._put(self._data)

    def _put(self, data: dict[bytes, bytes]) -> None:
        for held in (os.environ, os.environb):
            environ: Any = held
            environ._data = data


def python_threads() -> int:
    """Return the number of Python's threads besides the main one."""
    return _thread._count()


def timers() -> list[str]:
    """Return the names of the interval timers that run."""
    return [name for name, which in TIMERS.items() if any(_signal.getitimer(which))]


def event_loop() -> Any:
    """Return the loop that is set for this thread and not closed; creates none."""
    events = sys.modules.get("asyncio.events")
    policy = getattr(events, "_event_loop_policy", None)
    loop = getattr(getattr(policy, "_local", None), "_loop", None)
    return None if loop is None or loop.is_closed() else loop


def _handlers() -> tuple[object, ...]:
    return tuple(map(_signal.getsignal, SIGNALS))


_USUAL = _handlers()
"""As the interpreter sets them. A module that sets one of them again leaves nothing behind."""


def handlers() -> dict[int, object]:
    """Return the handler of each signal as Python knows it."""
    return dict(zip(SIGNALS, _handlers(), strict=True))


def signal_masks() -> dict[str, int]:
    """Return the kernel's sets of signals that are blocked, ignored and caught."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        pairs = (line.split(":", 1) for line in status if line.startswith(CALLS_OUT))
        return {name: int(value, 16) for name, value in pairs}


def shared_mappings() -> list[str]:
    """Return the names of memory that is shared with other processes and can be written."""
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        fields = (line.split(None, 5) for line in maps)
        return [
            one[5].strip() if len(one) > 5 else "anonymous memory"
            for one in fields
            if one[1] == "rw-s"
        ]


class State:
    """What a template has before it imports anything; what is more afterwards is a problem."""

    def __init__(
        self,
        descriptors: frozenset[int],
        handlers: dict[int, object],
        masks: dict[str, int],
        mappings: list[str],
        folder: str,
    ) -> None:
        self.descriptors = descriptors
        self.handlers = handlers
        self.masks = masks
        self.mappings = mappings
        self.folder = folder

    @classmethod
    def now(cls) -> State:
        return cls(
            frozenset(descriptors()), handlers(), signal_masks(), shared_mappings(), os.getcwd()
        )


class Output:
    """Lets standard output and error go into memory, so that what is written there is known."""

    NUMBERS = (1, 2)

    FORWARDED = 8192
    """Bytes that are passed on in the end: a pipe takes them at once, and they say enough."""

    def __init__(self) -> None:
        self._kept = {number: os.dup(number) for number in self.NUMBERS if _is_open(number)}
        self._memory = {number: os.memfd_create(f"output-{number}") for number in self._kept}
        _flush()
        for number, memory in self._memory.items():
            os.dup2(memory, number)
        # The traceback of a launcher that breaks would be lost with the memory.
        atexit.register(self.restore)

    def sizes(self) -> dict[int, int]:
        """Return how many bytes were written to each."""
        _flush()
        return {number: os.fstat(memory).st_size for number, memory in self._memory.items()}

    def facts(self) -> frozenset[Fact]:
        return frozenset(("output", (number, size)) for number, size in self.sizes().items())

    def restore(self) -> None:
        """Give back what the process was started with, and pass on the end of what was written."""
        atexit.unregister(self.restore)
        _flush()
        for number, kept in self._kept.items():
            memory = self._memory[number]
            size = os.fstat(memory).st_size
            content = os.pread(memory, self.FORWARDED, max(0, size - self.FORWARDED))
            os.dup2(kept, number)
            os.close(kept)
            os.close(memory)
            with suppress(OSError):
                os.write(number, content)
        self._kept = {}
        self._memory = {}


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError, OSError):
            continue
