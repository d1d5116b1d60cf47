"""What the daemon tells of its own end."""

import pytest
from tests.contract.world import real_engine

pytestmark = pytest.mark.real


async def test_a_shutdown_tells_when_it_will_be_forced_and_keeps_to_it() -> None:
    async with real_engine() as engine:
        assert engine.daemon_view().stop_deadline_at is None
        engine.announce_stop()
        told = engine.daemon_view().stop_deadline_at
        assert told is not None
        left_ms = told - engine.clock.now()
        assert 0 < left_ms <= engine.settings.shutdown_deadline_s * 1000
        engine.announce_stop()
        assert engine.daemon_view().stop_deadline_at == told
