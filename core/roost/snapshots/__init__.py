"""Startup snapshots: the prepared start of a bundle, built once and restored at every start."""
