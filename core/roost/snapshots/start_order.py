"""`StartOrder`: one start from a template, from what a cold start is given to what is sent."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO

from roost.drivers.base import SpawnSpec
from roost.drivers.handed import handed
from roost.drivers.limits import resource_limits
from roost.drivers.local import mark_variables
from roost.drivers.pipes import ChildEnds
from roost.errors import RestoreFailed
from roost.snapshots.backend import TemplatePlan
from roost.snapshots.environment import is_startup_name
from roost.snapshots.launcher import wire

_SET_ANEW = frozenset({"TZ"})
"""Read at the interpreter's start, and by a restored process once more."""


@dataclass(frozen=True, slots=True)
class StartOrder:
    """A start with its descriptors; which of them are whose says `open_order`."""

    message: wire.Message
    """Without its number."""
    descriptors: tuple[int, ...]
    """The new process's."""
    ends: ChildEnds | None
    """Ours of the new process's pipes; None where it keeps those that it has."""
    gate: socket.socket


@contextmanager
def open_order(plan: TemplatePlan, spec: SpawnSpec) -> Iterator[StartOrder]:
    """Make everything a start needs; closes the new process's descriptors at the end of the block.

    Our ends of its pipes and of its gate are closed only when the block is left by an exception.

    Raises:
        RestoreFailed: this start cannot be made from a template of this plan.
    """
    _check_startup(plan, spec)
    argv, orig_argv = _arguments(plan, spec)
    secret = {"env": spec.env | mark_variables(spec.mark), "argv": argv, "orig_argv": orig_argv}
    with ExitStack() as theirs, ExitStack() as ours:
        ends, stdio = _pipes(spec.wants_stdin, ours, theirs)
        memory = wire.in_memory(json.dumps(secret).encode("ascii"))
        theirs.callback(os.close, memory)
        gate, their_gate = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs.callback(their_gate.close)
        ours.callback(gate.close)
        token = theirs.enter_context(handed(spec.handed))
        descriptors: tuple[int, ...] = (*stdio, memory, their_gate.fileno())
        message: wire.Message = {
            "op": "start",
            "cwd": spec.cwd,
            "comm": os.path.basename(spec.argv[0]),
            "rlimits": resource_limits(spec.limits),
            "handed": [] if token is None else [len(descriptors)],
        }
        descriptors = descriptors if token is None else (*descriptors, token)
        yield StartOrder(message, descriptors, ends, gate)
        ours.pop_all()


def _pipes(
    wants_stdin: bool, ours: ExitStack, theirs: ExitStack
) -> tuple[ChildEnds, tuple[int, int, int]]:
    """Return our ends, and the new process's stdin, stdout and stderr."""

    def make(is_input: bool) -> tuple[IO[bytes], int]:
        reading, writing = os.pipe()
        mine, child = (writing, reading) if is_input else (reading, writing)
        theirs.callback(os.close, child)
        return ours.enter_context(open(mine, "wb" if is_input else "rb", buffering=0)), child

    if wants_stdin:
        stdin, child_in = make(True)
    else:
        stdin, child_in = None, os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        theirs.callback(os.close, child_in)
    stdout, child_out = make(False)
    stderr, child_err = make(False)
    return ChildEnds(stdin, stdout, stderr), (child_in, child_out, child_err)


def _check_startup(plan: TemplatePlan, spec: SpawnSpec) -> None:
    """Refuse a start that needs another interpreter than the template is one."""
    names = {name for name in plan.env.keys() | spec.env.keys() if is_startup_name(name)}
    for name in sorted(names - _SET_ANEW):
        if plan.env.get(name) != spec.env.get(name):
            raise RestoreFailed(f"{name} is not what it was when the snapshot was made")


def _arguments(plan: TemplatePlan, spec: SpawnSpec) -> tuple[list[str], list[str]]:
    """Return `sys.argv` and the whole command line of a plain start."""
    own = list(spec.argv[plan.own_argv :])
    if not own:
        raise RestoreFailed("its command is another one")
    if plan.own_argv == 0 and "/" not in own[0]:
        own[0] = plan.target  # found along PATH, and shown by where it was found
    if plan.kind == "script" and not _is_same(os.path.join(spec.cwd, own[0]), plan.target):
        raise RestoreFailed("its command names another script")
    if plan.kind == "module" and own[0] != plan.target:
        raise RestoreFailed("its command names another module")
    if plan.own_argv:
        return own, list(spec.argv)
    return own, [plan.interpreter, *plan.flags, *own]


def _is_same(script: str, target: str) -> bool:
    return os.path.normpath(script) == os.path.normpath(target)
