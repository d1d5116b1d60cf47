"""Installed versions and the vault's key as text."""

from __future__ import annotations

import time
from collections.abc import Sequence

from roost.models import InstalledVersion, VaultView
from roost_tui import render
from roost_tui.log_entries import harmless
from roost_tui.plan_text import Fact
from roost_tui.render import NOTHING
from roost_tui.spans import Spans, Tone, clip
from roost_tui.text_blocks import heading

ROOMY = 100
"""Cells from which on the table says where a version came from."""


def moment(at: int) -> str:
    """Return a day and a time of day, local: ``2026-03-14 09:30``."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at / 1000))


def version_lines(versions: Sequence[InstalledVersion], width: int) -> list[Spans]:
    """Return the table of the versions that are kept, newest first."""
    if not versions:
        return []
    source = f"  {'CONFIG':<8}  SOURCE" if width >= ROOMY else ""
    titles = f"{'NO':>3}  {'VERSION':<10}  {'INSTALLED':<16}  {'BY':<10}  {'READY':>6}  {'':<7}"
    return [heading(f"{titles}{source}"), *(_version(entry, width) for entry in versions)]


def _version(entry: InstalledVersion, width: int) -> Spans:
    ready = NOTHING if entry.ready_ms is None else render.latency(entry.ready_ms)
    left = (
        f"{clip(entry.version or NOTHING, 10):<10}  {moment(entry.installed_at):<16}  "
        f"{clip(entry.installed_by, 10):<10}  {ready:>6}  "
    )
    current = f"{'current' if entry.is_current else '':<7}"
    tone = Tone.TEXT if entry.is_current else Tone.MUTED
    source = f"  {entry.config_hash:<8.8}  {harmless(entry.origin)}" if width >= ROOMY else ""
    return (
        (f"  {entry.number:>3}  ", Tone.STRONG),
        (left, tone),
        (current, Tone.OK),
        (source, Tone.MUTED),
    )


def choice_of(entry: InstalledVersion) -> tuple[str, str, str]:
    """Return a version as an entry of a list to choose from: value, label and hint."""
    current = ", current" if entry.is_current else ""
    hint = f"installed {moment(entry.installed_at)} by {entry.installed_by}{current}"
    return str(entry.number), f"{entry.number}  {entry.version or NOTHING}", hint


def vault_facts(view: VaultView) -> tuple[Fact, ...]:
    """Return where the vault's key is kept and what it opens; never the key."""
    found = [
        Fact("key", f"{view.key_id}, kept in: {view.place.replace('-', ' ')}"),
        Fact("place", view.described, Tone.MUTED),
        Fact("values", render.grouped(view.values)),
    ]
    if view.values_of_former_keys:
        said = f"{view.values_of_former_keys} of them still need a former key; rotate once more"
        found.append(Fact("warning", said, Tone.WARN))
    rotated = moment(view.rotated_at) if view.rotated_at is not None else "never"
    return (*found, Fact("rotated", rotated, Tone.MUTED))
