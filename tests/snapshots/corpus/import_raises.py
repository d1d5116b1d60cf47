"""Raises."""

raise RuntimeError("no configuration")
