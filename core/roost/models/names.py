"""The one rule for names of workspaces and bundles."""

from __future__ import annotations

import re

NAME_PATTERN = r"[a-z0-9][a-z0-9-]{0,62}"
_NAME = re.compile(NAME_PATTERN)


def is_valid_name(name: str) -> bool:
    """Say whether `name` may name a workspace or a bundle."""
    return _NAME.fullmatch(name) is not None


def slug(text: str) -> str:
    """Turn any text into a valid name; an empty result becomes ``bundle``."""
    cleaned = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return cleaned[:63].strip("-") or "bundle"


FIRST_WORKSPACE = "default"
"""The workspace that a first install makes where there is none."""
