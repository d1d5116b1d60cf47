"""Fixtures of the workers' tests."""

from collections.abc import Iterator

import pytest
from tests.support.task_daemon import TaskDaemon, task_daemon

from roost.worker import declare


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[TaskDaemon]:
    """Give a fake daemon that a program finds by itself."""
    for name in ("ROOST_TOKEN_FD", "ROOST_WORKSPACE", "ROOST_DEV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("roost.worker.service.HAND_BACK_S", 10.0)  # a busy machine takes longer
    with task_daemon() as fake:
        monkeypatch.setenv("ROOST_DATA_DIR", fake.data_dir)
        yield fake


@pytest.fixture(autouse=True)
def offer(monkeypatch: pytest.MonkeyPatch) -> declare.Offer:
    """Let each test declare tasks of its own."""
    fresh = declare.Offer()
    monkeypatch.setattr(declare, "OFFER", fresh)
    return fresh
