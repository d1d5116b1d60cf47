"""Puts other arguments in place of its own."""

import sys

sys.argv = ["app", "serve"]
