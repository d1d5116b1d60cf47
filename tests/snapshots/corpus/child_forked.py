"""Forks, and does not wait for its child."""

import os

CHILD = os.fork()
if CHILD == 0:
    os._exit(0)
