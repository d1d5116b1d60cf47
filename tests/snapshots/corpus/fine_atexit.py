"""Registers something for the end of the process."""

import atexit

atexit.register(int)
