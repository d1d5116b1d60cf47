"""One line of the output: who, how long, and beside what."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def milliseconds(what: str, who: str, seconds: Sequence[float]) -> str:
    """Word the median and the 95th percentile."""
    ordered = sorted(seconds)
    median = statistics.median(ordered) * 1000
    late = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))] * 1000
    return f"{what:<34} {who:<12} p50 {median:9.1f} ms  p95 {late:9.1f} ms  (n={len(ordered)})"
