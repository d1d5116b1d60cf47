"""The store interface: rows of one data directory, one Protocol per table family.

Times are epoch milliseconds. Every read and write of workspace data is filtered by workspace.
Methods raise `roost.errors.StoreUnavailable` when the database does not answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from roost.models import (
    AuditEntry,
    BundleRow,
    CredentialRow,
    CredentialSet,
    Definition,
    GenerationView,
    LiveGeneration,
    NewRun,
    RunError,
    RunEvent,
    RunEventKind,
    RunProgress,
    RunQuery,
    RunStatus,
    RunView,
    Transition,
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

    async def add(self, row: BundleRow, sealed: tuple[CredentialRow, ...] = ()) -> None:
        """Insert a bundle and the first revision of its credentials, both or none.

        Raises:
            AlreadyExists: the name is taken in this workspace.
        """
        ...

    async def set_should_run(self, workspace: str, name: str, should_run: bool) -> None: ...

    async def set_era(self, workspace: str, name: str, era: str) -> None: ...

    async def set_definition(self, workspace: str, name: str, definition: Definition) -> None:
        """Keep another definition of a bundle; nothing happens when there is none of this name."""
        ...

    async def remove(self, workspace: str, name: str) -> None:
        """Delete the bundle and its credentials; generations, transitions and runs stay."""
        ...


class GenerationRows(Protocol):
    async def last_number(self, workspace: str, bundle: str) -> int:
        """Return the highest generation number ever used, 0 when there is none."""
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

    async def payload(self, workspace: str, run_id: str) -> tuple[Any, Any, bool]:
        """Return input, result and whether the result was truncated.

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

    async def events(self, run_id: str, *, after: int, limit: int) -> tuple[RunEvent, ...]: ...

    async def request_stop(
        self, workspace: str, run_id: str, *, at: int, by: str
    ) -> RunView | None:
        """Stamp an active run once, or None when it has settled; the first stamp stays."""
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
        owner: str | None = None,
        epoch: int = 0,
    ) -> RunView | None:
        """Write the terminal status and a closing `STATUS` event if the run is still active.

        Args:
            owner: with `epoch`, the lease under which the run must be; None takes any.

        Returns:
            The settled run, or None when it was settled before; nothing was written then.
        """
        ...

    async def active_of_other_owners(self, owner: str) -> tuple[RunView, ...]:
        """Return active runs whose lease belongs to another daemon start."""
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
