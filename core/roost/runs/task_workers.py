"""`Workers`: the processes that have said which tasks they do."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from roost.errors import Refused
from roost.models import WorkerHello
from roost.runs.task_board import Key


@dataclass(slots=True, eq=False)
class Worker:
    """One process, known by its generation."""

    workspace: str
    bundle: str
    generation_id: str
    generation: int | None
    """Number of that generation, as runs show it."""
    slots: int
    tasks: tuple[str, ...]
    run_ids: set[str] = field(default_factory=set)
    """What it holds."""
    taken: set[str] = field(default_factory=set)
    """What is being claimed for it."""
    is_gone: bool = False

    @property
    def free(self) -> int:
        """How many more runs it may hold."""
        return max(0, self.slots - len(self.run_ids | self.taken))

    @property
    def keys(self) -> tuple[Key, ...]:
        """The tasks it does."""
        return tuple((self.workspace, task) for task in self.tasks)


ENDS_REMEMBERED = 1000
"""Generations of which is known that they have ended; a hello of an older one comes no more."""


class Workers:
    """Finds workers, and wakes those that wait for runs."""

    def __init__(self) -> None:
        self._workers: dict[str, Worker] = {}
        self._ended: deque[str] = deque(maxlen=ENDS_REMEMBERED)
        """A hello may be under way while the process that sent it ends."""
        self._waiting: set[asyncio.Event] = set()

    def welcome(
        self,
        workspace: str,
        bundle: str,
        generation_id: str,
        generation: int | None,
        hello: WorkerHello,
    ) -> Worker:
        """Take a worker in; one that has told its tasks before keeps what it holds.

        Raises:
            Refused: its process has ended meanwhile.
        """
        if generation_id in self._ended:
            raise Refused(f"this worker of {bundle!r} has ended; nothing is given to it any more")
        names = tuple(spec.name for spec in hello.tasks)
        worker = self._workers.get(generation_id)
        if worker is None:
            worker = Worker(workspace, bundle, generation_id, generation, hello.slots, names)
            self._workers[generation_id] = worker
        worker.slots, worker.tasks = hello.slots, names
        return worker

    def known(self, generation_id: str) -> Worker | None:
        """Return a worker, or None when it has not registered or is gone."""
        return self._workers.get(generation_id)

    def found(self, workspace: str, generation_id: str) -> Worker:
        """Return a worker of a workspace.

        Raises:
            Refused: it has not registered, or it is gone.
        """
        worker = self._workers.get(generation_id)
        if worker is None or worker.workspace != workspace:
            raise Refused("a worker has to tell its tasks before it claims runs of them")
        return worker

    def dismiss(self, generation_id: str) -> Worker | None:
        """Let a worker that has ended claim nothing any more."""
        self._ended.append(generation_id)
        worker = self._workers.pop(generation_id, None)
        if worker is not None:
            worker.is_gone = True
        return worker

    def of(self, key: Key) -> Iterator[Worker]:
        """Return the workers of a task."""
        return (worker for worker in self._workers.values() if key in worker.keys)

    def capacity(self, key: Key) -> int:
        """Return how many runs of a task its workers could hold, if they held no others."""
        return sum(worker.slots for worker in self.of(key))

    def let_go(self, run_id: str) -> None:
        """Take note that a run is held by nobody any more."""
        for worker in self._workers.values():
            worker.run_ids.discard(run_id)

    def wake(self) -> None:
        """Let every worker look again that waits for runs."""
        for event in self._waiting:
            event.set()

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """Return what `wake` sets from now on."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            yield event
        finally:
            self._waiting.discard(event)
