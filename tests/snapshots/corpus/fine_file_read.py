"""Reads a file of its own."""

from pathlib import Path

SOURCE = Path(__file__).read_text(encoding="utf-8")
