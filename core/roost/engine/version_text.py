"""Kept versions as clients see them, and what a change of version did, in words."""

from __future__ import annotations

from dataclasses import replace

from roost.bundles import config_hash
from roost.errors import BundleProtected
from roost.models import (
    Definition,
    GenerationView,
    InstalledVersion,
    RespawnResult,
    VersionRow,
)


def installed_versions(
    rows: tuple[VersionRow, ...],
    current: int,
    present: Definition,
    history: tuple[GenerationView, ...],
) -> tuple[InstalledVersion, ...]:
    """Return the kept versions with what their last starts took.

    Args:
        rows: the kept versions, newest first.
        current: number of the one that starts use.
        present: the definition of now, whose settings every version would be started with.
        history: generations, newest first.
    """
    return tuple(_view(row, row.number == current, present, history) for row in rows)


def _view(
    row: VersionRow, is_current: bool, present: Definition, history: tuple[GenerationView, ...]
) -> InstalledVersion:
    with_settings = replace(row.definition, settings=present.settings)
    digest = config_hash(present if is_current else with_settings)
    digests = {digest, config_hash(with_settings), config_hash(row.definition)}
    source = row.definition.source
    return InstalledVersion(
        number=row.number,
        version=row.definition.version,
        origin=source.origin,
        sha256=source.sha256,
        config_hash=digest,
        installed_at=row.installed_at,
        installed_by=row.installed_by,
        is_current=is_current,
        ready_ms=next(
            (
                view.ready_ms
                for view in history
                if view.config_hash in digests and view.ready_ms is not None
            ),
            None,
        ),
    )


def outcome_sentence(
    label: str,
    before: InstalledVersion,
    after: InstalledVersion,
    respawn: RespawnResult | None,
    verb: str,
) -> str:
    """Say what a change of version did and what to do next."""
    if before.number == after.number:
        return f"{label} has {_named(after)} already; nothing was changed"
    if respawn is None:
        return f"{label} has {_named(after)} from its next start on, it had {_named(before)}"
    if respawn.ok:
        return f"{label} runs {_named(after)}{_figures(before, after)}; it ran {_named(before)}"
    if respawn.code == BundleProtected.code:
        return (
            f"{label} has {_named(after)}, but it is protected: generation {respawn.generation} "
            f"goes on with {_named(before)} until `roost respawn {label} --force REASON`"
        )
    return_to = f"`roost rollback {label}` returns to {_named(before)}"
    if verb == "rollback":
        return_to = f"`roost versions {label}` lists what else is kept"
    return f"{label} has {_named(after)}, which did not come up: {respawn.sentence}; {return_to}"


def _named(version: InstalledVersion) -> str:
    told = f" ({version.version})" if version.version else ""
    return f"version {version.number}{told}"


def _figures(before: InstalledVersion, after: InstalledVersion) -> str:
    if after.ready_ms is None:
        return ""
    if before.ready_ms is None:
        return f", ready in {after.ready_ms} ms"
    return f", ready in {after.ready_ms} ms ({before.ready_ms} ms before)"
