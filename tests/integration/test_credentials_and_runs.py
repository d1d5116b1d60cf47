"""Credentials, respawn and runs on real children."""

from collections.abc import Iterator

import pytest
from tests.support.real_daemon import BOUND_S, RealDaemon, is_alive, real_daemon, wait_for

from roost.errors import BadFields, BundleNotFound, BundleProtected, NotRunning, RunNotFound
from roost.models import BundleSettings
from roost.models.codec import to_json

pytestmark = [pytest.mark.real, pytest.mark.timeout(300), pytest.mark.xdist_group("credentials")]


@pytest.fixture(scope="module")
def daemon() -> Iterator[RealDaemon]:
    with real_daemon("w", "other") as started:
        yield started


def test_a_saved_value_arrives_in_a_new_process_and_the_old_one_is_gone(
    daemon: RealDaemon,
) -> None:
    daemon.install_mini("app", env={"API_KEY": "first-value"})
    old = daemon.pid_of("app")
    assert daemon.call("app", "env", name="API_KEY") == "[secret]"
    outcome = daemon.set("app", API_KEY="second-value")
    assert outcome["revision"] == 2 and outcome["respawn"]["ok"]
    assert not is_alive(old)
    new = daemon.pid_of("app")
    with open(f"/proc/{new}/environ", "rb") as environ:
        assert b"API_KEY=second-value\0" in environ.read()


def test_a_sensitive_value_is_never_readable_back(daemon: RealDaemon) -> None:
    daemon.install_mini("masked", env={"API_KEY": "never-to-be-shown"}, start=False)
    form = daemon.wire.get_raw(f"{daemon.path('masked')}/credentials")
    assert b'"is_set":true' in form and b"never-to-be-shown" not in form
    assert b"never-to-be-shown" not in daemon.wire.get_raw(daemon.path("masked"))


def test_an_unknown_field_rejects_the_whole_write(daemon: RealDaemon) -> None:
    daemon.install_mini("strict", env={"API_KEY": "kept-value"}, start=False)
    with pytest.raises(BadFields):
        daemon.set("strict", API_KEY="new-value", OTHER="x")
    form = daemon.wire.get(f"{daemon.path('strict')}/credentials")
    assert form["revision"] == 1


def test_a_value_that_makes_the_start_fail_is_kept_and_a_good_one_brings_it_back(
    daemon: RealDaemon,
) -> None:
    daemon.install_mini("touchy", env={"EXIT_WITH": "0000000"})
    daemon.until("touchy", "running")
    bad = daemon.set("touchy", EXIT_WITH="exit-33")
    assert bad["revision"] == 2
    assert not bad["respawn"]["ok"] and "exit 33" in bad["respawn"]["sentence"]
    view = daemon.view("touchy")
    assert view["state"] == "dead" and view["step"] == "handshake"
    assert any("told by EXIT_WITH" in line for line in view["crash"]["stderr_tail"])
    good = daemon.set("touchy", EXIT_WITH="no-more-of-it")
    assert good["respawn"]["ok"]
    assert daemon.view("touchy")["credential_revision"] == 3


def test_the_previous_revision_can_be_restored(daemon: RealDaemon) -> None:
    daemon.install_mini("undo", env={"API_KEY": "the-first-one"})
    daemon.until("undo", "running")
    daemon.set("undo", API_KEY="the-second-one")
    outcome = daemon.post(f"{daemon.path('undo')}/credentials/restore")
    assert outcome["revision"] == 3 and outcome["respawn"]["ok"]
    with open(f"/proc/{daemon.pid_of('undo')}/environ", "rb") as environ:
        assert b"API_KEY=the-first-one\0" in environ.read()


def test_a_call_in_flight_during_a_respawn_finishes_on_the_old_process(daemon: RealDaemon) -> None:
    daemon.install_mini("busy", settings=BundleSettings(drain_s=BOUND_S, stop_grace_s=1))
    old = daemon.pid_of("busy")
    run_id = daemon.begin("busy", "slow", steps=20, seconds=0.05)
    wait_for(lambda: daemon.run(run_id), lambda detail: detail["run"]["step_count"] >= 1)
    assert daemon.post(f"{daemon.path('busy')}/respawn")["ok"]
    assert daemon.settled(run_id)["run"]["status"] == "succeeded"
    assert not is_alive(old)
    assert daemon.call("busy", "env", name="ROOST_BUNDLE") == "busy"


def test_a_call_that_outlasts_the_drain_fails_as_restarting(daemon: RealDaemon) -> None:
    settings = BundleSettings(drain_s=0.2, stop_grace_s=0.5)
    daemon.install_mini("slowpoke", settings=settings)
    daemon.until("slowpoke", "running")
    run_id = daemon.begin("slowpoke", "hang")
    wait_for(lambda: daemon.run(run_id), lambda detail: detail["run"]["status"] == "running")
    assert daemon.post(f"{daemon.path('slowpoke')}/respawn")["ok"]
    settled = daemon.settled(run_id)["run"]
    assert settled["status"] == "failed" and settled["error"]["code"] == "restarting"


def test_a_change_in_one_workspace_leaves_the_same_name_in_another_alone(
    daemon: RealDaemon,
) -> None:
    daemon.install_mini("twin", env={"API_KEY": "value-for-w"})
    daemon.install_mini("twin", workspace="other", env={"API_KEY": "value-for-other"})
    pid = daemon.pid_of("twin", "other")
    daemon.set("twin", API_KEY="changed-for-w")
    daemon.until("twin", "running")
    daemon.wire.send("DELETE", daemon.path("twin"))
    assert daemon.pid_of("twin", "other") == pid
    with pytest.raises(BundleNotFound):
        daemon.view("twin")
    daemon.install_mini("twin", start=False)
    assert daemon.view("twin")["credential_revision"] == 0


def test_a_protected_bundle_keeps_running_until_a_reason_is_given(daemon: RealDaemon) -> None:
    settings = BundleSettings(protected=True, stop_grace_s=0.5)
    daemon.install_mini("guarded", env={"API_KEY": "value-number-one"}, settings=settings)
    pid = daemon.pid_of("guarded")
    outcome = daemon.set("guarded", API_KEY="value-number-two")
    assert outcome["revision"] == 2 and outcome["respawn"]["code"] == "protected"
    view = daemon.view("guarded")
    assert view["restart_pending"] and view["stale"] == ["credentials"]
    assert view["generation"]["pid"] == pid
    with pytest.raises(BundleProtected):
        daemon.post(f"{daemon.path('guarded')}/stop")
    clear = {"set": {}, "clear": ["API_KEY"], "reason": "it leaked"}
    daemon.wire.send("PATCH", f"{daemon.path('guarded')}/credentials", to_json(clear))
    assert not is_alive(pid)
    assert daemon.view("guarded")["state"] == "needs_credentials"
    assert daemon.post(f"{daemon.path('guarded')}/stop", {"reason": "done"})["ok"]


def test_progress_is_stored_as_steps_in_order(daemon: RealDaemon) -> None:
    daemon.install_mini("steps")
    daemon.until("steps", "running")
    detail = daemon.settled(daemon.begin("steps", "slow", steps=200, seconds=0.0))
    steps = [event["current"] for event in detail["events"] if event["kind"] == "step"]
    assert steps == [float(number) for number in range(1, 201)]
    assert detail["run"]["step_count"] == 200
    assert [event["seq"] for event in detail["events"]] == list(range(1, len(detail["events"]) + 1))


def test_a_stop_sends_the_cancellation_and_settles_once(daemon: RealDaemon) -> None:
    daemon.install_mini("stoppable")
    daemon.until("stoppable", "running")
    run_id = daemon.begin("stoppable", "slow", steps=1000, seconds=0.02)
    wait_for(lambda: daemon.run(run_id), lambda detail: detail["run"]["step_count"] >= 2)
    first = daemon.post(f"/v1/workspaces/w/runs/{run_id}/stop")
    assert first["stopped"] and first["run"]["status"] == "aborted"
    second = daemon.post(f"/v1/workspaces/w/runs/{run_id}/stop")
    assert not second["stopped"] and second["run"] == first["run"]
    wait_for(lambda: daemon.log("stoppable"), lambda lines: any("cancelled at" in x for x in lines))
    with pytest.raises(RunNotFound):
        daemon.run(run_id, "other")


def test_a_stopped_bundle_takes_no_calls_and_leaves_no_run(daemon: RealDaemon) -> None:
    daemon.install_mini("quiet", start=False)
    before = len(daemon.wire.get("/v1/runs"))
    with pytest.raises(NotRunning):
        daemon.begin("quiet", "env", name="X")
    assert len(daemon.wire.get("/v1/runs")) == before


def test_the_era_is_remembered_so_that_the_next_start_needs_no_probe(daemon: RealDaemon) -> None:
    daemon.install_mini("era")
    assert daemon.until("era", "running")["era"] == "2025-06-18"
    assert daemon.post(f"{daemon.path('era')}/respawn")["ok"]
    assert daemon.view("era")["era"] == "2025-06-18"
