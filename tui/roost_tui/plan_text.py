"""A reviewed install as text: what would run, where it would lie, what it still needs."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from roost.models import Definition, InstallPlan, PlanNote
from roost_tui.log_entries import harmless
from roost_tui.spans import Tone

SECRET_ARGUMENT = "secret_argument"
"""Code of the note that a secret would stand in the command line."""

DIGEST_SHOWN = 16
"""Letters of a hash that people compare; the whole of it is checked."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A label with what is so, for one row."""

    label: str
    text: str
    tone: Tone = Tone.TEXT


def plan_facts(plan: InstallPlan) -> tuple[Fact, ...]:
    """Return everything that an operator reviews, what runs first; harmless to draw."""
    found = [
        *run_facts(plan.argv, plan.definition.url),
        _listed("lies in", plan.directories, "nothing is put on this machine"),
        _listed("environment", plan.env_names, "nothing beyond the usual"),
        Fact("kind", kind_text(plan.definition), Tone.MUTED),
    ]
    if plan.definition.headers:
        found.append(Fact("headers", ", ".join(sorted(plan.definition.headers))))
    if plan.given_fields:
        said = f"{', '.join(plan.given_fields)}; kept in the vault"
        found.append(Fact("credentials", said))
    if plan.missing_fields:
        said = f"{', '.join(plan.missing_fields)}; the form opens next"
        found.append(Fact("still needs", said, Tone.WARN))
    found += _origin_facts(plan)
    return tuple(Fact(fact.label, harmless(fact.text), fact.tone) for fact in found)


def run_facts(argv: Sequence[str], url: str | None) -> list[Fact]:
    """Return what would run here, and where a server answers that runs elsewhere."""
    found: list[Fact] = []
    if argv:
        found.append(Fact("runs", shlex.join(argv), Tone.STRONG))
    elif url:
        found.append(Fact("runs", "nothing here: the server runs elsewhere", Tone.MUTED))
    if url:
        found.append(Fact("answers at", url, Tone.ACCENT))
    return found


def _listed(label: str, items: Sequence[str], nothing: str) -> Fact:
    return Fact(label, ", ".join(items)) if items else Fact(label, nothing, Tone.MUTED)


def kind_text(definition: Definition) -> str:
    """Return the kind, the runtime where one is used, and the version."""
    runtime = f" {definition.runtime}" if definition.command else ""
    version = f", version {definition.version}" if definition.version else ""
    return f"{definition.kind}{runtime}{version}"


def _origin_facts(plan: InstallPlan) -> list[Fact]:
    found = [Fact("source", plan.definition.source.origin, Tone.MUTED)]
    if plan.sha256:
        found.append(Fact("SHA-256", f"{plan.sha256[:DIGEST_SHOWN]}…", Tone.MUTED))
    if plan.signed_by:
        said = f"{plan.signed_by}; the signature is not checked and proves nothing"
        found.append(Fact("signed by", said, Tone.WARN))
    return found


def warnings_of(notes: Iterable[PlanNote]) -> tuple[Fact, ...]:
    """Return the notes as rows, warnings first."""
    ordered = sorted(notes, key=lambda note: not note.is_warning)
    return tuple(
        Fact(
            "warning" if note.is_warning else "note",
            harmless(note.sentence),
            Tone.WARN if note.is_warning else Tone.MUTED,
        )
        for note in ordered
    )


def needs_consent(plan: InstallPlan) -> bool:
    """Say whether a secret would stand in the command line, which has to be allowed."""
    return any(note.code == SECRET_ARGUMENT for note in plan.notes)
