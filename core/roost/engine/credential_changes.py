"""`CredentialChanges`: writes and restores as transactions that end in a process generation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from roost.bundles import displayed
from roost.errors import BundleProtected
from roost.models import ConfigField, CredentialOutcome, CredentialWrite, RespawnResult
from roost.supervision import BundleSlot, Supervisor
from roost.vault import Vault

ACTION = "bundle.credentials"

Audit = Callable[[str, str | None, str, str, str], Awaitable[None]]
"""Records action, workspace, target, outcome and detail."""

FitReason = Callable[[str, str, str | None], Awaitable[str | None]]
"""Makes a reason fit to be kept, for a workspace and a bundle."""


@dataclass(frozen=True, slots=True)
class _Written:
    """What a transaction has made true in the vault."""

    slot: BundleSlot
    revision: int
    changed: tuple[str, ...]
    cleared: tuple[str, ...]
    """Sensitive fields that were set and are not any more: who holds them must end."""
    sentence: str


class CredentialChanges:
    """Changes the credentials of bundles on behalf of one actor."""

    def __init__(
        self,
        supervisor: Supervisor,
        vault: Vault,
        *,
        actor: str,
        audit: Audit,
        fit_reason: FitReason,
    ) -> None:
        self._supervisor = supervisor
        self._vault = vault
        self._actor = actor
        self._audit = audit
        self._fit_reason = fit_reason

    async def write(self, workspace: str, name: str, write: CredentialWrite) -> CredentialOutcome:
        """Set and clear fields as one revision, then bring the bundle to it.

        Raises:
            BundleNotFound, BadFields, BundleProtected, VaultUnavailable: nothing was written.
        """
        async with self._supervisor.changing(workspace, name) as slot:
            fields = slot.definition.fields
            await self._ask_for_reason(slot, _sensitive(fields, write.clear), write.reason)
            revision, changed = await self._vault.write(workspace, name, fields, write, self._actor)
            self._supervisor.note_revision(slot, revision)
        behind = slot.restart_pending or "credentials" in slot.stale_in()
        if not changed and not behind:
            sentence = f"no field was changed; revision {revision} stands"
            return CredentialOutcome(revision, (), sentence, None)
        unset = tuple(key for key in changed if key in write.clear)
        cleared = _sensitive(fields, unset)
        sentence = f"{_what(changed, unset)} as revision {revision}"
        written = _Written(slot, revision, changed, cleared, sentence)
        return await self._bring_up(written, write.reason)

    async def restore(self, workspace: str, name: str, reason: str | None) -> CredentialOutcome:
        """Make the previous revision the newest one, then bring the bundle to it.

        Raises:
            BundleNotFound, Refused, BundleProtected, VaultUnavailable: nothing was written.
        """
        async with self._supervisor.changing(workspace, name) as slot:
            fields = slot.definition.fields
            unset = await self._vault.unset_by_restore(workspace, name)
            cleared = _sensitive(fields, unset)
            await self._ask_for_reason(slot, cleared, reason)
            revision, changed = await self._vault.restore(workspace, name, fields, self._actor)
            self._supervisor.note_revision(slot, revision)
        sentence = f"restored the previous values as revision {revision}"
        return await self._bring_up(_Written(slot, revision, changed, cleared, sentence), reason)

    async def _ask_for_reason(
        self, slot: BundleSlot, cleared: tuple[str, ...], reason: str | None
    ) -> None:
        if not cleared or not slot.definition.settings.protected or displayed(reason or ""):
            return
        await self._audit(ACTION, slot.workspace, slot.name, BundleProtected.code, "")
        raise BundleProtected(slot.name, f"clearing {', '.join(cleared)} of it", "--reason")

    async def _bring_up(self, written: _Written, reason: str | None) -> CredentialOutcome:
        slot = written.slot
        had_process = slot.is_alive
        respawn = await self._supervisor.credentials_changed(
            slot.workspace,
            slot.name,
            revision=written.revision,
            actor=self._actor,
            must_end_holder=bool(written.cleared),
            # Only now, so that a value that was just written is taken out of it too.
            reason=await self._fit_reason(slot.workspace, slot.name, reason),
        )
        outcome = "ok" if respawn is None else respawn.code
        detail = f"revision {written.revision}: {', '.join(written.changed)}"
        if told := await self._fit_reason(slot.workspace, slot.name, reason):
            detail += f" ({told})"
        await self._audit(ACTION, slot.workspace, slot.name, outcome, detail)
        sentence = written.sentence + _consequence(written, respawn, had_process=had_process)
        return CredentialOutcome(written.revision, written.changed, sentence, respawn)


def _sensitive(fields: tuple[ConfigField, ...], keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(field.key for field in fields if field.sensitive and field.key in keys)


def _what(changed: tuple[str, ...], unset: tuple[str, ...]) -> str:
    saved = [key for key in changed if key not in unset]
    parts = [f"saved {', '.join(saved)}"] if saved else []
    parts += [f"cleared {', '.join(unset)}"] if unset else []
    return " and ".join(parts) or "saved nothing new"


def _consequence(written: _Written, respawn: RespawnResult | None, *, had_process: bool) -> str:
    """Say what the change did to the process that ran with the values of before."""
    if respawn is None or not had_process:
        return ""
    if respawn.code == BundleProtected.code:
        return f"; generation {respawn.generation} goes on without it, its restart is pending"
    if written.cleared and respawn.code != "not_ended":
        held = "it" if len(written.cleared) == 1 else "them"
        return f"; the process that held {held} has ended"
    return ""
