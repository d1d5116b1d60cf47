"""`TaskSubmits`: begins runs of tasks, or finds those that their keys have begun."""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from roost.errors import BadInput, QueueFull
from roost.models import (
    RunKind,
    RunTrigger,
    RunView,
    SubmitOutcome,
    SubmitRequest,
    SubmitState,
    TaskRow,
    WaitReason,
)
from roost.runs.recorder import RunRecorder
from roost.runs.task_board import TaskBoard
from roost.runs.task_checks import check_word, fit_input
from roost.runs.values import Begun, RunRequest

DERIVED = "task:"
"""How keys begin that are made of what was submitted."""

logger = logging.getLogger(__name__)


class TaskSubmits:
    """Takes what is to be done.

    Args:
        recorder: the ledger.
        board: knows how many wait.
        waits_of: says of a workspace and a task why a run of it would not be claimed at once.
    """

    def __init__(
        self,
        recorder: RunRecorder,
        board: TaskBoard,
        *,
        waits_of: Callable[[str, str], WaitReason | None],
    ) -> None:
        self._recorder = recorder
        self._board = board
        self._waits_of = waits_of
        self._clock = recorder.parts.clock
        self._warned: set[tuple[str, str]] = set()

    async def submit(
        self, row: TaskRow, request: SubmitRequest, *, actor: str, trigger: RunTrigger
    ) -> SubmitOutcome:
        """Begin a run of a task, or find the one that its key has begun.

        Raises:
            BadInput, AlreadyActive, IdempotencyConflict, QueueFull, ShuttingDown: no run was begun.
        """
        wanted = self._wanted(row, request, actor, trigger)
        warning = self._warning(row, request)
        known = None if request.anew else await self._recorder.find_begun(wanted)
        if known is not None:
            return _outcome(Begun(known, is_new=False), warning)
        with self._room(row):
            begin = self._recorder.begin(wanted, is_unknown=True)
            begun = await self._recorder.shielded(begin)
        return _outcome(begun, warning)

    async def again(self, row: TaskRow, run: RunView, given: Any, *, actor: str) -> RunView:
        """Begin a run with the input of another one, on behalf of who asks if that had a person.

        Raises:
            BadInput, AlreadyActive, QueueFull, ShuttingDown: no run was begun.
        """
        request = SubmitRequest(
            given, scope=run.scope, on_behalf=run.on_behalf_of is not None, anew=True
        )
        outcome = await self.submit(row, request, actor=actor, trigger=RunTrigger.USER)
        return outcome.run

    def _wanted(
        self, row: TaskRow, request: SubmitRequest, actor: str, trigger: RunTrigger
    ) -> RunRequest:
        workspace, task = row.workspace, row.spec.name
        if request.anew and request.idempotency_key is not None:
            raise BadInput("a run of its own has no key: give a key or `anew`, nothing was begun")
        self._check_words(row, request)
        owner = actor if request.on_behalf else None
        given = fit_input(self._recorder.parts.payloads, workspace, row.bundle, task, request.input)
        return RunRequest(
            workspace=workspace,
            kind=RunKind.TASK,
            title=task,
            input=given,
            bundle=row.bundle,
            trigger=trigger,
            scope=request.scope,
            created_by=actor,
            on_behalf_of=owner,
            idempotency_key=_key(task, request, given, owner),
            parent=request.parent,
            task=task,
            waits=self._waits_of(workspace, task),
        )

    def _check_words(self, row: TaskRow, request: SubmitRequest) -> None:
        words = {"scope": request.scope, "idempotency key": request.idempotency_key}
        for what, word in words.items():
            if word is None:
                continue
            check_word(what, word)
            if self._recorder.holds_secret(row.workspace, row.bundle, word):
                raise BadInput(f"the {what} holds a secret of {row.bundle!r}; take it out")

    @contextmanager
    def _room(self, row: TaskRow) -> Iterator[None]:
        """Hold a place in the queue while a run is being stored.

        Raises:
            QueueFull: there is none.
        """
        key = (row.workspace, row.spec.name)
        lane = self._board.lane(key)
        waiting = len(lane.waiting) + len(lane.suspended) + lane.arriving
        if waiting >= row.spec.queue_limit:
            retry_after_s = self._board.retry_after_s(key, self._clock.now())
            raise QueueFull(row.spec.name, waiting, retry_after_s)
        lane.arriving += 1
        try:
            yield
        finally:
            lane.arriving -= 1

    def _warning(self, row: TaskRow, request: SubmitRequest) -> str | None:
        """Tell once for each task and daemon start that its recovery waits for a person."""
        key = (row.workspace, row.spec.name)
        if not request.on_behalf or row.spec.recovery == "never" or key in self._warned:
            return None
        self._warned.add(key)
        warning = (
            f"the task {row.spec.name!r} is recovered by itself ({row.spec.recovery}), but its "
            "runs that act for a person are not: after a crash each waits until that person "
            "resumes it; declare recovery 'never' to let them fail instead"
        )
        logger.warning("%s: %s", row.workspace, warning)
        return warning


def _key(task: str, request: SubmitRequest, given: Any, owner: str | None) -> str:
    if request.anew:
        return secrets.token_hex(16)
    key = request.idempotency_key
    if key is None:
        compared = json.dumps([task, given, owner], sort_keys=True, separators=(",", ":"))
        return DERIVED + hashlib.sha256(compared.encode()).hexdigest()
    if owner is None or key.startswith(DERIVED):
        return key
    return f"{owner}:{key}"


def _outcome(begun: Begun, warning: str | None) -> SubmitOutcome:
    if begun.is_new:
        state = SubmitState.NEW
    elif begun.run.status.is_active:
        state = SubmitState.ATTACHED
    else:
        state = SubmitState.REPLAYED
    return SubmitOutcome(state, begun.run, warning)
