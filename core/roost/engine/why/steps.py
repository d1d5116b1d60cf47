"""What a check found, in the shape of the report."""

from __future__ import annotations

from dataclasses import dataclass

from roost.models import WhyCheck, WhyStatus, WhyStep

EVIDENCE_LINES = 12
EVIDENCE_WIDTH = 400
"""Characters of one line of evidence; the log has the whole line."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that keeps a bundle from starting or working, found in one place."""

    said: str
    way_out: str
    evidence: tuple[str, ...] = ()
    action: str | None = None


def passed(check: WhyCheck, said: str, *evidence: str) -> WhyStep:
    """Return a check that found nothing wrong."""
    return WhyStep(check, WhyStatus.PASSED, said, evidence)


def failed(check: WhyCheck, trouble: Trouble) -> WhyStep:
    """Return a check that found what is wrong."""
    evidence = tuple(_cut(line) for line in trouble.evidence[-EVIDENCE_LINES:])
    return WhyStep(check, WhyStatus.FAILED, trouble.said, evidence, trouble.way_out, trouble.action)


def unknown(check: WhyCheck, said: str) -> WhyStep:
    """Return a check that was not reached or has nothing to look at."""
    return WhyStep(check, WhyStatus.UNKNOWN, said)


def _cut(line: str) -> str:
    return line if len(line) <= EVIDENCE_WIDTH else f"{line[: EVIDENCE_WIDTH - 1]}…"
