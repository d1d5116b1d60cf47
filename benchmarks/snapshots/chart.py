"""``python -m benchmarks.snapshots.chart FILE.svg``: the comparisons as bars, for the README."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.snapshots import comparisons
from benchmarks.snapshots.comparison import Comparison

WIDTH, ROW, LEFT, RIGHT, TOP = 760, 46, 150, 130, 44

COLD, RESTORED, TEXT, DIM, GROUND = "#8a94a6", "#2f9e63", "#1f2530", "#5c6675", "#ffffff"


def main(path: str) -> int:
    """Measure, print each line, and draw."""
    taken = []
    for comparison in comparisons():
        print(comparison, flush=True)
        taken.append(comparison)
    Path(path).write_text("\n".join(drawing(taken)) + "\n")
    return 0


def drawing(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Yield the lines of an SVG with a pair of bars for each comparison."""
    height = TOP + ROW * len(comparisons) + 12
    longest = max(statistics.median(one.cold) for one in comparisons)
    scale = (WIDTH - LEFT - RIGHT) / longest
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">'
    )
    yield f'<rect width="{WIDTH}" height="{height}" fill="{GROUND}"/>'
    yield (
        f'<text x="{LEFT}" y="24" fill="{DIM}">milliseconds from spawn to readiness, median: '
        f'<tspan fill="{COLD}" font-weight="bold">cold</tspan> and '
        f'<tspan fill="{RESTORED}" font-weight="bold">from the snapshot</tspan></text>'
    )
    for number, one in enumerate(comparisons):
        yield from _pair(one, TOP + ROW * number, scale)
    yield "</svg>"


def _pair(one: Comparison, top: int, scale: float) -> Iterator[str]:
    yield (
        f'<text x="{LEFT - 10}" y="{top + 22}" fill="{TEXT}" text-anchor="end">{one.name}</text>'
    )
    for values, offset, colour, tail in (
        (one.cold, 0, COLD, ""),
        (one.restored, 18, RESTORED, f", {one.ratio:.1f}x as fast"),
    ):
        median = statistics.median(values)
        width = max(2.0, median * scale)
        yield (
            f'<rect x="{LEFT}" y="{top + offset}" width="{width:.1f}" height="15" rx="2" '
            f'fill="{colour}"/>'
        )
        yield (
            f'<text x="{LEFT + width + 6:.1f}" y="{top + offset + 12}" fill="{TEXT}">'
            f"{median:.0f}{tail}</text>"
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
