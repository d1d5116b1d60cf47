"""Fixtures of the SDK's tests."""

from collections.abc import Iterator

import pytest
from tests.sdk.fake_daemon import FakeDaemon, fake_daemon

from roost.sdk import courier


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDaemon]:
    """Give a fake daemon that a program finds by itself."""
    for name in ("ROOST_TOKEN_FD", "ROOST_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(courier, "_said", [])
    with fake_daemon() as fake:
        monkeypatch.setenv("ROOST_DATA_DIR", fake.data_dir)
        yield fake
