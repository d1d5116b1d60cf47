"""Sorts the tests: what starts processes or draws screens is no unit test."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

# No test leaves anything in the keyring of who runs it.
os.environ["ROOST_VAULT_KEY_STORE"] = "file"

# Each of the many daemons would compile every module anew, which takes longer than most tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A job in the background ignores ctrl+c, and one under nohup the end of its terminal, and so would
# every program that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

STARTS_PROCESSES = ("drivers", "integration")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark whole folders, so that no test of theirs can be forgotten."""
    for item in items:
        folder = item.path.relative_to(HERE).parts[0]
        if folder in STARTS_PROCESSES:
            item.add_marker(pytest.mark.real)
        if folder == "tui" and _draws(item):
            item.add_marker(pytest.mark.screen)


def pytest_collection_finish() -> None:
    """Leave what is imported out of the search for garbage, up to a quarter of a test's time."""
    gc.collect()
    gc.freeze()


def _draws(item: pytest.Item) -> bool:
    function = getattr(item, "function", None)
    return "snap_compare" in getattr(item, "fixturenames", ()) or asyncio.iscoroutinefunction(
        function
    )
