"""A plan of an install as text: what will run is shown before it does."""

from __future__ import annotations

import shlex
import textwrap
from typing import Any

from roost.cli.session import Session
from roost.cli.table import clean

WIDTH = 80
"""Columns that everybody has."""

Plan = dict[str, Any]
"""An `InstallPlan` in wire form."""


def show_plan(session: Session, plan: Plan) -> None:
    """Print a plan as the result of a verb."""
    for line in plan_lines(plan):
        print(line)


def note_plan(session: Session, plan: Plan) -> None:
    """Say in a few lines on stderr what is about to be installed."""
    session.terminal.note(f"{plan['name']} runs: {_what(plan)}")
    warnings = [note["sentence"] for note in plan["notes"] if note["is_warning"]]
    if warnings:
        session.terminal.note(f"note: {' '.join(warnings)}")


def plan_lines(plan: Plan) -> list[str]:
    """Return a plan in lines of at most 80 columns."""
    definition = plan["definition"]
    version = f" {definition['version']}" if definition["version"] else ""
    facts = [
        ("bundle", f"{plan['name']}: {definition['title']}{version}"),
        ("runs", _what(plan)),
        ("in", "\n".join(plan["directories"])),
        ("variables", ", ".join(plan["env_names"])),
        ("given", ", ".join(plan["given_fields"])),
        ("needs", ", ".join(plan["missing_fields"])),
        ("sha256", plan["sha256"] or ""),
        ("signed by", f"{plan['signed_by']} (not checked)" if plan["signed_by"] else ""),
    ]
    lines = [line for name, value in facts if value for line in _fact(name, value)]
    for note in plan["notes"]:
        lines += _fact("warning" if note["is_warning"] else "note", note["sentence"])
    if plan["copy"] is not None:
        lines += _fact("better", f"{plan['copy']['sentence']} Add --resolve for it.")
    return lines


def _what(plan: Plan) -> str:
    definition = plan["definition"]
    if plan["argv"]:
        return shlex.join(plan["argv"])
    return f"somewhere else, at {definition['url']}"


def _fact(name: str, value: str) -> list[str]:
    indent = " " * 11
    lines: list[str] = []
    for part in value.split("\n"):
        lines += textwrap.wrap(
            clean(part), WIDTH - len(indent), break_on_hyphens=False, break_long_words=False
        )
    first, *more = lines or [""]
    return [f"{name:<10} {first}", *(indent + line for line in more)]
