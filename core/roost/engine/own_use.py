"""`OwnUse`: what the daemon itself takes of the machine."""

from __future__ import annotations

import os
import sys
import time


class OwnUse:
    """Processor and memory of this process."""

    def __init__(self) -> None:
        self._used_s, self._seen_at = time.process_time(), time.monotonic()

    def cpu_percent(self) -> float:
        """Return the share of one processor that was used since the last question, in percent."""
        used_s, now = time.process_time(), time.monotonic()
        spent_s, passed_s = used_s - self._used_s, now - self._seen_at
        self._used_s, self._seen_at = used_s, now
        return round(spent_s / passed_s * 100, 1) if passed_s > 0 else 0.0

    def rss_bytes(self) -> int:
        """Return the resident memory."""
        if sys.platform == "linux":
            with open("/proc/self/statm", encoding="ascii") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        # Deferred: a daemon at rest on Linux does without it.
        import psutil

        return int(psutil.Process().memory_info().rss)
