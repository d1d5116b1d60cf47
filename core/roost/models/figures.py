"""What a bundle's process tree used over the last minutes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FigureSample:
    """Figures of one moment, as a sparkline draws them."""

    at: int
    """Epoch milliseconds."""
    cpu_percent: float
    """Of one processor."""
    rss_bytes: int
    descriptors: int | None
    """None where the system does not tell."""
    threads: int
