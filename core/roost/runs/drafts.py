"""`Drafts`: rows of runs as they are stored: with an id, a time, and nothing unfit to be kept."""

from __future__ import annotations

from roost.clock import Clock
from roost.models import NewRun, RunError, RunStatus, RunView
from roost.runs.ids import RunIds
from roost.runs.payload import SENTENCE_LIMIT, Payloads
from roost.runs.values import Ending, FinalWrite, RunRequest

FIRST_EPOCH = 1
"""Epoch of the lease of a run's first attempt."""


class Drafts:
    """Turns what callers hand in into what is stored.

    Args:
        owner: lease owner of new runs.
    """

    def __init__(self, *, owner: str, clock: Clock, payloads: Payloads) -> None:
        self._owner = owner
        self._clock = clock
        self._payloads = payloads
        self._ids = RunIds(clock)

    def new_run(self, request: RunRequest) -> NewRun:
        """Return the pending row of a request.

        Of an input past the limit only the beginning is recorded; the work gets all of it.
        """
        view = RunView(
            id=self._ids.next(),
            workspace=request.workspace,
            kind=request.kind,
            status=RunStatus.PENDING,
            title=request.title,
            created_at=self._clock.now(),
            bundle=request.bundle,
            tool=request.tool,
            trigger=request.trigger,
            scope=request.scope,
            created_by=request.created_by,
            on_behalf_of=request.on_behalf_of,
            idempotency_key=request.idempotency_key,
        )
        kept, _ = self._payloads.value(request.workspace, request.bundle, request.input)
        return NewRun(view, kept, self._owner, FIRST_EPOCH, request.input_hash)

    def final_write(self, view: RunView, ending: Ending) -> FinalWrite:
        """Return the terminal write of a run."""
        result, is_truncated = self._payloads.value(view.workspace, view.bundle, ending.result)
        return FinalWrite(
            run_id=view.id,
            workspace=view.workspace,
            scope=view.scope,
            at=self._clock.now(),
            status=ending.status,
            error=ending.error and self._error(view, ending.error),
            result=result,
            is_truncated=is_truncated,
        )

    def _error(self, view: RunView, error: RunError) -> RunError:
        text = self._payloads.text(view.workspace, view.bundle, error.sentence, SENTENCE_LIMIT)
        return RunError(error.code, text)
