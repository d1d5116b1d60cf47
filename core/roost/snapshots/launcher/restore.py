"""Turns a forked copy of the template into the process that a plain start would be."""

from __future__ import annotations

import gc
import os
import sys
import time
from dataclasses import dataclass
from typing import Any

from . import hooks, identity, stdio, wire
from .order import Order


class NotRestored(Exception):
    """The copy cannot become the process; the text says why and holds no variable's value."""


@dataclass(frozen=True)
class Origin:
    """What the template was like before it loaded anything."""

    umask: int
    coerced_locale: str | None
    """What the interpreter itself put into LC_CTYPE, as it does in a plain start."""
    has_hooks: bool
    collects: bool
    """Whether the garbage collector was on."""
    room: identity.Room

    @classmethod
    def here(cls, has_hooks: bool) -> Origin:
        """Note it; to be called first."""
        umask = os.umask(0o77)
        os.umask(umask)
        with open("/proc/self/environ", "rb") as file:
            given = any(each.startswith(b"LC_CTYPE=") for each in file.read().split(b"\0"))
        coerced = None if given else os.environ.get("LC_CTYPE")
        room = identity.Room.of(wire.MARK_VARIABLE)
        return cls(umask, coerced, has_hooks, gc.isenabled(), room)


def take_shape(order: Order, origin: Origin) -> None:
    """Take everything over that a process is given at its start.

    Args:
        order: the start; its descriptors are closed afterwards, but for the gate and what was
            handed over.
        origin: what the template was like.

    Raises:
        NotRestored: that is not possible.
    """
    given = wire.read_memory(order.memory)
    for number, descriptor in enumerate(order.stdio):
        os.dup2(descriptor, number)
    for descriptor in order.stdio:
        os.close(descriptor)
    for descriptor in order.handed:
        os.set_inheritable(descriptor, True)
        given["env"][wire.TOKEN_VARIABLE] = str(descriptor)
    os.umask(origin.umask)
    _set_environment(given["env"], origin)
    try:
        os.chdir(order.cwd)
    except OSError as error:
        raise NotRestored(f"its directory cannot be entered ({error.strerror})") from error
    _set_command(given["argv"], given["orig_argv"], order.comm, origin.room)
    _be_distinct()
    stdio.renew()
    _limit(order.rlimits)
    if origin.collects:
        gc.enable()


def run_hooks() -> None:
    """Run the `after_restore` hooks.

    Raises:
        NotRestored: one failed.
    """
    try:
        hooks.after_restore()
    except hooks.HookFailed as error:
        raise NotRestored(str(error)) from error


def _set_environment(variables: dict[str, str], origin: Origin) -> None:
    mark = variables.get(wire.MARK_VARIABLE)
    if mark is not None:
        try:
            identity.show_variable(wire.MARK_VARIABLE, mark, origin.room.variable)
        except (OSError, ValueError) as error:
            raise NotRestored("it cannot show whose process it is") from error
    if origin.coerced_locale is not None:
        variables.setdefault("LC_CTYPE", origin.coerced_locale)
    for name in list(os.environ):  # its clear() lists all names once more for each of them
        del os.environ[name]
    os.environ.update(variables)
    time.tzset()


def _set_command(argv: list[str], orig_argv: list[str], comm: str, room: identity.Room) -> None:
    sys.argv[:] = argv
    sys.orig_argv[:] = orig_argv
    identity.show_command(orig_argv, room.arguments)
    identity.show_name(comm)


def _be_distinct() -> None:
    """Give this copy its own of what every process has once; Python's `random` has it already."""
    loaded = sys.modules
    if "threading" in loaded:
        main: Any = loaded["threading"].main_thread()
        main._set_native_id()
    if "logging" in loaded:
        logging: Any = loaded["logging"]
        is_in_ns = isinstance(logging._startTime, int)
        logging._startTime = time.time_ns() if is_in_ns else time.time()
    if "multiprocessing.process" in loaded:
        process: Any = loaded["multiprocessing.process"]
        process.current_process().authkey = os.urandom(32)
        process.ORIGINAL_DIR = os.getcwd()
    if "numpy.random" in loaded:
        loaded["numpy.random"].seed()


def _limit(rlimits: list[tuple[str, int]]) -> None:
    if not rlimits:
        return
    import resource  # deferred: most starts have no limits

    for name, value in rlimits:
        try:
            resource.setrlimit(getattr(resource, name), (value, value))
        except (OSError, ValueError) as error:
            raise NotRestored(f"its limit {name} cannot be set ({error})") from error
