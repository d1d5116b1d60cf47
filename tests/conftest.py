"""Sorts the tests: what starts processes or draws screens is no unit test."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

HERE = Path(__file__).parent

STARTS_PROCESSES = ("drivers", "integration")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark whole folders, so that no test of theirs can be forgotten."""
    for item in items:
        folder = item.path.relative_to(HERE).parts[0]
        if folder in STARTS_PROCESSES:
            item.add_marker(pytest.mark.real)
        if folder == "tui" and _draws(item):
            item.add_marker(pytest.mark.screen)


def _draws(item: pytest.Item) -> bool:
    function = getattr(item, "function", None)
    return "snap_compare" in getattr(item, "fixturenames", ()) or asyncio.iscoroutinefunction(
        function
    )
