"""The doctor's findings as lines of 80 columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from roost.cli.table import Cell, clean, styled, width_of
from roost.cli.terminal import Terminal
from roost.cli.words import plural
from roost.models.doctor import Finding, Severity

WIDTH = 80

SEVERITIES = {
    Severity.OK: ("+", "ok", "good"),
    Severity.WARNING: ("?", "warning", "busy"),
    Severity.PROBLEM: ("!", "problem", "bad"),
}
"""Glyph, word and meaning of a severity."""

MEND_INDENT = 4

GAP = "  "


def print_findings(terminal: Terminal, findings: Sequence[Finding]) -> None:
    """Write every finding, what mends it below it, and the count at the end."""
    indent = max((len(finding.check) for finding in findings), default=0)
    for finding in findings:
        for cell in _finding_lines(finding, indent):
            print(styled(cell.text, cell.style) if terminal.has_colour else cell.text)
    print(_summary(findings))


def _finding_lines(finding: Finding, indent: int) -> Iterator[Cell]:
    glyph, word, style = SEVERITIES[finding.severity]
    head = f"{glyph} {word:<7}{GAP}{finding.check:<{indent}}{GAP}"
    first, *rest = wrapped(finding.said, len(head))
    yield _verbatim(head + first.lstrip(), "" if finding.severity is Severity.OK else style)
    mend = wrapped(finding.mend, MEND_INDENT) if finding.mend else ()
    for text in (*rest, *mend):
        yield _verbatim(text)


def wrapped(sentence: str, indent: int) -> Iterator[str]:
    """Yield the lines of a sentence, each behind the indent.

    A command between backticks is never broken, so that it can be copied; one that is longer than
    a line has a line of its own.
    """
    pieces = re.findall(r"`[^`]*`\S*|\S+", clean(sentence))
    line = ""
    for piece in pieces:
        longer = f"{line} {piece}" if line else piece
        if line and indent + width_of(longer) > WIDTH:
            yield " " * indent + line
            longer = piece
        line = longer
    yield " " * indent + line


def _verbatim(text: str, style: str = "") -> Cell:
    cell = Cell("", style)
    cell.text = text  # its words were made harmless, and its indent is meant
    return cell


def _summary(findings: Sequence[Finding]) -> str:
    counts = {
        severity: sum(finding.severity is severity for finding in findings)
        for severity in (Severity.PROBLEM, Severity.WARNING)
    }
    told = [plural(count, severity.value) for severity, count in counts.items() if count]
    return f"{' and '.join(told)} found" if told else "nothing is wrong"
