"""`SyncTaskContext`: what an ordinary handler is given, which runs in a thread of its own."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from roost.errors import BadInput
from roost.sdk.outbox import Item
from roost.sdk.told import ROOM_LOOK_S
from roost.worker import journal
from roost.worker.earlier import EarlierEvent, earlier_events
from roost.worker.failures import StepFailed
from roost.worker.submitting import Outcome, Submitted, Wish, look_at, pauses, submit_by
from roost.worker.telling import Telling

P = ParamSpec("P")
T = TypeVar("T")


class SyncTaskContext(Telling):
    """The run of an ordinary handler: as `TaskContext`, without ``await``."""

    def step(self, name: str, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Do a named step once; see `TaskContext.step`."""
        self._check()
        memo = self._journal.open(name)
        if memo is not None:
            return memo.value  # type: ignore[no-any-return]  # what it returned then
        self._note_interruption(name)
        self._keep(journal.started(name))
        try:
            value = function(*args, **kwargs)
            _refuse_awaitable(name, value)
            kept, item = journal.done(name, value)
        except Exception as error:
            self._tell(journal.failed(name, error))
            raise
        self._store(name, item)
        return kept  # type: ignore[no-any-return]  # the value, as JSON has it

    def emit(self, name: str, data: Any = None) -> None:
        """Tell an event of the task's own making; waits for room while the daemon is away."""
        self._put(self._emission(name, data))

    def progress(
        self, current: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Tell how far the work is."""
        self._put(self._progress(current, total, message))

    def output(self, text: str) -> None:
        """Tell a line of output."""
        self._wait_for_room()
        self._say(text)

    def link(self, url: str) -> None:
        """Tell where the output lies."""
        self._put(self._link(url))

    def earlier_events(self) -> tuple[EarlierEvent, ...]:
        """Return what earlier attempts told, oldest first, as far as it is kept."""
        self._check()
        return earlier_events(self._post.run(self.run_id), self._claimed.lease.last_seq)

    def submit(
        self,
        task: str,
        input: Any = None,
        *,
        scope: str | None = None,
        key: str | None = None,
        on_behalf: bool = False,
        anew: bool = False,
    ) -> Submitted:
        """Begin a run of a task as a child of this run; see `TaskContext.submit`."""
        self._check()
        wish = Wish(task, input, scope, key, self.run_id, on_behalf, anew)
        return submit_by(self._post, wish)

    def wait(self, run: Submitted | str, *, timeout_s: float | None = None) -> Outcome:
        """Wait for the end of a run, such as a child; see `TaskContext.wait`."""
        run_id = run if isinstance(run, str) else run.run_id
        for pause_s in pauses(timeout_s, time.monotonic):
            self._check()
            outcome = look_at(self._post, run_id)
            if outcome is not None:
                return outcome
            time.sleep(pause_s)
        raise TimeoutError(f"run {run_id} has not ended after {timeout_s} s")

    def _put(self, item: Item | None) -> None:
        self._wait_for_room()
        if item is not None:
            self._tell(item)

    def _wait_for_room(self) -> None:
        self._check()
        while self._courier.outbox.is_full and not self._courier.is_over:
            self._courier.outbox.wait_for_room(ROOM_LOOK_S)
        self._courier.check()

    def _store(self, name: str, item: Item) -> None:
        try:
            self._keep(item)
        except BadInput as error:
            raise StepFailed(name, error.message) from error

    def _keep(self, item: Item) -> None:
        """Tell something and wait until it is stored."""
        self._courier.check()
        outbox, number = self._courier.outbox, self._tell(item, is_urgent=True)
        while not outbox.wait_for_arrival(number, ROOM_LOOK_S):
            self._courier.check()


def _refuse_awaitable(name: str, value: object) -> None:
    if inspect.iscoroutine(value):
        value.close()
        raise StepFailed(
            name, "its function is an async one; make the handler an `async def` and await the step"
        )
