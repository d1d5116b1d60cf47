"""`Upgrades`: other versions of installed bundles, side by side, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from roost.bundles import (
    InstalledBundle,
    carried_over,
    check_misfits,
    check_strategy,
    is_same_content,
    secret_fields,
)
from roost.engine.credential_changes import Audit, FitReason
from roost.engine.installs import Installs, discard_files
from roost.engine.package_finder import PackageFinder
from roost.engine.version_choice import check_unchanged, chosen, forgettable, row_of
from roost.engine.version_text import installed_versions, outcome_sentence
from roost.errors import Changed, ShuttingDown, StoreUnavailable
from roost.models import (
    CredentialSet,
    Definition,
    FieldValue,
    InstalledVersion,
    RespawnResult,
    UpgradeOutcome,
    UpgradeRequest,
    VersionRow,
)
from roost.supervision import BundleSlot

if TYPE_CHECKING:
    from roost.engine.engine import Engine

HISTORY_LOOKED_AT = 500
"""Generations among which the last start of each version is looked for."""

_SWITCH_ATTEMPTS = 5
"""Each lost one means that the credentials were sealed anew in between."""


@dataclass(frozen=True, slots=True)
class _Switch:
    """A version that is about to take the place of the current one."""

    version: VersionRow
    verb: str
    """``upgrade``, ``rollback`` or ``pin``: cause of the respawn and part of the audit's action."""
    is_new: bool
    reason: str | None


class Upgrades:
    """Changes the versions of bundles on behalf of one actor."""

    def __init__(
        self,
        engine: Engine,
        installs: Installs,
        *,
        actor: str,
        audit: Audit,
        fit_reason: FitReason,
    ) -> None:
        self._engine = engine
        self._installs = installs
        self._actor = actor
        self._audit = audit
        self._fit_reason = fit_reason

    async def versions(self, workspace: str, name: str) -> tuple[InstalledVersion, ...]:
        """List the kept versions, newest first."""
        slot = self._engine.supervisor.slot(workspace, name)
        store = self._engine.store
        rows = await store.bundles.versions(workspace, name)
        history = await store.generations.history(workspace, name, HISTORY_LOOKED_AT)
        return installed_versions(rows, slot.version_number, slot.definition, history)

    async def upgrade(self, workspace: str, name: str, request: UpgradeRequest) -> UpgradeOutcome:
        """Read another version and make it the current one."""
        self._engine.supervisor.slot(workspace, name)
        install = replace(request.install, name=name)
        installed = await self._installs.read(workspace, install, instead_of=name)
        return await self._engine.whole(
            self._install_beside(workspace, installed, "upgrade", request.reason)
        )

    async def pin(self, workspace: str, name: str, reason: str | None) -> UpgradeOutcome:
        """Make an installed, pinned copy of what the command fetches the current version."""
        before = self._engine.supervisor.slot(workspace, name).definition
        definition = await PackageFinder(self._engine).pinned(before)
        installed = InstalledBundle(name, definition)
        work = self._install_beside(workspace, installed, "pin", reason, made_from=before)
        return await self._engine.whole(work)

    async def rollback(
        self, workspace: str, name: str, number: int | None, reason: str | None
    ) -> UpgradeOutcome:
        """Make a kept version the current one again."""
        return await self._engine.whole(self._roll_back(workspace, name, number, reason))

    # Inside ------------------------------------------------------------------------------------

    async def _install_beside(
        self,
        workspace: str,
        installed: InstalledBundle,
        verb: str,
        reason: str | None,
        *,
        made_from: Definition | None = None,
    ) -> UpgradeOutcome:
        """Keep a new version, switch to it and respawn; its files go when that is refused."""
        is_kept = False
        try:
            async with self._engine.supervisor.changing(workspace, installed.name) as slot:
                check_unchanged(slot, made_from)
                fresh = await self._fresh_values(slot, installed)
                if is_same_content(slot.definition, installed.definition) and not fresh:
                    return await self._nothing_changed(slot)
                switch = _Switch(
                    await self._next_version(slot, installed.definition), verb, True, reason
                )
                definition = await self._switch(slot, switch, fresh)
                is_kept = True
                before = slot.version_number
                self._enter(slot, switch, definition)
        finally:
            if not is_kept:
                await discard_files(self._engine, installed.definition)
        return await self._bring_up(slot, switch, before)

    async def _roll_back(
        self, workspace: str, name: str, number: int | None, reason: str | None
    ) -> UpgradeOutcome:
        async with self._engine.supervisor.changing(workspace, name) as slot:
            rows = await self._engine.store.bundles.versions(workspace, name)
            version = chosen(slot, rows, number)
            if version.number == slot.version_number:
                return await self._nothing_changed(slot)
            switch = _Switch(version, "rollback", False, reason)
            definition = await self._switch(slot, switch, {})
            before = slot.version_number
            self._enter(slot, switch, definition)
        return await self._bring_up(slot, switch, before)

    async def _next_version(self, slot: BundleSlot, definition: Definition) -> VersionRow:
        rows = await self._engine.store.bundles.versions(slot.workspace, slot.name)
        number = 1 + max((row.number for row in rows), default=slot.version_number)
        return VersionRow(number, definition, self._engine.clock.now(), self._actor)

    async def _fresh_values(
        self, slot: BundleSlot, installed: InstalledBundle
    ) -> dict[str, FieldValue]:
        """Return the values of the source for fields that have none yet."""
        stored = await self._engine.store.credentials.load(slot.workspace, slot.name)
        known = {row.field for row in stored.rows}
        return {key: value for key, value in installed.values.items() if key not in known}

    async def _switch(
        self, slot: BundleSlot, switch: _Switch, fresh: Mapping[str, FieldValue]
    ) -> Definition:
        """Check and store the switch; the bundle has the old version or the new one, whole.

        Returns:
            What it has from now on.
        """
        engine = self._engine
        definition = await self._carried_over(slot, switch)
        check_strategy(slot.name, definition)
        await self._check_values(slot, definition)
        for _ in range(_SWITCH_ATTEMPTS):
            if engine.is_stopping:  # unpacking may have taken a while
                raise ShuttingDown
            credentials = await self._credentials(slot, definition, fresh)
            if await engine.store.bundles.switch_version(
                row_of(slot, definition, switch.version.number),
                new=switch.version if switch.is_new else None,
                credentials=credentials,
            ):
                if credentials is not None:
                    engine.supervisor.note_revision(slot, credentials.revision + 1)
                return definition
        raise StoreUnavailable(
            f"the credentials of {slot.label} were changed by others all the time; nothing was "
            "changed, try again"
        )

    async def _check_values(self, slot: BundleSlot, definition: Definition) -> None:
        """Refuse a version whose fields cannot take the values that are set."""
        form = await self._engine.vault.form(slot.workspace, slot.name, slot.definition.fields)
        known = {entry.field.key for entry in form.fields if entry.is_set}
        kept = tuple(field for field in definition.fields if field.key in known)
        resolved = await self._engine.vault.resolve(slot.workspace, slot.name, kept)
        check_misfits(slot.name, kept, resolved.values)

    async def _credentials(
        self, slot: BundleSlot, definition: Definition, fresh: Mapping[str, FieldValue]
    ) -> CredentialSet | None:
        """Return the stored credentials with the fresh ones, sealed; None without fresh ones."""
        if not fresh:
            return None
        stored = await self._engine.store.credentials.load(slot.workspace, slot.name)
        sealed = self._engine.vault.first_rows(
            slot.workspace, slot.name, definition.fields, fresh, self._actor
        )
        added = tuple(replace(row, revision=stored.revision + 1) for row in sealed)
        return replace(stored, rows=(*stored.rows, *added))

    async def _carried_over(self, slot: BundleSlot, switch: _Switch) -> Definition:
        """Return the version with what the bundle keeps over every change of it."""
        store = self._engine.store
        rows = await store.bundles.versions(slot.workspace, slot.name)
        stored = await store.credentials.load(slot.workspace, slot.name)
        known = (slot.definition, *(row.definition for row in rows))
        return carried_over(
            slot.definition,
            switch.version.definition,
            slot.name,
            secret=secret_fields(known, (row.field for row in stored.rows)),
            is_return=not switch.is_new,
        )

    def _enter(self, slot: BundleSlot, switch: _Switch, definition: Definition) -> None:
        """Let every start from now on take the new version."""
        self._engine.supervisor.redefine(
            slot.workspace, slot.name, definition, version=switch.version.number
        )

    async def _bring_up(self, slot: BundleSlot, switch: _Switch, before: int) -> UpgradeOutcome:
        """Respawn into the current version where it is meant to run, and tell what came of it."""
        reason = await self._fit_reason(slot.workspace, slot.name, switch.reason)
        respawn = await self._respawn(slot, switch, reason)
        after = switch.version.number
        outcome = await self._outcome(slot, before, after, respawn, switch.verb)
        detail = f"version {after}, was {before}" + (f" ({reason})" if reason else "")
        code = "ok" if respawn is None else respawn.code
        await self._audit(f"bundle.{switch.verb}", slot.workspace, slot.name, code, detail)
        await self._forget_old(slot, before)
        return outcome

    async def _respawn(
        self, slot: BundleSlot, switch: _Switch, reason: str | None
    ) -> RespawnResult | None:
        if not slot.should_run or slot.waits_for:
            return None
        return await self._engine.supervisor.respawn(
            slot.workspace,
            slot.name,
            cause=switch.verb,
            actor=self._actor,
            reason=reason,
            only_if_behind=True,
        )

    async def _nothing_changed(self, slot: BundleSlot) -> UpgradeOutcome:
        number = slot.version_number
        return await self._outcome(slot, number, number, None, "")

    async def _outcome(
        self, slot: BundleSlot, before: int, after: int, respawn: RespawnResult | None, verb: str
    ) -> UpgradeOutcome:
        store = self._engine.store
        rows = await store.bundles.versions(slot.workspace, slot.name)
        history = await store.generations.history(slot.workspace, slot.name, HISTORY_LOOKED_AT)
        views = installed_versions(rows, slot.version_number, slot.definition, history)
        by_number = {view.number: view for view in views}
        if before not in by_number or after not in by_number:
            raise Changed(f"{slot.label} was changed or removed meanwhile; look at it again")
        old, new = by_number[before], by_number[after]
        sentence = outcome_sentence(slot.label, old, new, respawn, verb)
        return UpgradeOutcome(slot.workspace, slot.name, old, new, sentence, respawn)

    async def _forget_old(self, slot: BundleSlot, before: int) -> None:
        """Remove versions that nobody keeps any more, rows first: a boot removes stray files."""
        engine = self._engine
        if slot not in engine.supervisor.slots:
            return  # its removal takes all of them
        async with engine.supervisor.changing(slot.workspace, slot.name):
            rows = await engine.store.bundles.versions(slot.workspace, slot.name)
            gone = forgettable(slot, rows, before)
            if not gone:
                return
            numbers = tuple(row.number for row in gone)
            await engine.store.bundles.forget_versions(slot.workspace, slot.name, numbers)
        for row in gone:
            await discard_files(engine, row.definition)
