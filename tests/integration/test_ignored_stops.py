"""Stops that a real server ignores: shown while it works on, and ended by its respawn."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from tests.support.packed_servers import NODE_ENTRY, unpacked
from tests.support.real_daemon import BOUND_S, RealDaemon, is_alive, real_daemon, roost, wait_for

from roost.models import BundleKind, BundleSettings, InstallRequest, SourceKind

pytestmark = [pytest.mark.real, pytest.mark.timeout(300), pytest.mark.xdist_group("ignored-stops")]

TOOL = "trigger-long-running-operation"


@pytest.fixture(scope="module")
def daemon() -> Iterator[RealDaemon]:
    entry = unpacked("everything") / NODE_ENTRY.format("everything")
    with real_daemon("w") as started:
        started.install(
            InstallRequest(
                source=SourceKind.COMMAND,
                name="everything",
                kind=BundleKind.MCP_STDIO,
                command=(str(shutil.which("node")), str(entry)),
                settings=BundleSettings(start_budget_s=BOUND_S, stop_grace_s=1),
            )
        )
        started.until("everything", "running")
        yield started


def begun(daemon: RealDaemon) -> str:
    """Begin work of ten minutes that reports twice a second and wait for its first report."""
    run_id = daemon.begin("everything", TOOL, duration=600, steps=1200)
    wait_for(lambda: daemon.run(run_id), lambda detail: detail["run"]["step_count"] > 0)
    return run_id


def test_the_reference_server_goes_on_with_what_was_stopped_until_its_respawn(
    daemon: RealDaemon,
) -> None:
    run_id = begun(daemon)
    other = daemon.begin("everything", TOOL, duration=600, steps=1)
    outcome = daemon.post(f"/v1/workspaces/w/runs/{run_id}/stop")
    assert (outcome["stopped"], outcome["run"]["status"]) == (True, "running")
    assert outcome["run"]["stop_phase"] == "ignored"
    assert (outcome["respawn"], outcome["would_cut"]) == ("everything", [other])
    assert "`roost respawn everything` ends that and cuts 1 other run" in outcome["sentence"]
    steps = outcome["run"]["step_count"]
    wait_for(lambda: daemon.run(run_id), lambda detail: detail["run"]["step_count"] > steps + 1)
    listed = roost(daemon.data_dir, "runs", "state:running")
    assert "stop ignored: its server went on" in listed.stdout
    again = roost(daemon.data_dir, "run", "stop", run_id)
    assert again.returncode == 1, "it has not ended"
    pid = daemon.pid_of("everything")
    assert daemon.post(f"{daemon.path('everything')}/respawn")["ok"]
    assert not is_alive(pid)
    detail = daemon.settled(run_id)
    assert (detail["run"]["status"], detail["run"]["error"]["code"]) == ("aborted", "stopped")
    assert "no end" not in detail["run"]["error"]["sentence"]
    told = [event["message"] for event in detail["events"] if event["kind"] == "status"]
    assert "everything goes on with the call although it was cancelled" in told
    assert daemon.settled(other)["run"]["error"]["code"] == "restarting"


def test_a_quit_does_not_wait_for_work_that_ignores_its_stop(daemon: RealDaemon) -> None:
    run_id = begun(daemon)
    outcome = daemon.post(f"/v1/workspaces/w/runs/{run_id}/stop")
    assert outcome["run"]["stop_phase"] == "ignored"
    assert roost(daemon.data_dir, "down").returncode == 0
    run = RealDaemon(daemon.data_dir).run(run_id)["run"]
    assert (run["status"], run["error"]["code"]) == ("aborted", "stopped")
