"""`Share`: one figure beside another, taken in turn in one run."""

from __future__ import annotations

import statistics
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Share:
    """Milliseconds of two sides."""

    name: str
    subject: tuple[float, ...]
    """What is measured."""
    plain: tuple[float, ...]
    """What it is held against."""
    is_gain: bool = False
    """Whether the ratio is told as how many times the subject is quicker."""

    @property
    def ratio(self) -> float:
        """Median of the subject over the median of the plain side, or the other way round."""
        subject, plain = statistics.median(self.subject), statistics.median(self.plain)
        return plain / subject if self.is_gain else subject / plain

    def __str__(self) -> str:
        subject, plain = statistics.median(self.subject), statistics.median(self.plain)
        unit = "x" if self.is_gain else ""
        return (
            f"{self.name:<52} {subject:8.1f} ms  plain {plain:8.1f} ms  "
            f"ratio {self.ratio:7.3f}{unit}  (n={len(self.subject)})"
        )
