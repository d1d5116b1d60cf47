"""Which version a bundle may change to, and which of the kept ones nobody needs any more."""

from __future__ import annotations

from dataclasses import replace

from roost.bundles import config_hash
from roost.errors import Changed, Refused, VersionNotFound
from roost.models import BundleRow, Definition, VersionRow
from roost.supervision import BundleSlot

VERSIONS_KEPT = 5
"""Newest versions of a bundle that stay, besides the current one and the one before the change."""


def row_of(slot: BundleSlot, definition: Definition, number: int) -> BundleRow:
    """Return the row of a bundle with another version."""
    return BundleRow(
        workspace=slot.workspace,
        name=slot.name,
        definition=definition,
        should_run=slot.should_run,
        installed_at=slot.installed_at,
        version_number=number,
    )


def check_unchanged(slot: BundleSlot, made_from: Definition | None) -> None:
    """Make sure that what a new version was made from is still the current one.

    Raises:
        Changed: it is not.
    """
    if made_from is not None and config_hash(made_from) != config_hash(slot.definition):
        raise Changed(
            f"{slot.label} was given another version meanwhile; nothing was changed, try again"
        )


def chosen(slot: BundleSlot, rows: tuple[VersionRow, ...], number: int | None) -> VersionRow:
    """Return the version to go back to.

    Raises:
        Refused, VersionNotFound: it is not kept.
    """
    if number is None:
        earlier = [row for row in rows if row.number < slot.version_number]
        if not earlier:
            raise Refused(
                f"{slot.label} has no earlier version that is kept; `roost versions {slot.label}` "
                "lists them"
            )
        return earlier[0]
    found = next((row for row in rows if row.number == number), None)
    if found is None:
        raise VersionNotFound(
            f"{slot.label} has no version {number} that is kept; `roost versions {slot.label}` "
            "lists them"
        )
    return found


def forgettable(
    slot: BundleSlot, rows: tuple[VersionRow, ...], before: int
) -> tuple[VersionRow, ...]:
    """Return the versions beyond those that are kept; a running process keeps its own."""
    kept = {row.number for row in rows[:VERSIONS_KEPT]} | {slot.version_number, before}
    running = slot.generation.config_hash if slot.is_alive and slot.generation else None
    return tuple(
        row
        for row in rows
        if row.number not in kept
        and config_hash(replace(row.definition, settings=slot.definition.settings)) != running
        and config_hash(row.definition) != running
    )
