"""The samples of all eight clients, copied for one test."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.client_samples import SampleClients


@pytest.fixture
def clients(tmp_path: Path) -> SampleClients:
    return SampleClients(tmp_path)
