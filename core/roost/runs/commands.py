"""`Commands`: commands as runs."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from roost.clock import Clock
from roost.errors import Refused, RoostError, ShuttingDown
from roost.models import ExecRequest, RunView
from roost.runs.command_order import CommandOrder, check_command, place_command, run_request
from roost.runs.command_output import StreamScrub
from roost.runs.live_command import CommandDriver, LiveCommand
from roost.runs.recorder import RunRecorder
from roost.runs.values import Ending, RunRequest

AT_ONCE = 32
"""Commands of one workspace that may run at once: far more than people begin, few enough that a
loop that begins them by mistake does not take the machine down."""

CLOSE_GRACE_PART = 0.4
"""Part of the time for a close that commands get between TERM and KILL; the rest is for the walk
and for the store."""

OWN_DIRECTORY = ".commands"
"""Name of a workspace's directory for its commands, beside those of its bundles."""

T = TypeVar("T")
logger = logging.getLogger(__name__)


class CommandScrub(Protocol):
    """Takes the secrets of one command out of what it says."""

    def text(self, text: str) -> str:
        """Return a text without them."""
        ...

    def stream(self) -> StreamScrub:
        """Return what takes them out of one stream."""
        ...


class Commands:
    """Runs commands, each in a process group of its own, and settles their runs.

    Args:
        driver: starts their processes.
        scrubber: returns what takes secrets out of output.
        base_env: what every child sees of the daemon's environment.
        state_dir: directory below which each workspace has its own.
        data_id: identity of the data directory, by which leftovers are found.
    """

    def __init__(
        self,
        recorder: RunRecorder,
        driver: CommandDriver,
        *,
        clock: Clock,
        scrubber: Callable[[tuple[str, ...]], CommandScrub],
        base_env: Mapping[str, str],
        state_dir: Path,
        data_id: str,
    ) -> None:
        self._recorder = recorder
        self._driver = driver
        self._clock = clock
        self._scrubber = scrubber
        self._base_env = dict(base_env)
        self._state_dir = state_dir
        self._data_id = data_id
        self._live: dict[str, LiveCommand] = {}
        self._counts: Counter[str] = Counter()
        """Commands begun or under way, by workspace."""
        self._beginnings: set[asyncio.Task[Any]] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_closing = False

    async def begin(self, workspace: str, request: ExecRequest, *, actor: str) -> RunView:
        """Begin a command, or return the run that its idempotency key has begun.

        Args:
            actor: who asks, as it stands in the run.

        Raises:
            BadInput, CommandNotFound, AlreadyActive, IdempotencyConflict, ShuttingDown: no run was
            begun.
            Refused: too many commands of the workspace run already; no run was begun.
        """
        if self._is_closing:
            raise ShuttingDown()
        check_command(request, self._scrubber(tuple(request.env.values())).text)
        asked = run_request(workspace, request, actor)
        known = await self._recorder.find_begun(asked)
        if known is not None:
            return known
        own = self._state_dir / workspace / OWN_DIRECTORY
        order = await asyncio.to_thread(place_command, request, self._base_env, own)
        # A client that goes away must not leave a row behind that nobody works on.
        return await asyncio.shield(self._own(self._begin(asked, order), self._beginnings))

    async def stop(self, workspace: str, run_id: str, *, by: str) -> bool:
        """Begin to stop a command under way; its run settles when its whole tree is gone.

        The command is signalled first and the stamp stored afterwards, so a store that is down
        keeps no command alive.

        Returns:
            False when it is none of these.
        """
        live = self._live.get(run_id)
        if live is None or live.run.workspace != workspace:
            return False
        live.interrupt(Ending.aborted("stopped", f"stopped by {by}"))
        await self._stamp(live.run, by)
        return True

    def is_working(self, run_id: str) -> bool:
        """Say whether somebody works on this run now."""
        return run_id in self._live

    async def close(self, grace_s: float) -> None:
        """Refuse new commands and end those under way.

        Args:
            grace_s: seconds until commands that do not settle are named in the log and left.
        """
        self._is_closing = True
        if self._beginnings:
            await asyncio.wait(set(self._beginnings))
        ending = Ending.aborted("daemon_stopped", "the daemon was stopped while it ran")
        for live in self._live.values():
            live.interrupt(ending, grace_s=grace_s * CLOSE_GRACE_PART)
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=grace_s)
        for run_id in self._live:
            logger.error("the command of run %s did not settle in %g s", run_id, grace_s)
        left = set(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _begin(self, asked: RunRequest, order: CommandOrder) -> RunView:
        if self._is_closing:
            raise ShuttingDown()
        self._take_place(asked.workspace)
        try:
            begun = await self._recorder.begin(asked)
        except BaseException:
            self._counts[asked.workspace] -= 1
            raise
        if not begun.is_new:
            self._counts[asked.workspace] -= 1
            return begun.run
        live = self._live[begun.run.id] = self._live_command(begun.run, order)
        self._own(self._perform(live), self._tasks)
        return begun.run

    def _take_place(self, workspace: str) -> None:
        if self._counts[workspace] >= AT_ONCE:
            raise Refused(
                f"{AT_ONCE} commands of workspace {workspace!r} run already; wait for one or stop "
                f"one (`roost runs -w {workspace}`), nothing was begun",
                workspace=workspace,
                at_once=AT_ONCE,
            )
        self._counts[workspace] += 1

    def _live_command(self, run: RunView, order: CommandOrder) -> LiveCommand:
        return LiveCommand(
            run,
            order,
            recorder=self._recorder,
            driver=self._driver,
            scrubbing=lambda secrets: self._scrubber(tuple(secrets)).stream,
            clock=self._clock,
            data_id=self._data_id,
        )

    async def _perform(self, live: LiveCommand) -> None:
        try:
            await live.perform()
        finally:
            del self._live[live.run.id]
            self._counts[live.run.workspace] -= 1

    async def _stamp(self, run: RunView, by: str) -> None:
        try:
            await self._recorder.request_stop(run.workspace, run.id, by=by)
        except RoostError as error:
            logger.warning("the stop of run %s by %s is not stamped: %s", run.id, by, error)

    def _own(self, work: Coroutine[Any, Any, T], among: set[asyncio.Task[Any]]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        among.add(task)
        task.add_done_callback(among.discard)
        return task
