"""`Unfit`: what keeps one entry from being taken over."""

from __future__ import annotations


class Unfit(Exception):
    """Says of an entry, in words that follow its name, what it does that Roost cannot take over."""
