"""Keeps the time of its start."""

import time

STARTED_AT = time.time()
