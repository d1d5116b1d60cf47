"""What a run is begun with and how it ends, as callers hand it to the recorder."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from roost.models import RunError, RunKind, RunStatus, RunTrigger, RunView, WaitReason


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run to begin."""

    workspace: str
    kind: RunKind
    title: str
    input: Any = None
    bundle: str | None = None
    tool: str | None = None
    trigger: RunTrigger = RunTrigger.USER
    scope: str | None = None
    created_by: str = ""
    on_behalf_of: str | None = None
    idempotency_key: str | None = None
    parent: str | None = None
    """Active run of the same workspace that begins it."""
    lease_ms: int | None = None
    """How long a report of outside work holds its lease; None for work of the daemon itself."""
    asked: Any = None
    """What an idempotency key is compared by, where less than it is kept as `input`."""
    task: str | None = None
    """Task that it is a run of; its input is kept as it is."""
    waits: WaitReason | None = None
    """Why no worker begins it yet."""

    @property
    def input_hash(self) -> str:
        """Hash of what is asked for, equal for equal input in any order of keys."""
        given = self.input if self.asked is None else self.asked
        compared = [self.kind, self.bundle, self.tool, given]
        if self.task is not None:  # another bundle may offer it by the time the key is used again
            compared = [self.kind, self.task, self.on_behalf_of, given]
        canonical = json.dumps(compared, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Begun:
    """The run of a request; `is_new` is false when its key had begun it earlier."""

    run: RunView
    is_new: bool


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ends."""

    status: RunStatus
    error: RunError | None = None
    result: Any = None
    link: str | None = None
    """Where the output lies; None leaves what was told before."""

    @classmethod
    def failed(cls, code: str, sentence: str, result: Any = None) -> Ending:
        """The work did not succeed."""
        return cls(RunStatus.FAILED, RunError(code, sentence), result)

    @classmethod
    def aborted(cls, code: str, sentence: str) -> Ending:
        """The work was ended from outside."""
        return cls(RunStatus.ABORTED, RunError(code, sentence))


class Settlement(StrEnum):
    """What came of writing the end of a run."""

    SETTLED = "settled"
    """The run has ended as asked."""
    EARLIER = "earlier"
    """An earlier end stands, or the run belongs to another daemon by now."""
    KEPT = "kept"
    """The store does not answer. The run is not settled; its end is kept and written later."""


@dataclass(frozen=True, slots=True)
class FinalWrite:
    """The terminal write of one run, ready to be stored: scrubbed, cut and stamped."""

    run_id: str
    workspace: str
    scope: str | None
    at: int
    status: RunStatus
    error: RunError | None = None
    result: Any = None
    is_truncated: bool = False
    link: str | None = None
    lapsed_at: int | None = None
    """When the run's lease must have run out for this end to hold; None for every other end."""
