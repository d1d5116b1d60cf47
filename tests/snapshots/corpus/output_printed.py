"""Prints a banner."""

import sys

sys.stdout.write("welcome\n")
