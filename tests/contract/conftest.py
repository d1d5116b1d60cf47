"""One world for every implementation of the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.contract.world import IMPLEMENTATIONS, ContractWorld


@pytest.fixture(
    params=[
        pytest.param(name, marks=[pytest.mark.real] if name == "real" else [])
        for name in sorted(IMPLEMENTATIONS)
    ]
)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[ContractWorld]:
    """A daemon with one workspace ``w``, as each implementation shows it."""
    async with IMPLEMENTATIONS[request.param]() as made:
        yield made
