"""What supervision needs of its siblings; the engine joins them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from roost.models import (
    ChangeBody,
    ConfigField,
    Definition,
    FieldValue,
    Launch,
    PreparePlan,
    ResolvedCredentials,
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


class CredentialSource(Protocol):
    """Resolves credentials at the moment of a start."""

    async def resolve(
        self, workspace: str, bundle: str, fields: tuple[ConfigField, ...]
    ) -> ResolvedCredentials: ...


class TransitionJournal(Protocol):
    """Keeps transitions durably, later; recording never waits."""

    def record(self, transition: Transition) -> None: ...
