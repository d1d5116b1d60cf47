"""Short ways to say what was found."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from roost.models.doctor import Finding, Severity


def ok(check: str, said: str) -> Finding:
    """Return a finding that needs nothing."""
    return Finding(check, Severity.OK, said)


def warning(check: str, said: str, mend: str) -> Finding:
    """Return a finding that may matter later."""
    return Finding(check, Severity.WARNING, said, mend)


def problem(check: str, said: str, mend: str) -> Finding:
    """Return a finding that keeps Roost from working, or opens it to others."""
    return Finding(check, Severity.PROBLEM, said, mend)


def command(*words: str | Path) -> str:
    """Return a command to type, as it is written inside a sentence."""
    return f"`{shlex.join(map(str, words))}`"


def listed(items: Iterable[object]) -> str:
    """Join with commas, and the last two with "and"."""
    words = [str(item) for item in items]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def size(count: int) -> str:
    """Return bytes in the binary unit that suits them."""
    value = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1023.5:
            return f"{value:.0f} {unit}" if unit != "GiB" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
