"""`LocalDriver`: processes of this machine.

Ownership of a child begins before `spawn` returns: it is in the registry, the watchdog knows it,
and its end is watched. It ends when `stop` has found that nothing of its tree is left. `close` ends
what is still owned, so nothing outlives an orderly daemon; the watchdog ends what a dead one
leaves, and `sweep` at the next start what both left.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import subprocess
from collections.abc import Callable
from functools import partial

from roost.drivers.adopted import AdoptedWatch, ForkedProcess
from roost.drivers.base import DriverProcess, Mark, Measurement, SpawnSpec, SweepReport
from roost.drivers.exits import ExitWatch, OnExit, watch_exit
from roost.drivers.handed import TOKEN_VARIABLE, handed
from roost.drivers.ladder import Ladder, LeaderGone
from roost.drivers.limits import allow_cores, forbid_cores, limited_argv
from roost.drivers.meter import TreeMeter
from roost.drivers.pipes import ChildEnds
from roost.drivers.process import LocalProcess
from roost.drivers.proctable import MARK_VARIABLE, Identity, ProcessTable
from roost.drivers.reaper import OrphanReaper
from roost.drivers.tree import ProcessTree
from roost.drivers.watchdog import Watchdog
from roost.errors import BadInput, CommandNotFound, Unavailable

_NO_PROGRAM = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOEXEC, errno.ENOTDIR, errno.ELOOP)
"""How the system says that there is nothing to execute."""

SWEEP_GRACE_S = 2.0
"""From TERM to KILL for leftovers: nobody waits for their answers any more."""

CLOSE_GRACE_S = 0.5
"""From TERM to KILL for trees that are still owned when the driver closes."""

ORPHAN_LOOK_AGE_S = 1.0
"""The orphan count is a display figure; a table this old will do."""


class LocalDriver:
    """Starts, watches and stops process trees of this machine.

    Args:
        data_id: identity of the data directory; the first half of every mark.
        watchdog: opened and closed with the driver.
        kill_bound_s: seconds after which processes that KILL does not end count as survivors.
        table: the process table; None reads this machine's.
    """

    def __init__(
        self,
        data_id: str,
        *,
        watchdog: Watchdog,
        kill_bound_s: float = 5.0,
        table: ProcessTable | None = None,
    ) -> None:
        self._data_id = data_id
        self._watchdog = watchdog
        self._kill_bound_s = kill_bound_s
        self._table = table or ProcessTable()
        self._meter = TreeMeter(data_id)
        self._measuring = asyncio.Lock()
        """Held while a thread uses the meter."""
        self._owned: dict[int, LocalProcess] = {}
        self._survivors: set[Identity] = set()
        self._reaper = OrphanReaper(self._table, is_owned=self._is_owned, is_ours=self._is_ours)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._cores_before: tuple[int, int] | None = None
        """The limit of cores before it was lowered."""

    async def open(self) -> None:
        """Become the parent of orphans and start the watchdog; call it in the main thread."""
        self._loop = asyncio.get_running_loop()
        self._cores_before = forbid_cores()
        self._reaper.open(self._loop)
        self._watchdog.open()

    async def close(self) -> None:
        """End every tree that is still owned, then dismiss the watchdog."""
        owned = tuple(self._owned.values())
        await asyncio.gather(*(p.stop(CLOSE_GRACE_S, eof_first=False) for p in owned))
        self._reaper.close()
        await self._watchdog.close()
        allow_cores(self._cores_before)
        self._cores_before = None

    def spawn(self, spec: SpawnSpec) -> LocalProcess:
        """Start a process in a session of its own; ownership begins before this returns.

        Raises:
            CommandNotFound: the program does not exist or cannot be executed.
            BadInput: the working directory does not exist, a value holds a null byte, or a limit
                is higher than may be set.
            Unavailable: the machine has no room for another process.
        """
        try:
            child = _start(spec)
        except (OSError, ValueError) as error:
            raise _translated(error, spec) from error
        try:
            return self._own(
                child.pid,
                mark_text(spec.mark),
                _ends(child),
                partial(watch_exit, child, self._up()),
            )
        except BaseException as error:
            _abandon(child)
            if isinstance(error, OSError):
                raise _translated(error, spec) from error
            raise

    def adopt(self, forked: ForkedProcess, mark: Mark) -> LocalProcess:
        """Own a process that one of ours has forked; ownership begins before this returns.

        It leads a session of its own, or is about to. It becomes our own child when its parent
        ends, which can be while this process owns it.

        Raises:
            Unavailable: there is no room to watch it; nothing of it is owned then.
        """
        try:
            return self._own(
                forked.pid, mark_text(mark), forked.ends, partial(AdoptedWatch, forked, self._up())
            )
        except OSError as error:
            raise Unavailable(
                f"process {forked.pid} cannot be watched ({error.strerror}); stop something or "
                "raise the daemon's limits, then try again"
            ) from error

    def hand_over(self, process: DriverProcess, ends: ChildEnds | None, mark: Mark) -> LocalProcess:
        """Let a process of ours be another start's from now on; it is owned all the while.

        Args:
            process: what `spawn` returned; it is connected once more afterwards.
            ends: our ends of the pipes that it is about to take for its own; None where it goes on
                with those of its spawn.
            mark: the other start's; the process shows and passes on that one.

        Raises:
            Unavailable: it has ended, or is being ended; the ends are still the caller's.
        """
        if not isinstance(process, LocalProcess):
            raise TypeError(f"{process!r} was not started by this driver")
        text, identity = mark_text(mark), process.identity
        if not process.hand_over(text, self._tree(identity, text), ends):
            raise Unavailable(f"process {identity.pid} has ended; start another one")
        self._watchdog.add(identity, text)
        return process

    async def connect(self, process: DriverProcess) -> None:
        """Attach the process's pipes to the running loop; called once right after `spawn`."""
        if not isinstance(process, LocalProcess):
            raise TypeError(f"{process!r} was not started by this driver")
        await process.connect()

    async def sweep(self, handles: tuple[str, ...]) -> SweepReport:
        """End what an earlier daemon of this data directory left behind.

        Its leaders are known by `handles`, the rest by its mark. A handle of another boot or of a
        process whose pid somebody else has now is ignored.
        """
        ladder = Ladder(
            self._leftovers(handles),
            self._table,
            eof_wait_s=0.0,
            grace_s=SWEEP_GRACE_S,
            kill_bound_s=self._kill_bound_s,
            leader_gone=LeaderGone(),
        )
        ending = await ladder.walk()
        for pid in ending.survivors:
            if identity := self._table.identify(pid):
                self._survivors.add(identity)
        return SweepReport(ending.ended, ending.survivors)

    async def measure(self) -> Measurement:
        """Measure all trees in one pass over the process table, in a thread."""
        async with self._measuring:
            owned = {process.identity: process for process in self._owned.values()}
            leaders = {identity: process.mark for identity, process in owned.items()}
            spared = self._spared_by_all()
            found = await asyncio.to_thread(self._meter.measure, leaders, spared)
        for leader, members in found.members.items():
            owned[leader].tree.notice(members, found.snapshot)
        figures = {owned[leader].handle: figures for leader, figures in found.figures.items()}
        return Measurement(figures, self._orphans_if(found.may_have_orphans), found.cost_s)

    def _orphans_if(self, is_suspected: bool) -> tuple[int, ...]:
        """Look closer only on suspicion: a look for orphans asks every tree for its members."""
        unended = any(process.has_survivors for process in self._owned.values())
        return self.orphans() if is_suspected or unended or self._survivors else ()

    def orphans(self) -> tuple[int, ...]:
        """Return pids of living processes of this data directory that nobody supervises.

        These survived a stop or a sweep, carry our mark outside every owned tree, or were adopted
        after they had left their tree and cleared their environment.
        """
        left = {entry.pid for entry in self._leftovers(()).living(ORPHAN_LOOK_AGE_S)}
        adopted = {entry.pid for entry in self._reaper.adopted()} - self._supervised()
        unended = {pid for process in self._owned.values() for pid in process.survivors()}
        self._survivors = {s for s in self._survivors if self._table.holds(s)}
        swept = {identity.pid for identity in self._survivors}
        return tuple(sorted(left | adopted | unended | swept))

    def _up(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError("processes are started by an open driver")
        return self._loop

    def _own(
        self, pid: int, mark: str, ends: ChildEnds, begin_watch: Callable[[OnExit], ExitWatch]
    ) -> LocalProcess:
        identity = self._table.identify(pid)
        if identity is None:
            raise RuntimeError("a child stays in the process table until it is reaped")
        process = LocalProcess(
            begin_watch,
            ends,
            identity,
            mark,
            self._tree(identity, mark),
            self._table,
            loop=self._up(),
            kill_bound_s=self._kill_bound_s,
            on_released=self._disown,
        )
        self._owned[identity.pid] = process
        self._watchdog.add(identity, mark)
        return process

    def _tree(self, leader: Identity, mark: str) -> ProcessTree:
        return ProcessTree(
            self._table,
            [leader],
            owns_mark=mark.__eq__,
            spared=partial(self._spared_by_tree, leader.pid),
        )

    def _disown(self, process: LocalProcess) -> None:
        del self._owned[process.identity.pid]
        self._watchdog.remove(process.identity)
        self._reaper.entrust(process.identity)

    def _leftovers(self, handles: tuple[str, ...]) -> ProcessTree:
        return ProcessTree(
            self._table, _identities(handles), owns_mark=self._is_ours, spared=self._supervised
        )

    def _is_ours(self, mark: str) -> bool:
        return mark.startswith(f"{self._data_id}/")

    def _supervised(self) -> set[int]:
        """Return the pids of the daemon, the watchdog and every member of an owned tree."""
        members = (process.tree.living(ORPHAN_LOOK_AGE_S) for process in self._owned.values())
        return {e.pid for tree in members for e in tree} | set(self._owned) | self._spared_by_all()

    def _spared_by_all(self) -> set[int]:
        watchdog = self._watchdog.pid
        return {os.getpid()} if watchdog is None else {os.getpid(), watchdog}

    def _spared_by_tree(self, leader: int) -> set[int]:
        """Return what never belongs to a leader's tree: also the leaders that it has forked."""
        return (set(self._owned) - {leader}) | self._spared_by_all()

    def _is_owned(self, pid: int) -> bool:
        return pid in self._owned or pid == self._watchdog.pid


def mark_text(mark: Mark) -> str:
    """Return a mark as it stands in the environment: ``<data_id>/<generation_id>``."""
    return f"{mark.data_id}/{mark.generation_id}"


def _start(spec: SpawnSpec) -> subprocess.Popen[bytes]:
    if not spec.argv:
        raise ValueError("the command is empty")
    with handed(spec.handed) as descriptor:
        told = {} if descriptor is None else {TOKEN_VARIABLE: str(descriptor)}
        return subprocess.Popen(
            limited_argv(spec),
            env=spec.env | mark_variables(spec.mark) | told,
            cwd=spec.cwd,
            stdin=subprocess.PIPE if spec.wants_stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            close_fds=True,
            pass_fds=spec.inherited if descriptor is None else (*spec.inherited, descriptor),
            bufsize=0,
        )


def _ends(child: subprocess.Popen[bytes]) -> ChildEnds:
    assert child.stdout is not None and child.stderr is not None
    return ChildEnds(child.stdin, child.stdout, child.stderr)


def mark_variables(mark: Mark) -> dict[str, str]:
    """Return what a child's environment tells about its owner."""
    return {
        MARK_VARIABLE: mark_text(mark),
        "ROOST_WORKSPACE": mark.workspace,
        "ROOST_BUNDLE": mark.bundle,
    }


def _abandon(child: subprocess.Popen[bytes]) -> None:
    """End a child that could not be taken into ownership."""
    child.kill()
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()
    child.wait()


def _translated(error: OSError | ValueError, spec: SpawnSpec) -> BadInput | Unavailable:
    command = spec.argv[0] if spec.argv else ""
    if isinstance(error, ValueError):
        sentence = f"{command!r} cannot be started: {error}. Correct the command"
        return BadInput(sentence, command=command)
    if error.filename == spec.cwd:
        return BadInput(
            f"{command!r} cannot be started in {spec.cwd!r} ({error.strerror}); create that "
            "directory or choose another one",
            command=command,
        )
    if error.errno in _NO_PROGRAM:
        return CommandNotFound(command)
    if error.errno == errno.E2BIG:
        return BadInput(
            f"{command!r} cannot be started: its arguments and environment together are too long; "
            "shorten them",
            command=command,
        )
    return Unavailable(
        f"the machine could not start {command!r} ({error.strerror}); stop something or raise its "
        "limits, then try again",
        command=command,
    )


def _identities(handles: tuple[str, ...]) -> list[Identity]:
    found = []
    for handle in handles:
        # What cannot be read names no process of ours; the mark finds it nevertheless.
        with contextlib.suppress(ValueError):
            found.append(Identity.from_values(json.loads(handle)))
    return found
