"""A plan of an import as text of at most 80 columns."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator
from typing import Any

from roost.cli.table import clean

WIDTH = 80
"""Columns that everybody has."""

Entry = dict[str, Any]

_INDENT = 4
_QUIET_NOTES = ("network", "several_processes", "disabled", "no_program")
"""Said by another line, or not worth one in a list of many."""


def plan_lines(plan: dict[str, Any]) -> Iterator[str]:
    """Yield the plan, grouped by client and project, and how to go on."""
    names = {entry["id"]: entry["name"] for entry in plan["entries"]}
    for file in plan["files"]:
        if file["problem"]:
            yield from _wrapped("", f"not read: {file['problem']}")
    shown = ("", "", "")
    for entry in plan["entries"]:
        group = (entry["client"], entry["path"], entry["project"] or "")
        if group != shown:
            shown = group
            yield ""
            yield from _heading(group)
        yield from _entry_lines(entry, names)
    yield from _ending(plan)


def choice_lines(entries: list[Entry]) -> Iterator[str]:
    """Yield what is about to be imported."""
    for entry in entries:
        yield from _wrapped("", f"{entry['name']}: {_what(entry)}", hanging=_INDENT)
        if entry["installed_as"]:
            yield from _wrapped(
                " " * _INDENT, f"note: installed as {entry['installed_as']} already"
            )
        for note in entry["notes"]:
            if note["is_warning"]:
                yield from _wrapped(" " * _INDENT, f"note: {note['sentence']}")


def _heading(group: tuple[str, str, str]) -> Iterator[str]:
    client, path, project = group
    yield from _wrapped("", f"{client}, {path}", hanging=_INDENT)
    if project and not path.startswith(project):
        yield from _wrapped("", f"for {project}", hanging=_INDENT)


def _entry_lines(entry: Entry, names: dict[str, str]) -> Iterator[str]:
    called = entry["name"]
    if entry["entry"] != entry["name"]:
        called += f" ({entry['entry']})"
    state = _state(entry, names)
    yield from _wrapped("  ", f"{called}{f', {state}' if state else ''}", hanging=_INDENT)
    for name, value in _facts(entry):
        yield from _wrapped(" " * _INDENT, f"{name} {value}", hanging=len(name) + 1)


def _state(entry: Entry, names: dict[str, str]) -> str:
    if entry["problem"]:
        return "cannot be imported"
    states = [
        "switched off in its client" if entry["is_disabled"] else "",
        f"installed as {entry['installed_as']}" if entry["installed_as"] else "",
        f"the same as {names[entry['duplicate_of']]}" if entry["duplicate_of"] else "",
    ]
    return ", ".join(state for state in states if state)


def _facts(entry: Entry) -> Iterator[tuple[str, str]]:
    if entry["problem"]:
        yield "because:", entry["problem"]
        return
    yield "runs", _what(entry)
    if entry["secrets"]:
        yield "to the vault:", ", ".join(entry["secrets"])
    asks = [
        question["key"] + ("" if question["is_required"] else " (optional)")
        for question in entry["questions"]
    ]
    if asks:
        yield "asks for", ", ".join(asks)
    for note in entry["notes"]:
        if note["code"] not in _QUIET_NOTES:
            yield ("warning:" if note["is_warning"] else "note:"), note["sentence"]
    if entry["copy"] is not None:
        yield "better:", f"a pinned copy of {entry['copy']['package']}, with --resolve"


def _what(entry: Entry) -> str:
    if entry["argv"]:
        return " ".join(map(_word, entry["argv"]))
    return f"somewhere else, at {entry['url']}"


def _word(word: str) -> str:
    """Quote a word for a shell, and leave the names of fields readable."""
    return word if "<" in word and " " not in word else shlex.quote(word)


def _ending(plan: dict[str, Any]) -> Iterator[str]:
    found = len(plan["entries"])
    if not found:
        yield "No MCP client of this machine has a server; --from FILE names another file."
        return
    yield ""
    yield from _wrapped(
        "",
        f"{found} found, nothing was changed. `roost import NAME...` imports some, "
        "`roost import --all` what nothing speaks against; the files stay as they are.",
    )


def _wrapped(indent: str, text: str, *, hanging: int = 0) -> list[str]:
    return textwrap.wrap(
        clean(text),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + " " * hanging,
        break_on_hyphens=False,
        break_long_words=True,
    ) or [indent]
