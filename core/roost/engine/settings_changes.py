"""`SettingsChanges`: other settings for an installed bundle, at once or from its next start on."""

from __future__ import annotations

from roost.bundles import changed_definition, check_after, check_strategy, differences
from roost.engine.credential_changes import Audit, FitReason
from roost.errors import BundleProtected
from roost.models import Definition, SettingsChange, SettingsOutcome
from roost.store.base import BundleRows
from roost.supervision import BundleSlot, Supervisor

ACTION = "bundle.settings"


class SettingsChanges:
    """Changes the settings of bundles on behalf of one actor.

    No process is touched. What shapes a start leaves the running one stale; all else counts from
    the moment in which it is stored.
    """

    def __init__(
        self, supervisor: Supervisor, rows: BundleRows, *, audit: Audit, fit_reason: FitReason
    ) -> None:
        self._supervisor = supervisor
        self._rows = rows
        self._audit = audit
        self._fit_reason = fit_reason

    async def change(self, workspace: str, name: str, change: SettingsChange) -> SettingsOutcome:
        """Store other settings and let the bundle have them.

        Raises:
            BundleNotFound, BadInput, BundleProtected, StoreUnavailable: nothing was changed.
        """
        reason = await self._fit_reason(workspace, name, change.reason)
        async with self._supervisor.changing(workspace, name) as slot:
            before = slot.definition
            after = changed_definition(before, change)
            self._check(slot, after)
            await self._ask_for_reason(slot, after, reason)
            told = _told(before, after)
            if told:
                await self._rows.set_definition(workspace, name, after)
                slot = self._supervisor.redefine(workspace, name, after)
        if told:
            detail = "; ".join(told.values()) + (f" ({reason})" if reason else "")
            await self._audit(ACTION, workspace, name, "ok", detail)
        return _outcome(slot, told)

    def _check(self, slot: BundleSlot, after: Definition) -> None:
        check_strategy(slot.name, after)
        if after.after != slot.definition.after:
            check_after(slot.name, after.after, order_of(self._supervisor, slot.workspace))

    async def _ask_for_reason(
        self, slot: BundleSlot, after: Definition, reason: str | None
    ) -> None:
        """Refuse to lift a protection in silence: it would let every other action past it."""
        is_lifted = slot.definition.settings.protected and not after.settings.protected
        if is_lifted and reason is None:
            await self._audit(ACTION, slot.workspace, slot.name, BundleProtected.code, "")
            raise BundleProtected(slot.name, "lifting that")


def order_of(supervisor: Supervisor, workspace: str) -> dict[str, tuple[str, ...]]:
    """Return what each bundle of a workspace comes after, by name."""
    slots = [slot for slot in supervisor.slots if slot.workspace == workspace]
    return {slot.name: slot.definition.after for slot in slots}


def _told(before: Definition, after: Definition) -> dict[str, str]:
    """Return what differs, by the setting's name, in words."""
    return {
        name: f"{name} is {_shown(new)}, was {_shown(old)}"
        for name, old, new in differences(before, after)
    }


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None else str(value)


def _outcome(slot: BundleSlot, told: dict[str, str]) -> SettingsOutcome:
    needs_respawn = "configuration" in slot.stale_in()
    if not told:
        sentence = f"no setting of {slot.label} was changed"
    else:
        sentence = f"{slot.label}: {'; '.join(told.values())}"
    if needs_respawn:
        forced = " --force REASON" if slot.definition.settings.protected else ""
        sentence += (
            f"; its process was started with others and keeps them until `roost respawn "
            f"{slot.label}{forced}`"
        )
    return SettingsOutcome(
        settings=slot.definition.settings,
        after=slot.definition.after,
        changed=tuple(told),
        needs_respawn=needs_respawn,
        sentence=sentence,
    )
