"""Settings of a bundle outlive the daemon that took them."""

import pytest
from tests.support.real_daemon import RealDaemon, real_daemon, roost

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("settings")]


def test_what_was_set_is_in_force_after_a_kill_of_the_daemon() -> None:
    with real_daemon() as daemon:
        daemon.install_mini("db")
        daemon.install_mini("app")
        daemon.until("app", "running")
        options = ["--drain", "2", "--restart", "on-failure", "--limit", "open_files=512"]
        done = roost(daemon.data_dir, "set", "app", *options, "--after", "db", "--protected")
        assert done.returncode == 0, done.stderr
        assert "until `roost respawn w/app --force REASON`" in done.stdout
        assert daemon.view("app")["stale"] == ["configuration"]
        before = daemon.detail("app")["definition"]
        daemon.kill()
        again = RealDaemon(daemon.data_dir)
        try:
            again.until("app", "running")
            assert again.detail("app")["definition"] == before
            assert (before["settings"]["drain_s"], before["after"]) == (2, ["db"])
            refused = roost(daemon.data_dir, "stop", "app")
            assert refused.returncode == 4 and "is protected" in refused.stderr
        finally:
            again.stop()


def test_a_changed_limit_is_what_why_names_until_the_respawn_it_asks_for() -> None:
    with real_daemon() as daemon:
        daemon.install_mini("app")
        daemon.until("app", "running")
        assert roost(daemon.data_dir, "set", "app", "--limit", "open_files=512").returncode == 0
        told = roost(daemon.data_dir, "why", "app")
        assert told.returncode == 1
        assert "generation 1 lags behind in configuration" in told.stdout
        assert roost(daemon.data_dir, "respawn", "app").returncode == 0
        assert roost(daemon.data_dir, "why", "app").returncode == 0
