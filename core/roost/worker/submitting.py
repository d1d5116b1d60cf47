"""`submit` and `submit_async`: programs begin runs of tasks and wait for their end."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from roost.errors import QueueFull
from roost.sdk.patience import PATIENCE_S, patiently
from roost.sdk.place import find_place
from roost.sdk.post import Post
from roost.sdk.request import check_json
from roost.worker.checks import check_name
from roost.worker.post import TaskPost
from roost.worker.threads import in_thread

_FIRST_LOOK_S = 0.05
_LONGEST_LOOK_S = 1.0
"""Between two looks at a run: short tasks end within a tenth of a second, long ones in minutes."""

_ACTIVE = ("pending", "running")


@dataclass(frozen=True, slots=True)
class Wish:
    """A run to begin."""

    task: str
    input: Any = None
    scope: str | None = None
    key: str | None = None
    parent: str | None = None
    on_behalf: bool = False
    anew: bool = False

    def body(self) -> dict[str, Any]:
        """Return the request, which does no harm when it arrives twice.

        Raises:
            BadInput: the task has no name, or the input cannot be kept.
        """
        check_name("a task", self.task)
        check_json("input", self.input)
        own = f"sdk-{uuid.uuid4().hex}" if self.anew else None
        return {
            "input": self.input,
            "scope": self.scope,
            "idempotency_key": self.key or own,
            "parent": self.parent,
            "on_behalf": self.on_behalf,
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    run_id: str
    status: str
    """``succeeded``, ``failed`` or ``aborted``."""
    result: Any = None
    code: str | None = None
    """Why it did not succeed, for programs."""
    sentence: str | None = None
    """Why it did not succeed, for people."""

    @property
    def succeeded(self) -> bool:
        """Whether the work was done."""
        return self.status == "succeeded"


@dataclass(frozen=True, slots=True)
class Submitted:
    """A run of a task that was submitted, now or before under the same key."""

    run_id: str
    task: str
    key: str | None
    """Its idempotency key: submitting with it again finds the same run."""
    state: str
    """``new``, ``attached`` (it was active) or ``replayed`` (it had ended)."""
    warning: str | None = None
    """What the daemon has to say about the task."""
    _post: TaskPost | None = field(default=None, repr=False, compare=False)

    def wait(self, timeout_s: float | None = None) -> Outcome:
        """Wait for its end.

        Raises:
            TimeoutError: it has not ended after `timeout_s` seconds.
            RoostUnreachable: the daemon is gone.
        """
        for pause_s in pauses(timeout_s, time.monotonic):
            outcome = self._look()
            if outcome is not None:
                return outcome
            time.sleep(pause_s)
        raise TimeoutError(f"run {self.run_id} has not ended after {timeout_s} s")

    async def wait_async(self, timeout_s: float | None = None) -> Outcome:
        """Wait for its end in a program with an event loop; see `wait`."""
        return await in_thread(partial(self.wait, timeout_s), "roost-wait")

    def _look(self) -> Outcome | None:
        assert self._post is not None, "what a submit returns has it"
        return look_at(self._post, self.run_id)


def submit(
    task: str,
    input: Any = None,
    *,
    scope: str | None = None,
    key: str | None = None,
    on_behalf: bool = False,
    anew: bool = False,
    workspace: str | None = None,
    data_dir: str | None = None,
) -> Submitted:
    """Begin a run of a task, or find the one that the same task and input have begun.

    Args:
        task: its name.
        input: what the handler is given; anything that is JSON.
        scope: at most one run is active in a scope.
        key: idempotency key; None derives one from the task, the input and the owner.
        on_behalf: whether it acts for whoever runs this program, without whom it is not resumed.
        anew: whether it is a run of its own although the same input has had one.
        workspace: None takes the program's own, or the only one there is.
        data_dir: None takes the program's own, or the default one.

    Raises:
        RoostUnreachable: nobody answered.
        TaskNotFound, AlreadyActive, IdempotencyConflict, BadInput: no run was begun.
        QueueFull: nor was one here; `details` has `retry_after_s`.
    """
    wish = Wish(task, input, scope, key, None, on_behalf, anew)
    return submit_by(TaskPost(Post(find_place(workspace, data_dir))), wish)


async def submit_async(
    task: str,
    input: Any = None,
    *,
    scope: str | None = None,
    key: str | None = None,
    on_behalf: bool = False,
    anew: bool = False,
    workspace: str | None = None,
    data_dir: str | None = None,
) -> Submitted:
    """Begin a run of a task from a program with an event loop; see `submit`."""
    work = partial(
        submit,
        task,
        input,
        scope=scope,
        key=key,
        on_behalf=on_behalf,
        anew=anew,
        workspace=workspace,
        data_dir=data_dir,
    )
    return await in_thread(work, "roost-submit")


def submit_by(post: TaskPost, wish: Wish) -> Submitted:
    """Make a wish; raises as `submit` does."""
    body = wish.body()
    told = patiently(lambda: _answer(post, wish.task, body), "the run", PATIENCE_S)
    if isinstance(told, QueueFull):
        raise told
    run = told["run"]
    return Submitted(
        run_id=run["id"],
        task=wish.task,
        key=run["idempotency_key"],
        state="new" if wish.anew else told["state"],
        warning=told["warning"],
        _post=post,
    )


def look_at(post: TaskPost, run_id: str) -> Outcome | None:
    """Return how a run ended; None while it goes on.

    Raises:
        RoostUnreachable: nobody answers.
        RunNotFound: there is no such run.
    """
    detail = patiently(partial(post.run, run_id), "a look at a run", PATIENCE_S)
    run, error = detail["run"], detail["run"]["error"] or {}
    if run["status"] in _ACTIVE:
        return None
    return Outcome(
        run_id, run["status"], detail["result"], error.get("code"), error.get("sentence")
    )


def pauses(timeout_s: float | None, monotonic: Callable[[], float]) -> Iterator[float]:
    """Give the pauses between looks; the last look is one after the time is over."""
    deadline = None if timeout_s is None else monotonic() + timeout_s
    pause_s, is_last = _FIRST_LOOK_S, False
    while not is_last:
        left_s = pause_s if deadline is None else deadline - monotonic()
        is_last = left_s <= 0
        yield max(0.0, min(pause_s, left_s))
        pause_s = min(pause_s * 2, _LONGEST_LOOK_S)


def _answer(post: TaskPost, task: str, body: dict[str, Any]) -> dict[str, Any] | QueueFull:
    """Submit; a full queue is an answer, not a reason to ask again at once."""
    try:
        return post.submit(task, body)
    except QueueFull as full:
        return full
