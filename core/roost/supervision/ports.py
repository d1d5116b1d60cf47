"""What supervision needs of its siblings; the engine joins them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from roost.drivers.base import DriverProcess, SpawnSpec
from roost.models import (
    ChangeBody,
    ConfigField,
    Definition,
    FieldValue,
    Launch,
    PreparePlan,
    ResolvedCredentials,
    StartMode,
    Transition,
)

Publish = Callable[[ChangeBody], None]


class Recipes(Protocol):
    """Turns definitions into things that can be started."""

    def config_hash(self, definition: Definition) -> str:
        """Return a short hash of everything in the definition that shapes a start."""
        ...

    def missing_fields(
        self, definition: Definition, values: dict[str, FieldValue]
    ) -> tuple[str, ...]: ...

    def plan_prepare(
        self, workspace: str, bundle: str, definition: Definition
    ) -> PreparePlan | None:
        """Return what has to be made before the first start, or None."""
        ...

    def launch(
        self,
        workspace: str,
        bundle: str,
        definition: Definition,
        values: dict[str, FieldValue],
        *,
        prepared_dir: str | None,
        port: int | None,
    ) -> Launch:
        """Resolve a start.

        Raises:
            RoostError: a value does not fit or the program does not exist.
        """
        ...


class TokenIssuer(Protocol):
    """Gives every process what it may report runs with."""

    def hand_over(self, workspace: str, bundle: str, generation_id: str) -> bytes:
        """Return what a new process is handed by descriptor."""
        ...

    def revoke(self, generation_id: str) -> None:
        """Let it open nothing any more; safe to call again."""
        ...


class PreparedStart(Protocol):
    """A snapshot that a start is to use."""

    @property
    def mode(self) -> StartMode:
        """What the generation will be said to be started by."""
        ...

    @property
    def is_required(self) -> bool:
        """Whether there may be no cold start in its place."""
        ...

    async def spawn(self, spec: SpawnSpec) -> DriverProcess:
        """Start a process from it.

        Raises:
            RestoreFailed: it started none; the reason says why.
        """
        ...


class SnapshotSource(Protocol):
    """Says which starts use a snapshot, and learns how starts went."""

    async def prepare(
        self, workspace: str, bundle: str, version: str, launch: Launch, secrets: tuple[str, ...]
    ) -> PreparedStart | None:
        """Return the snapshot that a start uses; None for a cold start.

        Raises:
            RoostError: the bundle is only started from its snapshot, which cannot be used.
        """
        ...

    def failed(self, workspace: str, bundle: str, sentence: str) -> None:
        """Learn that a restored process did not become ready."""
        ...

    def cold_failed(self, workspace: str, bundle: str) -> None:
        """Learn that a cold start failed too."""
        ...

    async def started(self, workspace: str, bundle: str, mode: StartMode, ready_ms: int) -> None:
        """Learn that a start became ready, and how long that took in milliseconds."""
        ...


class CredentialSource(Protocol):
    """Resolves credentials at the moment of a start."""

    async def resolve(
        self, workspace: str, bundle: str, fields: tuple[ConfigField, ...]
    ) -> ResolvedCredentials: ...


class TransitionJournal(Protocol):
    """Keeps transitions durably, later; recording never waits."""

    def record(self, transition: Transition) -> None: ...
