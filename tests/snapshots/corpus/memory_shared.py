"""Maps memory that a forked process shares."""

import mmap

COUNTERS = mmap.mmap(-1, mmap.PAGESIZE)
