"""Looks for a flag among the arguments."""

import sys

IS_VERBOSE = "--verbose" in sys.argv
