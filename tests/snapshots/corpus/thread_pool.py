"""Starts a pool; its worker stays when the work is done."""

from concurrent.futures import ThreadPoolExecutor

POOL = ThreadPoolExecutor(max_workers=1, thread_name_prefix="loader")
ANSWER = POOL.submit(pow, 2, 10).result()
