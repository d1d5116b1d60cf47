"""What an import found, chose and did, as text: rows, remarks and sentences."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from roost.client.amounts import plural
from roost.models import ImportedFile, ImportEntry, ImportOutcome, ImportPlan
from roost_tui.log_entries import harmless
from roost_tui.plan_text import Fact, run_facts, warnings_of
from roost_tui.spans import Tone, clip


@dataclass(frozen=True, slots=True)
class Group:
    """Entries of one client, or of one project of it."""

    title: str
    entries: tuple[ImportEntry, ...]


def is_choosable(entry: ImportEntry) -> bool:
    """Say whether an entry can be imported at all."""
    return not entry.problem


def is_marked_first(entry: ImportEntry) -> bool:
    """Say whether an entry is marked before the operator has chosen."""
    unwanted = (entry.problem, entry.duplicate_of, entry.installed_as)
    return not any(unwanted) and not entry.is_disabled


def groups(entries: Iterable[ImportEntry]) -> tuple[Group, ...]:
    """Return the entries by client and project, in the order of the plan."""
    found: dict[str, list[ImportEntry]] = {}
    for entry in entries:
        found.setdefault(_group_title(entry), []).append(entry)
    return tuple(Group(title, tuple(members)) for title, members in found.items())


def _group_title(entry: ImportEntry) -> str:
    project = f", project {entry.project}" if entry.project else ""
    return harmless(f"{entry.client}{project}")


def what_runs(entry: ImportEntry) -> str:
    """Return the command, or the address of a server that runs elsewhere, on one line."""
    return harmless(shlex.join(entry.argv) if entry.argv else entry.url or "-")


def remarks(entry: ImportEntry) -> tuple[tuple[str, Tone], ...]:
    """Return the words that stand on an entry's row, what matters most first."""
    found: list[tuple[str, Tone]] = []
    if entry.problem:
        found.append(("cannot be imported", Tone.FAULT))
    if entry.installed_as:
        found.append((f"installed as {entry.installed_as}", Tone.MUTED))
    if entry.duplicate_of:
        found.append(("duplicate", Tone.MUTED))
    if entry.is_disabled:
        found.append(("disabled", Tone.MUTED))
    if entry.secret_arguments:
        found.append(("secret in command", Tone.WARN))
    if entry.is_from_repository:
        found.append(("from repository", Tone.WARN))
    found += [(note.code.replace("_", " "), Tone.WARN) for note in entry.notes if note.is_warning]
    if entry.questions:
        found.append((plural(len(entry.questions), "question"), Tone.ACCENT))
    if entry.secrets:
        found.append((f"{plural(len(entry.secrets), 'secret')} to vault", Tone.OK))
    return tuple(dict(found).items())


def entry_facts(entry: ImportEntry, known: dict[str, ImportEntry]) -> tuple[Fact, ...]:
    """Return everything about one entry, what stands against it first.

    Args:
        entry: the entry.
        known: the entries of the plan by id, to name duplicates.
    """
    found: list[Fact] = []
    if entry.problem:
        found.append(Fact("warning", entry.problem, Tone.FAULT))
    found += run_facts(entry.argv, entry.url)
    found += _standing_facts(entry, known)
    found += warnings_of(entry.notes)
    if entry.secrets:
        found.append(Fact("to the vault", ", ".join(entry.secrets), Tone.OK))
    if entry.env_names:
        found.append(Fact("environment", ", ".join(entry.env_names)))
    if entry.header_names:
        found.append(Fact("headers", ", ".join(entry.header_names)))
    if entry.questions:
        found.append(Fact("asks for", ", ".join(question.title for question in entry.questions)))
    if entry.copy is not None:
        found.append(Fact("pinned copy", entry.copy.sentence, Tone.MUTED))
    found.append(Fact("from", f"{entry.entry} in {entry.path}", Tone.MUTED))
    return tuple(Fact(fact.label, harmless(fact.text), fact.tone) for fact in found)


def _standing_facts(entry: ImportEntry, known: dict[str, ImportEntry]) -> list[Fact]:
    found: list[Fact] = []
    if entry.installed_as:
        said = f"the same server is installed as {entry.installed_as}"
        found.append(Fact("note", said, Tone.MUTED))
    if entry.duplicate_of:
        other = known.get(entry.duplicate_of)
        of = f"{other.name} of {other.client}" if other is not None else "another entry"
        found.append(Fact("note", f"starts the same as {of}", Tone.MUTED))
    if entry.is_disabled:
        found.append(Fact("note", f"{entry.client} has it switched off", Tone.MUTED))
    if entry.is_from_repository:
        said = "anybody who writes to the project can change what it runs"
        found.append(Fact("warning", said, Tone.WARN))
    if entry.secret_arguments:
        said = f"{', '.join(entry.secret_arguments)} stands in its command line"
        found.append(Fact("warning", f"{said}, where every user can read it", Tone.WARN))
    return found


# Files --------------------------------------------------------------------------------------------


def files_sentence(plan: ImportPlan) -> str:
    """Return what was found, in one sentence."""
    if not plan.files:
        return "No client of this machine has a configuration of MCP servers."
    where = plural(len(plan.files), "configuration")
    return f"{plural(len(plan.entries), 'server')} in {where}. Nothing was written or run."


def file_line(file: ImportedFile) -> tuple[str, Tone]:
    """Return what was found in a file."""
    if file.problem:
        return harmless(file.problem), Tone.FAULT
    return plural(file.servers, "server"), Tone.TEXT if file.servers else Tone.MUTED


# Confirming and ending ----------------------------------------------------------------------------


def adding_sentence(entries: Sequence[ImportEntry], workspace: str, *, starts: bool) -> str:
    """Return exactly what a yes does."""
    count = plural(len(entries), "bundle")
    then = "and started" if starts else "and nothing is started"
    return f"{count} will be added to {workspace}, {then}. {SOURCES_STAY}"


SOURCES_STAY = "The configurations themselves are not changed."


def vault_sentence(entries: Sequence[ImportEntry]) -> str:
    """Return how many secrets go to the vault; nothing where there are none."""
    count = sum(len(entry.secrets) for entry in entries)
    verb = "goes" if count == 1 else "go"
    return f"{plural(count, 'secret')} {verb} to the vault." if count else ""


def outcome_sentence(outcome: ImportOutcome) -> tuple[str, Tone]:
    """Return how an import ended, in one sentence."""
    added = sum(result.ok for result in outcome.results)
    failed = len(outcome.results) - added
    if not failed:
        return f"{plural(added, 'bundle')} added.", Tone.OK
    return f"{plural(added, 'bundle')} added, {failed} not.", Tone.FAULT if not added else Tone.WARN


# Columns ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Widths:
    """Cells of the columns of the list."""

    name: int
    runs: int
    remarks: int


def widths(entries: Iterable[ImportEntry], room: int) -> Widths:
    """Share out the cells of a row: names whole as far as that goes, then what runs."""
    longest = max((len(entry.name) for entry in entries), default=0)
    name = min(max(longest, 8), max(room // 4, 12))
    rest = max(room - name - 4, 20)
    remarks_width = max(rest * 2 // 5, 18)
    return Widths(name, rest - remarks_width, remarks_width)


def remark_text(entry: ImportEntry, width: int, ellipsis: str) -> tuple[tuple[str, Tone], ...]:
    """Return as many remarks as fit, whole where possible; the first is always told."""
    kept: list[tuple[str, Tone]] = []
    room = width
    for words, tone in remarks(entry):
        gap = ", " if kept else ""
        if len(gap + words) > room:
            if not kept:
                kept.append((clip(words, room, ellipsis), tone))
            elif room >= 2:
                kept.append((f" {ellipsis}", Tone.MUTED))
            break
        kept.append((gap + words, tone))
        room -= len(gap + words)
    return tuple(kept)
