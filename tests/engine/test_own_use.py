"""What the daemon says it takes of the machine."""

import os
import time

import psutil
import pytest

from roost.engine.own_use import OwnUse


def test_the_share_of_a_processor_is_that_since_the_last_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used, now = iter((1.0, 1.5, 1.5)), iter((10.0, 12.0, 13.0))
    monkeypatch.setattr(time, "process_time", lambda: next(used))
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    use = OwnUse()
    first, second = use.cpu_percent(), use.cpu_percent()
    monkeypatch.undo()
    assert (first, second) == (25.0, 0.0)


def test_the_resident_memory_is_that_of_this_process() -> None:
    told = OwnUse().rss_bytes()
    seen = psutil.Process(os.getpid()).memory_info().rss
    assert told == pytest.approx(seen, rel=0.2)
