"""`ParkedNode`: one Node process with its packages loaded, which becomes the next start's process.

It is started as ``node [FLAGS] park.cjs SPEC_FD PADDING``. SPEC_FD is sealed memory with one JSON
object, which it reads and closes::

    {"names": [str], "control": int, "gate": int, "secret": int, "token": int}

`names` are those of all variables that a start has; their values are not in the environment of a
process that waits. On `control` and `gate` it says what a standby of Python says (see
`launcher.wire`), and tells besides, when it is ready, which variables were read::

    <- {"ev": "ready", ..., "reads": [str]}
    -> {"op": "start", "id": int, "cwd": str, "handed": bool}

A Node program cannot be given descriptors later, so all of them are there from its spawn: its
streams, which nobody has used, and two pieces of memory, which are empty. They are filled when it
is handed over: `secret` with ``{"env", "argv", "command"}``, of which it reads the memory once and
closes it, and `token` with what the driver hands to a process.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from roost.drivers.base import DriverProcess, Mark, SpawnSpec
from roost.drivers.handed import TOKEN_VARIABLE
from roost.drivers.limits import resource_limits
from roost.drivers.local import mark_variables
from roost.errors import RestoreFailed, RoostError, TemplateFailed
from roost.snapshots.backend import Hazard, TemplateReport
from roost.snapshots.entry import Entry
from roost.snapshots.launcher import wire
from roost.snapshots.loaded_process import LoadedProcesses
from roost.snapshots.node_key import is_node_startup_name
from roost.snapshots.standby_process import StandbyProcess
from roost.snapshots.start_order import StartOrder
from roost.snapshots.template_start import PADDING_BYTES, STANDBY, Adopter

OUTPUT = "output"
"""Name of the guard that finds what packages wrote while they were loaded."""


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One process to park. There is no credential in it."""

    entry: Entry
    program: str
    """What it runs in place of the script."""
    env: Mapping[str, str] = field(repr=False)
    names: tuple[str, ...]
    """Of all variables of a start."""
    reads: tuple[str, ...]
    """Variables that are read while it is loaded."""
    cwd: str
    wants_stdin: bool


class ParkedNodes(LoadedProcesses[NodePlan, "ParkedNode"]):
    """Parks processes of one Node bundle."""

    def _spawn(self, plan: NodePlan) -> ParkedNode:
        return ParkedNode(self._driver, plan, self._mark(STANDBY), self._start_bound_s)


class ParkedNode(StandbyProcess):
    """A parked process; made by `ParkedNodes`.

    Raises:
        TemplateFailed: its Node cannot be started.
    """

    def __init__(self, driver: Adopter, plan: NodePlan, mark: Mark, start_bound_s: float) -> None:
        self._plan = plan
        self._room, process, channel = _spawn(driver, plan, mark)
        super().__init__(driver, mark, start_bound_s, (process, channel), self._order)

    @property
    def report(self) -> TemplateReport:
        """What it told once it was loaded, and whether it wrote anything meanwhile."""
        report = super().report
        if not (said := self._said()):
            return report
        return replace(report, problems=(*report.problems, Hazard(OUTPUT, None, said)))

    def _said(self) -> str:
        return next((line for tail in self._tails if (line := tail.last_line())), "")

    @contextmanager
    def _order(self, spec: SpawnSpec) -> Iterator[StartOrder]:
        """Give it what it is to become; when that breaks off, it is of no use any more.

        Raises:
            RestoreFailed: it cannot become this start's process.
        """
        content = _content(self._plan, spec, self._room.token)
        try:
            if said := self._said():
                raise RestoreFailed(f"it wrote before it was handed over: {said}")
            for tail in self._tails:
                tail.leave()
            _limit(self._process, spec)
            self._room.fill(content, spec.handed)
            message = {"op": "start", "cwd": spec.cwd, "handed": spec.handed is not None}
            yield StartOrder(message, (), None, self._room.gate)
        except BaseException as error:
            self.give_up(str(error) or "its start was given up")
            raise

    async def _pass(self, gate: socket.socket) -> None:
        for tail in self._tails:
            await tail.finish()  # so nobody takes what the program is about to write
        await super()._pass(gate)

    async def _see_end(self) -> None:
        try:
            await super()._see_end()
        finally:
            self._room.close()


@dataclass(frozen=True, slots=True)
class _Room:
    """What a parked process holds the other ends of."""

    gate: socket.socket
    secret: int
    token: int
    """All numbers are the same in the process."""
    closing: ExitStack

    def fill(self, secret: bytes, token: bytes | None) -> None:
        """Let it read what belongs to its start.

        Raises:
            RestoreFailed: the machine has no room for it.
        """
        try:
            _fill(self.secret, secret)
            if token is not None:
                _fill(self.token, token)
        except OSError as error:
            raise RestoreFailed(f"there is no room for its variables ({error.strerror})") from error

    def close(self) -> None:
        """Free all of it; safe to call again."""
        self.closing.close()


def _spawn(
    driver: Adopter, plan: NodePlan, mark: Mark
) -> tuple[_Room, DriverProcess, socket.socket]:
    with ExitStack() as ours, ExitStack() as theirs:
        try:
            control, their_control = _pair(ours, theirs)
            gate, their_gate = _pair(ours, theirs)
            secret, token = _memory(ours), _memory(ours)
            told = {
                "names": plan.names,
                "control": their_control.fileno(),
                "gate": their_gate.fileno(),
                "secret": secret,
                "token": token,
            }
            spec_fd = wire.in_memory(json.dumps(told).encode("ascii"))
            theirs.callback(os.close, spec_fd)
        except OSError as error:
            raise TemplateFailed(f"there is no room for its pipes ({error.strerror})") from error
        padding = f"{STANDBY} of {mark.workspace}/{mark.bundle}".ljust(PADDING_BYTES)
        entry = plan.entry
        argv = (entry.interpreter, *entry.flags, plan.program, str(spec_fd), padding)
        inherited = (spec_fd, their_control.fileno(), their_gate.fileno(), secret, token)
        spec = SpawnSpec(
            argv, dict(plan.env), plan.cwd, mark, plan.wants_stdin, inherited=inherited
        )
        try:
            process = driver.spawn(spec)
        except RoostError as error:
            raise TemplateFailed(error.message) from error
        return _Room(gate, secret, token, ours.pop_all()), process, control


def _pair(ours: ExitStack, theirs: ExitStack) -> tuple[socket.socket, socket.socket]:
    mine, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.callback(mine.close)
    theirs.callback(other.close)
    return mine, other


def _memory(ours: ExitStack) -> int:
    memory = os.memfd_create("roost", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    ours.callback(os.close, memory)
    return memory


def _fill(memory: int, content: bytes) -> None:
    with open(memory, "wb", buffering=0, closefd=False) as file:
        file.write(content)
        file.seek(0)  # the process reads on from the same place
    seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, seals)


def _content(plan: NodePlan, spec: SpawnSpec, token: int) -> bytes:
    """Return what it is to become.

    Raises:
        RestoreFailed: it needs another process than is parked.
    """
    entry, words = plan.entry, spec.argv[plan.entry.own_argv :]
    if not words or os.path.normpath(os.path.join(spec.cwd, words[0])) != entry.target:
        raise RestoreFailed("its command names another script")
    if spec.wants_stdin != plan.wants_stdin:
        raise RestoreFailed("it is spoken to in another way than the process that is parked")
    worked = {name for name in plan.env.keys() | spec.env.keys() if is_node_startup_name(name)}
    for name in sorted(worked.union(plan.reads)):
        if plan.env.get(name) != spec.env.get(name):
            raise RestoreFailed(f"{name} is not what it was when its standby was loaded")
    env = spec.env | mark_variables(spec.mark)
    if spec.handed is not None:
        env[TOKEN_VARIABLE] = str(token)
    command = spec.argv if entry.own_argv else (entry.interpreter, *entry.flags, *words)
    secret = {"env": env, "argv": words[1:], "command": command}
    try:
        return json.dumps(secret, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        # Node has no way to set such a variable but at its own start.
        raise RestoreFailed("a variable or an argument is no UTF-8 text") from None


def _limit(process: DriverProcess, spec: SpawnSpec) -> None:
    pid = process.display_pid
    assert pid is not None, "it is a process of this machine"
    for name, value in resource_limits(spec.limits):
        try:
            resource.prlimit(pid, getattr(resource, name), (value, value))
        except (OSError, ValueError) as error:
            raise RestoreFailed(f"its limit {name} cannot be set ({error})") from error
