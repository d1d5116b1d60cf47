"""`Vault`: the credentials of bundles, encrypted in the store and open only inside the daemon."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from typing import Protocol, TypeVar

from roost.clock import Clock
from roost.errors import BadFields, Refused, VaultUnavailable
from roost.models import (
    ConfigField,
    CredentialField,
    CredentialForm,
    CredentialRow,
    CredentialSet,
    CredentialWrite,
    FieldValue,
    ResolvedCredentials,
)
from roost.vault.cipher import FieldCipher
from roost.vault.key_set import KeySet
from roost.vault.values import normalized, problem_with, value_text

T = TypeVar("T")

WRITE_ATTEMPTS = 200
"""Each lost attempt means that another writer succeeded, so only a broken store gets this far."""


class CredentialRows(Protocol):
    """The rows the vault keeps; met by the store."""

    async def load(self, workspace: str, bundle: str) -> CredentialSet: ...

    async def previous(self, workspace: str, bundle: str) -> tuple[CredentialRow, ...] | None: ...

    async def replace(
        self,
        workspace: str,
        bundle: str,
        *,
        expected_revision: int,
        rows: tuple[CredentialRow, ...],
    ) -> bool: ...


class Vault:
    """Reads and writes the credentials of bundles.

    Args:
        rows: where ciphertext is kept.
        keys: what seals and opens values, see `roost.vault.open_keys`; 32 bytes are one key.
        clock: stamps writes.
    """

    def __init__(self, rows: CredentialRows, keys: KeySet | bytes, clock: Clock) -> None:
        self._rows = rows
        self._clock = clock
        self.use(KeySet(keys) if isinstance(keys, bytes) else keys)

    def use(self, keys: KeySet) -> None:
        """Seal with the newest of these keys from now on, and open with all of them."""
        self._cipher = FieldCipher(keys)

    async def resolve(
        self, workspace: str, bundle: str, fields: tuple[ConfigField, ...]
    ) -> ResolvedCredentials:
        """Return the values a start needs, in the clear.

        Raises:
            VaultUnavailable: a stored value of these fields cannot be decrypted.
        """
        return await self._with_stable_keys(lambda: self._resolve(workspace, bundle, fields))

    async def _resolve(
        self, workspace: str, bundle: str, fields: tuple[ConfigField, ...]
    ) -> ResolvedCredentials:
        stored = await self._rows.load(workspace, bundle)
        former = await self._rows.previous(workspace, bundle) if stored.has_previous else None
        by_field = {row.field: row for row in stored.rows}
        values: dict[str, FieldValue] = {}
        for field in fields:
            if row := by_field.get(field.key):
                values[field.key] = self._open(workspace, bundle, row)
            elif field.default is not None:
                values[field.key] = field.default
        sensitive = {field.key for field in fields if field.sensitive}
        secrets = [values[key] for key in values if key in sensitive]
        secrets += self._former_values(workspace, bundle, former or (), sensitive)
        texts = dict.fromkeys(text for value in secrets for text in _texts(value))
        return ResolvedCredentials(stored.revision, values, tuple(texts))

    async def form(
        self, workspace: str, bundle: str, fields: tuple[ConfigField, ...]
    ) -> CredentialForm:
        """Return what is set and since when; values only of fields that are not sensitive.

        Raises:
            VaultUnavailable: a value that would be shown cannot be decrypted.
        """
        return await self._with_stable_keys(lambda: self._form(workspace, bundle, fields))

    async def _form(
        self, workspace: str, bundle: str, fields: tuple[ConfigField, ...]
    ) -> CredentialForm:
        stored = await self._rows.load(workspace, bundle)
        by_field = {row.field: row for row in stored.rows}
        entries = tuple(
            self._form_field(workspace, bundle, field, by_field.get(field.key)) for field in fields
        )
        return CredentialForm(workspace, bundle, stored.revision, entries, stored.has_previous)

    def first_rows(
        self,
        workspace: str,
        bundle: str,
        fields: tuple[ConfigField, ...],
        values: Mapping[str, FieldValue],
        actor: str,
    ) -> tuple[CredentialRow, ...]:
        """Return the first revision of a new bundle's credentials, for the store to insert.

        Raises:
            BadFields: a field is unknown or a value does not fit.
        """
        _check(bundle, fields, CredentialWrite(set=dict(values)))
        return tuple(
            self._stamped(
                key, self._cipher.seal(workspace, bundle, key, normalized(value)), 1, actor
            )
            for key, value in sorted(values.items())
        )

    async def write(
        self,
        workspace: str,
        bundle: str,
        fields: tuple[ConfigField, ...],
        write: CredentialWrite,
        actor: str,
    ) -> tuple[int, tuple[str, ...]]:
        """Set and clear fields as one new revision.

        Stored values that are not touched are carried over unopened, so a field can be set again
        when another one cannot be decrypted, and writers of different fields both survive.

        Returns:
            The newest revision and the changed fields. A write that sets nothing and clears only
            what is not set makes no revision.

        Raises:
            BadFields: a field is unknown or a value does not fit; nothing was written.
            VaultUnavailable: the store refused every attempt.
        """
        _check(bundle, fields, write)

        async def apply(stored: CredentialSet) -> dict[str, CredentialRow]:
            rows = {row.field: row for row in stored.rows if row.field not in write.clear}
            for key, value in write.set.items():
                sealed = self._cipher.seal(workspace, bundle, key, normalized(value))
                rows[key] = self._stamped(key, sealed, stored.revision + 1, actor)
            return rows

        return await self._commit(workspace, bundle, apply)

    async def restore(
        self, workspace: str, bundle: str, fields: tuple[ConfigField, ...], actor: str
    ) -> tuple[int, tuple[str, ...]]:
        """Make the previous revision the newest one; a second restore takes it back.

        Values of fields that `fields` does not name come back too, but are not reported.

        Returns:
            The new revision and the fields that differ from the one before.

        Raises:
            Refused: no previous revision is kept.
            VaultUnavailable: the store refused every attempt.
        """

        async def apply(stored: CredentialSet) -> dict[str, CredentialRow]:
            former = await self._rows.previous(workspace, bundle)
            if former is None:
                raise Refused(
                    f"no earlier credentials of {bundle!r} are kept; set the fields instead"
                )
            present = {row.field: row for row in stored.rows}
            return {
                row.field: present[row.field]
                if row.field in present and present[row.field].ciphertext == row.ciphertext
                else self._stamped(row.field, row.ciphertext, stored.revision + 1, actor)
                for row in former
            }

        revision, changed = await self._commit(workspace, bundle, apply)
        known = {field.key for field in fields}
        return revision, tuple(key for key in changed if key in known)

    async def unset_by_restore(self, workspace: str, bundle: str) -> tuple[str, ...]:
        """Return the fields that are set now and that a restore would leave without a value."""
        stored = await self._rows.load(workspace, bundle)
        former = await self._rows.previous(workspace, bundle)
        if former is None:
            return ()
        kept = {row.field for row in former}
        return tuple(sorted(row.field for row in stored.rows if row.field not in kept))

    async def _commit(
        self,
        workspace: str,
        bundle: str,
        apply: Callable[[CredentialSet], Awaitable[dict[str, CredentialRow]]],
    ) -> tuple[int, tuple[str, ...]]:
        for _ in range(WRITE_ATTEMPTS):
            stored = await self._rows.load(workspace, bundle)
            rows = await apply(stored)
            before = {row.field: row for row in stored.rows}
            changed = sorted(key for key in before | rows if before.get(key) != rows.get(key))
            if not changed:
                return stored.revision, ()
            if await self._rows.replace(
                workspace,
                bundle,
                expected_revision=stored.revision,
                rows=tuple(rows[key] for key in sorted(rows)),
            ):
                return stored.revision + 1, tuple(changed)
        raise VaultUnavailable(
            f"the credentials of {bundle!r} in workspace {workspace!r} were changed by others all "
            "the time; nothing was written, save again"
        )

    async def _with_stable_keys(self, read: Callable[[], Awaitable[T]]) -> T:
        """Read again where the keys were replaced between loading values and opening them."""
        while True:
            cipher = self._cipher
            try:
                return await read()
            except VaultUnavailable:
                if self._cipher is cipher:
                    raise

    def _stamped(self, key: str, sealed: bytes, revision: int, actor: str) -> CredentialRow:
        return CredentialRow(key, sealed, revision, self._clock.now(), actor)

    def _open(self, workspace: str, bundle: str, row: CredentialRow) -> FieldValue:
        return self._cipher.open(workspace, bundle, row.field, row.ciphertext)

    def _form_field(
        self, workspace: str, bundle: str, field: ConfigField, row: CredentialRow | None
    ) -> CredentialField:
        if row is None:
            return CredentialField(field, is_set=False)
        entry = CredentialField(
            field, is_set=True, revision=row.revision, set_at=row.set_at, set_by=row.set_by
        )
        if field.sensitive:
            return entry
        return replace(entry, value=self._open(workspace, bundle, row))

    def _former_values(
        self,
        workspace: str,
        bundle: str,
        rows: tuple[CredentialRow, ...],
        sensitive: set[str],
    ) -> Iterator[FieldValue]:
        for row in rows:
            if row.field not in sensitive:
                continue
            try:
                yield self._open(workspace, bundle, row)
            except VaultUnavailable:
                # A former value only serves to scrub output. One that a lost key made unreadable
                # must not keep the bundle from starting once the field was set again.
                continue


def _check(bundle: str, fields: tuple[ConfigField, ...], write: CredentialWrite) -> None:
    known = {field.key: field for field in fields}
    problems: dict[str, str] = {}
    for key in (*write.set, *write.clear):
        if key not in known:
            problems[key] = "is not a field of this bundle"
        elif key in write.set and key in write.clear:
            problems[key] = "cannot be set and cleared at once"
        elif key in write.set and (problem := problem_with(known[key], write.set[key])):
            problems[key] = problem
    if problems:
        raise BadFields(bundle, problems)


def _texts(value: FieldValue) -> list[str]:
    return value if isinstance(value, list) else [value_text(value)]
