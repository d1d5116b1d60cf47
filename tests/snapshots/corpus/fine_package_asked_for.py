"""Finds out whether an optional package is installed, and does not load it."""

import importlib.util

HAS_SQLITE = importlib.util.find_spec("sqlite3") is not None
