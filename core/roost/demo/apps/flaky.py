"""Flaky: a worker that crashes on purpose, so that backing off can be watched."""

from __future__ import annotations

import sys
import time

for left in range(4, 0, -1):
    print(f"flaky worker: crashes in {left} s", file=sys.stderr, flush=True)
    time.sleep(1)
print("fatal: the disk quota of /srv/flaky is used up (on purpose)", file=sys.stderr, flush=True)
sys.exit(3)
