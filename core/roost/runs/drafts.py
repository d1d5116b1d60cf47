"""`Drafts`: rows of runs as they are stored: with an id, a time, and nothing unfit to be kept."""

from __future__ import annotations

import secrets
from dataclasses import replace

from roost.clock import Clock
from roost.models import NewRun, RunError, RunProgress, RunStatus, RunView
from roost.models.record import WAITING_OWNER
from roost.runs.ids import RunIds
from roost.runs.payload import MESSAGE_LIMIT, SENTENCE_LIMIT, Payloads
from roost.runs.values import Ending, FinalWrite, RunRequest

FIRST_EPOCH = 1
"""Epoch of the lease of a run's first attempt."""

STARTED_SEQ = 1
"""Number of the event that says that outside work is running, stored with its row."""


def outside_owner() -> str:
    """Return a new owner of a lease that a program outside takes."""
    return f"outside-{secrets.token_hex(8)}"


class Drafts:
    """Turns what callers hand in into what is stored.

    Args:
        owner: lease owner of new runs that the daemon itself does.
    """

    def __init__(self, *, owner: str, clock: Clock, payloads: Payloads) -> None:
        self._owner = owner
        self._clock = clock
        self._payloads = payloads
        self._ids = RunIds(clock)

    def new_run(self, request: RunRequest) -> NewRun:
        """Return the row of a request: pending, or running when a program outside does the work.

        Of an input past the limit only the beginning is recorded; the work gets all of it. The
        input of a task is what its worker will be given, and was found fit to be kept.
        """
        now = self._clock.now()
        view = RunView(
            id=self._ids.next(),
            workspace=request.workspace,
            kind=request.kind,
            status=RunStatus.PENDING,
            title=request.title,
            created_at=now,
            bundle=request.bundle,
            tool=request.tool,
            trigger=request.trigger,
            scope=request.scope,
            created_by=request.created_by,
            on_behalf_of=request.on_behalf_of,
            idempotency_key=request.idempotency_key,
            parent=request.parent,
            task=request.task,
            waits=request.waits,
        )
        if request.task is not None:
            waiting = WAITING_OWNER, FIRST_EPOCH - 1, request.input_hash
            return NewRun(view, request.input, *waiting)
        kept, _ = self._payloads.value(request.workspace, request.bundle, request.input)
        if request.lease_ms is None:
            return NewRun(view, kept, self._owner, FIRST_EPOCH, request.input_hash)
        running = replace(
            view,
            status=RunStatus.RUNNING,
            started_at=now,
            last_progress_at=now,
            lease_until=now + request.lease_ms,
            last_seq=STARTED_SEQ,
        )
        owner = outside_owner()
        return NewRun(running, kept, owner, FIRST_EPOCH, request.input_hash, request.lease_ms)

    def step(self, view: RunView, progress: RunProgress) -> tuple[str, RunProgress | None]:
        """Return the message and the progress of a step."""
        kept = self._payloads.progress(view.workspace, view.bundle, progress)
        if kept is not None:
            return kept.message or "", kept
        message = progress.message or ""
        return self._payloads.text(view.workspace, view.bundle, message, MESSAGE_LIMIT), None

    def output(self, view: RunView, text: str) -> str:
        """Return a piece of output."""
        return self._payloads.text(view.workspace, view.bundle, text, MESSAGE_LIMIT)

    def outputs(self, view: RunView, text: str) -> list[str]:
        """Return output as pieces of the size that an event has."""
        kept = self._payloads.text(view.workspace, view.bundle, text, len(text) + MESSAGE_LIMIT)
        return [kept[at : at + MESSAGE_LIMIT] for at in range(0, len(kept), MESSAGE_LIMIT)]

    def link(self, view: RunView, link: str) -> str:
        """Return where output lies."""
        return self._payloads.text(view.workspace, view.bundle, link, len(link))

    def final_write(self, view: RunView, ending: Ending) -> FinalWrite:
        """Return the terminal write of a run."""
        result, is_truncated = self._payloads.value(view.workspace, view.bundle, ending.result)
        return FinalWrite(
            run_id=view.id,
            workspace=view.workspace,
            scope=view.scope,
            at=self._clock.now(),
            status=ending.status,
            error=ending.error and self.error(view, ending.error),
            result=result,
            is_truncated=is_truncated,
            link=ending.link,
        )

    def error(self, view: RunView, error: RunError) -> RunError:
        """Return why a run, or an attempt at it, did not succeed."""
        text = self._payloads.text(view.workspace, view.bundle, error.sentence, SENTENCE_LIMIT)
        return RunError(error.code, text)
