"""Ends the process."""

import sys

sys.exit("no configuration")
