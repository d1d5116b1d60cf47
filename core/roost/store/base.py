"""The store interface: rows of one data directory, one Protocol per table family.

Times are epoch milliseconds. Every read and write of workspace data is filtered by workspace.
Methods raise `roost.errors.StoreUnavailable` when the database does not answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from roost.models import (
    AuditEntry,
    BundleRow,
    CredentialRow,
    CredentialSet,
    Definition,
    GenerationView,
    GivenWork,
    JournalEntry,
    JournalWrite,
    KeptRun,
    LeasedRun,
    LiveGeneration,
    NewRun,
    RunAttempt,
    RunDetail,
    RunError,
    RunEvent,
    RunEventKind,
    RunProgress,
    RunQuery,
    RunStatus,
    RunView,
    ScheduleView,
    TaskRow,
    TaskSpec,
    Transition,
    VersionRow,
    WaitReason,
    WorkspaceView,
)


class WorkspaceRows(Protocol):
    async def list(self) -> tuple[WorkspaceView, ...]: ...

    async def add(self, workspace: WorkspaceView) -> None:
        """Insert a workspace.

        Raises:
            AlreadyExists: the id is taken.
        """
        ...


class BundleRows(Protocol):
    async def list(self) -> tuple[BundleRow, ...]: ...

    async def add(
        self, row: BundleRow, sealed: tuple[CredentialRow, ...] = (), *, by: str = ""
    ) -> None:
        """Insert a bundle, its first version and the first revision of its credentials, or none.

        Raises:
            AlreadyExists: the name is taken in this workspace.
        """
        ...

    async def set_should_run(self, workspace: str, name: str, should_run: bool) -> None: ...

    async def set_era(self, workspace: str, name: str, era: str) -> None: ...

    async def set_definition(self, workspace: str, name: str, definition: Definition) -> None:
        """Keep another definition of a bundle; nothing happens when there is none of this name."""
        ...

    async def versions(self, workspace: str, name: str) -> tuple[VersionRow, ...]:
        """Return the kept versions of a bundle, newest first."""
        ...

    async def kept_definitions(self) -> tuple[Definition, ...]:
        """Return the definitions of every kept version of every bundle."""
        ...

    async def switch_version(
        self,
        row: BundleRow,
        *,
        new: VersionRow | None = None,
        credentials: CredentialSet | None = None,
    ) -> bool:
        """Start another version of a bundle from now on, in one transaction with what it needs.

        Args:
            row: the bundle as it is to be; its era is forgotten.
            new: a version to keep from now on.
            credentials: what becomes the next revision after the one it names.

        Returns:
            False, with nothing changed, when the credentials have another revision by now.
        """
        ...

    async def forget_versions(self, workspace: str, name: str, numbers: tuple[int, ...]) -> None:
        """Delete versions of a bundle."""
        ...

    async def remove(self, workspace: str, name: str) -> None:
        """Delete the bundle with its versions and credentials; its history stays."""
        ...


class GenerationRows(Protocol):
    async def newest(self) -> dict[tuple[str, str], GenerationView]:
        """Return the newest generation of every bundle, by workspace and name."""
        ...

    async def add(self, workspace: str, bundle: str, view: GenerationView, handle: str) -> None: ...

    async def set_ready(self, generation_id: str, ready_at: int, ready_ms: int) -> None: ...

    async def set_ended(self, generation_id: str, ended_at: int, exit: str) -> None: ...

    async def live(self) -> tuple[LiveGeneration, ...]:
        """Return the generations without an end."""
        ...

    async def history(self, workspace: str, bundle: str, limit: int) -> tuple[GenerationView, ...]:
        """Return the newest generations, newest first."""
        ...


class TransitionRows(Protocol):
    async def add(self, transitions: tuple[Transition, ...]) -> None: ...

    async def newest(
        self, workspace: str | None, bundle: str | None, limit: int
    ) -> tuple[Transition, ...]:
        """Return the newest transitions, newest first, of a bundle or of everything."""
        ...


class CredentialRows(Protocol):
    async def revisions(self) -> dict[tuple[str, str], int]:
        """Return the newest revision of every bundle that has any, by workspace and name."""
        ...

    async def load(self, workspace: str, bundle: str) -> CredentialSet: ...

    async def previous(self, workspace: str, bundle: str) -> tuple[CredentialRow, ...] | None:
        """Return the rows of the revision before the newest, or None when it is not kept."""
        ...

    async def replace(
        self,
        workspace: str,
        bundle: str,
        *,
        expected_revision: int,
        rows: tuple[CredentialRow, ...],
    ) -> bool:
        """Make `rows` the set of revision `expected_revision` + 1 in one transaction.

        The set at `expected_revision` becomes the previous one and anything older is deleted.

        Returns:
            False, with nothing changed, when the newest revision is another one by now.
        """
        ...

    async def key_ids(self) -> dict[str, int]:
        """Return how many values each key has sealed, by its id; empty where none is named."""
        ...

    async def reseal(
        self,
        reseal: Callable[[str, str, str, bytes], bytes],
        *,
        retired: tuple[str, ...],
        at: int,
    ) -> int:
        """Replace ciphertexts of all revisions and retire keys, in one transaction.

        From then on a write of values that a retired key has sealed is refused.

        Args:
            reseal: gives the new ciphertext for a workspace, a bundle, a field and its ciphertext;
                what it raises undoes all.
            retired: ids of the keys that seal no more.
            at: when, in epoch milliseconds.

        Returns:
            How many values were sealed anew.
        """
        ...

    async def reinstate_key(self, key: str) -> None:
        """Let a retired key seal again, because the operator has put it back."""
        ...

    async def rotated_at(self) -> int | None:
        """Return when values were last sealed anew."""
        ...


class RunRows(Protocol):
    async def insert(self, new: NewRun) -> None:
        """Insert a run.

        Raises:
            AlreadyActive: its scope has an active run; nothing was inserted.
            IdempotencyConflict: its key is taken in this workspace; nothing was inserted.
        """
        ...

    async def find_by_key(self, workspace: str, key: str) -> tuple[RunView, str] | None:
        """Return the run with this idempotency key and the hash of its input."""
        ...

    async def get(self, workspace: str, run_id: str) -> RunView | None: ...

    async def detail(self, workspace: str, run_id: str, *, newest: int) -> RunDetail:
        """Return a run with its payload and its `newest` events, all of one moment.

        Raises:
            RunNotFound: no such run in this workspace.
        """
        ...

    async def list(self, query: RunQuery) -> tuple[RunView, ...]: ...

    async def mark_started(
        self, run_id: str, *, at: int, generation: int | None, owner: str, epoch: int
    ) -> RunView | None:
        """Move a pending run to running under its lease, or None when it is not that any more.

        A `STATUS` event tells it to the run's viewers.
        """
        ...

    async def append_event(
        self,
        run_id: str,
        *,
        at: int,
        kind: RunEventKind,
        message: str,
        progress: RunProgress | None,
        owner: str,
        epoch: int,
    ) -> tuple[RunEvent, RunView] | None:
        """Store the next event of an active run, with the next sequence number.

        A `STEP` event also raises the step count and keeps `progress` as the run's last.

        Returns:
            None when the run is not active under this lease; nothing was stored then.
        """
        ...

    async def append_steps(
        self,
        run_id: str,
        steps: Sequence[tuple[str, RunProgress | None]],
        *,
        at: int,
        owner: str,
        epoch: int,
    ) -> tuple[tuple[RunEvent, ...], RunView] | None:
        """Store several `STEP` events of an active run at once, all or none.

        Args:
            steps: the message and the progress of each, in order; not empty.

        Returns:
            None when the run is not active under this lease; nothing was stored then.
        """
        ...

    async def append_outputs(
        self,
        run_id: str,
        pieces: Sequence[tuple[str, RunProgress | None]],
        *,
        at: int,
        owner: str,
        epoch: int,
    ) -> RunView | None:
        """Store several `OUTPUT` events of an active run at once, all or none.

        Args:
            pieces: the message and the figures of each, in order; not empty.

        Returns:
            None when the run is not active under this lease; nothing was stored then.
        """
        ...

    async def events(self, run_id: str, *, after: int, limit: int) -> tuple[RunEvent, ...]: ...

    async def request_stop(
        self, workspace: str, run_id: str, *, at: int, by: str
    ) -> RunView | None:
        """Stamp an active run once, or None when it has settled; the first stamp stays."""
        ...

    async def amend(self, run_id: str, **values: Any) -> RunView | None:
        """Set `link` or `stop_phase` of an active run, or None when it has settled."""
        ...

    async def finalize(
        self,
        run_id: str,
        *,
        at: int,
        status: RunStatus,
        error: RunError | None,
        result: Any,
        is_truncated: bool,
        link: str | None = None,
        owner: str | None = None,
        epoch: int = 0,
        lapsed_at: int | None = None,
    ) -> RunView | None:
        """Write the terminal status and a closing `STATUS` event if the run is still active.

        Args:
            link: where its output lies; None leaves what is stored.
            owner: with `epoch`, the lease under which the run must be; None takes any.
            lapsed_at: when its lease must have run out, in epoch milliseconds; None takes any.

        Returns:
            The settled run, or None when it was settled before; nothing was written then.
        """
        ...

    async def active_of_other_owners(self, owner: str) -> tuple[RunView, ...]:
        """Return active runs whose lease belongs to another daemon start."""
        ...

    async def leased(self, workspace: str, run_id: str) -> LeasedRun | None:
        """Return a run of this workspace with its lease, active or settled."""
        ...

    async def active_leases(self) -> tuple[LeasedRun, ...]:
        """Return every active run with its lease, oldest first."""
        ...

    async def take_over(
        self, run_id: str, *, at: int, owner: str, epoch: int, new_owner: str, lease_ms: int
    ) -> RunView | None:
        """Give an active run a new owner and the next epoch, from `at` on for `lease_ms`.

        Args:
            owner: with `epoch`, the lease that ends by this.

        Returns:
            None when the run is not active under that lease; nothing was stored then.
        """
        ...

    async def report(
        self,
        run_id: str,
        *,
        at: int,
        steps: Sequence[tuple[str, RunProgress | None]],
        outputs: Sequence[str],
        link: str | None,
        owner: str,
        epoch: int,
    ) -> RunView | None:
        """Store a report of an active run, steps before output, and renew its lease, or nothing.

        Returns:
            None when the run is not active under this lease; nothing was stored then.
        """
        ...

    async def settled_before(self, at: int, *, limit: int) -> tuple[KeptRun, ...]:
        """Return settled runs that finished before `at`, oldest first."""
        ...

    async def settled_beyond(self, keep: int, *, limit: int) -> tuple[KeptRun, ...]:
        """Return settled runs of one workspace beyond its `keep` newest ones, oldest first."""
        ...

    async def settled_with_more_events(self, keep: int, *, limit: int) -> tuple[KeptRun, ...]:
        """Return settled runs that keep more than `keep` events."""
        ...

    async def drop_events(self, run_id: str, *, up_to: int, limit: int) -> int:
        """Delete the oldest events of a settled run, up to a number and `limit` at once.

        Returns:
            How many were deleted.
        """
        ...

    async def remove_settled(self, run_ids: Sequence[str]) -> int:
        """Delete settled runs with their payloads and events; returns how many there were."""
        ...


class TaskRows(Protocol):
    """Tasks, and the changes that only runs of tasks have."""

    async def list(self) -> tuple[TaskRow, ...]:
        """Return every task by workspace and name."""
        ...

    async def put(self, workspace: str, bundle: str, specs: Sequence[TaskSpec], *, at: int) -> None:
        """Make these the tasks of a bundle, instead of those that it offered before.

        Raises:
            TaskTaken: another bundle offers one of them; nothing has changed then.
        """
        ...

    async def forget_bundle(self, workspace: str, bundle: str) -> None:
        """Delete the tasks of a bundle; their runs stay."""
        ...

    async def active(self) -> tuple[RunView, ...]:
        """Return every active run of a task, oldest first."""
        ...

    async def claim(
        self,
        run_id: str,
        *,
        at: int,
        owner: str,
        epoch: int,
        bundle: str,
        generation: int | None,
        lease_ms: int,
    ) -> tuple[RunView, GivenWork] | None:
        """Let a worker begin an attempt at a run that waits, under the next epoch.

        Args:
            owner: who holds it from now on.
            epoch: the epoch under which it waits.

        Returns:
            The run, and what its handler is given; None when it does not wait under this epoch,
            may not begin yet, or was asked to stop.
        """
        ...

    async def report_work(
        self,
        run_id: str,
        *,
        at: int,
        owner: str,
        epoch: int,
        lease_until: int,
        events: Sequence[tuple[RunEventKind, str, RunProgress | None, str | None]] = (),
        journal: Sequence[JournalWrite] = (),
        link: str | None = None,
    ) -> RunView | None:
        """Store what a handler tells, all or nothing, and renew the lease.

        Args:
            events: kind, message, progress and name of each.

        Returns:
            None when the run is not held by this owner under this epoch; nothing was stored then.
        """
        ...

    async def requeue(
        self,
        run_id: str,
        *,
        at: int,
        owner: str,
        epoch: int,
        error: RunError,
        waits: WaitReason | None,
        available_at: int | None,
        journal: Literal["kept", "emptied"],
    ) -> RunView | None:
        """Take a run from its worker and let it wait for its next attempt.

        Args:
            owner: with `epoch`, the lease that ends by this.
            error: why the attempt under way did not finish the run.

        Returns:
            None when the run is not held by this owner under this epoch; nothing was stored then.
        """
        ...

    async def resume(
        self, run_id: str, *, at: int, waits: WaitReason | None, message: str
    ) -> RunView | None:
        """Let a run go on that waits for the person it acts for, or return None when none does."""
        ...

    async def set_waits(
        self, run_id: str, *, before: WaitReason | None, after: WaitReason | None
    ) -> RunView | None:
        """Say anew what a pending run waits for, or return None when it waits otherwise."""
        ...

    async def history(self, run_id: str) -> tuple[tuple[JournalEntry, ...], tuple[RunAttempt, ...]]:
        """Return the journal of a run and its attempts, both of one moment."""
        ...


class ScheduleRows(Protocol):
    async def list(self) -> tuple[ScheduleView, ...]:
        """Return every schedule by workspace and name; a paused one with its next fire."""
        ...

    async def put(self, schedule: ScheduleView) -> None:
        """Insert a schedule, or write over the one of its name."""
        ...

    async def remove(self, workspace: str, name: str) -> None:
        """Delete a schedule; nothing happens when there is none of this name."""
        ...


class AuditRows(Protocol):
    async def add(self, entry: AuditEntry) -> None: ...

    async def newest(self, limit: int) -> tuple[AuditEntry, ...]: ...


class Store(Protocol):
    """All rows of one data directory."""

    @property
    def workspaces(self) -> WorkspaceRows: ...
    @property
    def bundles(self) -> BundleRows: ...
    @property
    def generations(self) -> GenerationRows: ...
    @property
    def transitions(self) -> TransitionRows: ...
    @property
    def credentials(self) -> CredentialRows: ...
    @property
    def runs(self) -> RunRows: ...
    @property
    def tasks(self) -> TaskRows: ...
    @property
    def schedules(self) -> ScheduleRows: ...
    @property
    def audit(self) -> AuditRows: ...

    @property
    def data_id(self) -> str:
        """Identity of this data directory, made at first open; stable over daemon starts."""
        ...

    async def open(self) -> None:
        """Migrate and connect.

        Raises:
            StoreUnavailable: the database cannot be opened.
        """
        ...

    async def close(self) -> None: ...
