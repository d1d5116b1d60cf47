"""Credential rows in memory, with the semantics of the store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from roost.models import CredentialRow, CredentialSet

Key = tuple[str, str]


class MemoryCredentialRows:
    """Keeps the newest and the previous set of every bundle.

    `before_replace` runs ahead of each `replace`, for tests that let another writer in.
    """

    def __init__(self) -> None:
        self.newest: dict[Key, tuple[int, tuple[CredentialRow, ...]]] = {}
        self.former: dict[Key, tuple[CredentialRow, ...]] = {}
        self.before_replace: Callable[[], Awaitable[None]] | None = None

    async def load(self, workspace: str, bundle: str) -> CredentialSet:
        revision, rows = self.newest.get((workspace, bundle), (0, ()))
        return CredentialSet(revision, rows, (workspace, bundle) in self.former)

    async def previous(self, workspace: str, bundle: str) -> tuple[CredentialRow, ...] | None:
        return self.former.get((workspace, bundle))

    async def replace(
        self,
        workspace: str,
        bundle: str,
        *,
        expected_revision: int,
        rows: tuple[CredentialRow, ...],
    ) -> bool:
        if self.before_replace is not None:
            await self.before_replace()
        revision, present = self.newest.get((workspace, bundle), (0, ()))
        if revision != expected_revision:
            return False
        if revision:
            self.former[workspace, bundle] = present
        self.newest[workspace, bundle] = (revision + 1, rows)
        return True

    def dump(self) -> bytes:
        """Return everything that is kept, for looking for what must not be there."""
        return repr((self.newest, self.former)).encode() + b"".join(
            row.ciphertext
            for rows in (*(rows for _, rows in self.newest.values()), *self.former.values())
            for row in rows
        )
