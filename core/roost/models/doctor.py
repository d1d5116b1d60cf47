"""What the doctor found: one finding per check, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"
    """Roost works; something may be missing, or run out."""
    PROBLEM = "problem"
    """Something does not work, or is open to others, until it is mended."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    check: str
    """Stable name of the check, such as ``data_dir`` or ``runtime_node``."""
    severity: Severity
    said: str
    """What is, in one sentence."""
    mend: str = ""
    """What to do about it, with the command to type; empty when there is nothing to do."""


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """Every finding, in the order of the checks."""

    findings: tuple[Finding, ...]
    checked_at: int
    """Epoch milliseconds."""
