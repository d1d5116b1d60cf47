"""Makes a pool that starts its threads when they are needed."""

from concurrent.futures import ThreadPoolExecutor

POOL = ThreadPoolExecutor(max_workers=4)
