"""When a command over HTTP listens, and whose listening counts."""

import asyncio

import pytest
from tests.support.bare_http import bare_server, handshake
from tests.support.http_servers import free_port
from tests.support.processes import until

from roost.clock import SystemClock
from roost.supervision.readiness import ListenerProbe, PortTaken


def probe_of(port: int, host: str = "127.0.0.1", foreign: str | None = None) -> ListenerProbe:
    return ListenerProbe(host, port, SystemClock(), lambda host, port: foreign)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_it_waits_until_somebody_listens_and_says_so_meanwhile(host: str) -> None:
    port = free_port()
    probe = probe_of(port, host)
    waiting = asyncio.create_task(probe.wait())
    await until(lambda: str(port) in str(probe.finding))
    assert not waiting.done()
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)
    async with asyncio.timeout(30):
        await waiting
    assert probe.finding is None
    server.close()


async def test_a_program_outside_the_bundle_that_listens_is_named() -> None:
    async with asyncio.timeout(30), bare_server(handshake) as server:
        with pytest.raises(PortTaken, match="nginx"):
            await probe_of(server.port, foreign="nginx (pid 7)").wait()
        assert server.requests == [], "no header was sent to it"
