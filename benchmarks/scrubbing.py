"""What it costs to search output for secrets, in lines of 100 bytes per second."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from secrets import token_urlsafe

from roost.vault import Scrubber

SECRETS = (1, 5, 20)
LINE = (
    b"INFO worker-3 handled request 8c1f in 14 ms and answered 200 to its caller".ljust(99, b".")
    + b"\n"
)
BLOCK_BYTES = 64 * 1024
"""As much as the daemon reads at a time."""
TOTAL_BYTES = 20 * 2**20


def run() -> Iterator[str]:
    """Yield one line per number of secrets."""
    block = LINE * (BLOCK_BYTES // len(LINE))
    for count in SECRETS:
        scrubber = Scrubber([token_urlsafe(32) for _ in range(count)])
        blocks = _rate(scrubber, [block] * (TOTAL_BYTES // len(block)))
        lines = _rate(scrubber, [LINE] * (TOTAL_BYTES // len(LINE) // 10))
        yield (
            f"scrubbing, {count:>2} secrets   by block {blocks:9.0f} k/s   by line {lines:9.0f} k/s"
        )


def _rate(scrubber: Scrubber, chunks: Sequence[bytes]) -> float:
    """Return thousands of lines per second."""
    stream = scrubber.stream()
    began = time.perf_counter()
    for chunk in chunks:
        stream.feed(chunk)
    stream.flush()
    seconds = time.perf_counter() - began
    return sum(map(len, chunks)) / len(LINE) / seconds / 1000
