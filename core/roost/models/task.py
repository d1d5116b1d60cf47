"""Durable tasks: what workers offer, what is submitted, and what a worker and the daemon tell."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from roost.models.run import RunError, RunProgress, RunStatus, RunView


class Recovery(StrEnum):
    """What becomes of a run whose worker ended in the middle of it."""

    RESUME = "resume"
    """Another attempt, which is given the results of the steps that were done."""
    RERUN = "rerun"
    """Another attempt from the beginning: the journal is emptied."""
    NEVER = "never"
    """It fails."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Further attempts after an error that the task declares transient."""

    attempts: int = 0
    """How many at most; 0 means none."""
    first_s: float = 1.0
    """Seconds before the first one; every further pause is twice as long, with 20 % jitter."""
    longest_s: float = 60.0


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """A task as its worker declares it."""

    name: str
    description: str = ""
    recovery: Recovery = Recovery.RESUME
    age_limit_s: float | None = None
    """A run begun longer ago is not recovered; 0 means never, None means any age is."""
    retry: RetryPolicy = RetryPolicy()
    slots: int | None = None
    """Runs of it under way at a time, over all workers; None means as many as workers take."""
    queue_limit: int = 1000
    """Runs of it that may wait; a submit beyond it is refused and told when to try again."""


class MissedFires(StrEnum):
    """What becomes of fires whose time passed while no daemon ran or the schedule was paused."""

    SKIP = "skip"
    ONCE = "once"
    """One run for all of them, with the newest fire's time."""
    ALL = "all"
    """One run for each, the newest 100 at most."""


@dataclass(frozen=True, slots=True)
class ScheduleSpec:
    """When a task is submitted by itself."""

    name: str
    task: str
    cron: str
    """Five fields: minute, hour, day of month, month, day of week."""
    timezone: str = "UTC"
    """Name of the IANA database."""
    input: Any = None
    missed: MissedFires = MissedFires.SKIP


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """A schedule as one row. Times are epoch milliseconds."""

    workspace: str
    spec: ScheduleSpec
    bundle: str | None = None
    """Worker that declares it; None for one that an operator made."""
    is_paused: bool = False
    next_at: int | None = None
    """None while it is paused, disabled, or its task is not known."""
    last_at: int | None = None
    last_run: str | None = None
    failures: int = 0
    """Runs of it that failed in a row, and fires that could not be submitted."""
    disabled: RunError | None = None
    """Why it fires no more until an operator resumes it."""


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task as one row: what it is, and how its runs stand."""

    workspace: str
    bundle: str
    spec: TaskSpec
    workers: int = 0
    """Worker processes that take its runs now."""
    waiting: int = 0
    running: int = 0
    suspended: int = 0
    """Runs that wait for the person they act for."""


class WaitReason(StrEnum):
    """Why a run of a task is pending."""

    WORKER = "worker"
    """No worker of its task is ready."""
    SLOT = "slot"
    """Every slot of the task or of its workers is taken."""
    RETRY = "retry"
    """It failed with an error declared transient, and is tried again at `available_at`."""
    USER = "user"
    """Its worker ended, and it acts for a person who has to resume it."""


@dataclass(frozen=True, slots=True)
class SubmitRequest:
    """A run of a task to begin."""

    input: Any = None
    scope: str | None = None
    idempotency_key: str | None = None
    """None derives one from the task's name, the input and the owner."""
    parent: str | None = None
    on_behalf: bool = False
    """Whether it acts for whoever asks, by the identity of the caller's socket or token."""
    anew: bool = False
    """Whether it is a run of its own although one with the same input exists; it needs no key."""


class SubmitState(StrEnum):
    """What a submit found."""

    NEW = "new"
    ATTACHED = "attached"
    """The run with this key is still active."""
    REPLAYED = "replayed"
    """The run with this key has settled."""


@dataclass(frozen=True, slots=True)
class SubmitOutcome:
    """What a submit came to; the run holds its idempotency key."""

    state: SubmitState
    run: RunView
    warning: str | None = None
    """Told once for each task and daemon start."""


@dataclass(frozen=True, slots=True)
class WorkerHello:
    """What a worker says of itself once its module is loaded."""

    tasks: tuple[TaskSpec, ...]
    schedules: tuple[ScheduleSpec, ...] = ()
    slots: int = 4
    """Runs that it does at a time."""


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker that has registered."""

    workspace: str
    bundle: str
    generation_id: str
    slots: int
    tasks: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    """What an operator should know, such as a task that another bundle offered before."""


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """A worker's wish for runs."""

    free: int
    """How many it could begin now."""
    wait_s: float = 20.0
    """How long it waits for one, 30 s at most."""


class StepState(StrEnum):
    """State of one named step of a run."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One named step of a run, as the journal keeps it. Times are epoch milliseconds."""

    name: str
    state: StepState
    attempt: int
    """The attempt that began it last."""
    started_at: int
    ended_at: int | None = None
    value: Any = None
    """What it returned. Views show it scrubbed; its handler gets it as it was."""
    was_interrupted: bool = False
    """Whether an earlier attempt ended in the middle of it."""


@dataclass(frozen=True, slots=True)
class JournalWrite:
    """What a handler tells of a named step."""

    name: str
    state: StepState
    value: Any = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Emission:
    """An event of the handler's own making."""

    name: str
    data: Any = None


@dataclass(frozen=True, slots=True)
class ClaimedRun:
    """A run that a worker has claimed: everything its handler needs."""

    run: RunView
    epoch: int
    lease_ms: int
    """Without a report for this long the lease is lost."""
    input: Any
    journal: tuple[JournalEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskReport:
    """What a handler tells, in one write: any of it may be absent; empty is a heartbeat."""

    epoch: int
    journal: tuple[JournalWrite, ...] = ()
    steps: tuple[RunProgress, ...] = ()
    emissions: tuple[Emission, ...] = ()
    output: str | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True)
class TaskEnd:
    """How an attempt ended."""

    epoch: int
    status: RunStatus
    """``succeeded``, ``failed`` or ``aborted``."""
    result: Any = None
    error: RunError | None = None
    link: str | None = None
    is_transient: bool = False
    """Whether the task declares the error transient: it is tried again while its policy allows."""


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """A worker gives a run back: it is leaving."""

    epoch: int
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class RunAttempt:
    """One attempt at a run. Times are epoch milliseconds."""

    number: int
    started_at: int
    ended_at: int | None = None
    bundle: str | None = None
    generation: int | None = None
    error: RunError | None = None
    """Why it did not finish the run."""


@dataclass(frozen=True, slots=True)
class TaskRunDetail:
    """What a run of a task has besides other runs."""

    journal: tuple[JournalEntry, ...] = ()
    attempts: tuple[RunAttempt, ...] = ()
    """Oldest first."""
    spec: TaskSpec | None = None
    """The task as it is offered now; None when no bundle offers it any more."""
