"""Many bundles started at once, on a daemon with its defaults."""

import pytest
from tests.support.real_daemon import RealDaemon, real_daemon, wait_for

from roost.models import BundleSettings

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

BOUND_S = 300.0


@pytest.mark.parametrize("servers", [12, pytest.param(100, marks=pytest.mark.soak)])
def test_servers_that_start_together_all_end_ready_at_their_first_try(servers: int) -> None:
    with real_daemon() as daemon:
        for number in range(servers):
            daemon.install_mini(f"server-{number}", settings=BundleSettings())
        until_all_run(daemon, generation=1)
        daemon.stop()
        again = RealDaemon(daemon.data_dir)  # which starts all of them at once
        until_all_run(again, generation=2)
        assert again.call("server-0", "echo", text="here") == '{"text": "here"}'


def until_all_run(daemon: RealDaemon, *, generation: int) -> None:
    """Wait until every bundle runs, and check that none has failed before."""
    views = wait_for(
        lambda: daemon.wire.get("/v1/bundles"),
        lambda views: all(view["state"] == "running" for view in views),
        BOUND_S,
    )
    assert {view["generation"]["number"] for view in views} == {generation}
    assert {view["failures"] for view in views} == {0}
