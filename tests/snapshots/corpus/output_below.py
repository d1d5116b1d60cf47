"""Writes to the descriptor of standard error."""

import os

os.write(2, b"loaded\n")
