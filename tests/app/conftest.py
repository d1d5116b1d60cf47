"""Fixtures of the tests of the SDK for apps."""

import pytest
from tests.app.running import LIMIT_S
from tests.support.app_imports import clean_imports

__all__ = ["clean_imports"]

FROM_OUTSIDE = ("PORT", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


@pytest.fixture(autouse=True)
def own_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the tests' own supervisor reaches an app, and a busy machine cuts nothing off."""
    for name in FROM_OUTSIDE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("roost.app.parts.GRACE_S", LIMIT_S)


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not end by itself is cut soon."""
    monkeypatch.setattr("roost.app.parts.GRACE_S", 0.1)
