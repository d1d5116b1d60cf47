"""Workers of durable tasks with real processes: killed, asked to leave, stopped, and unlucky."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.owned_daemon import owned_daemon
from tests.support.real_daemon import RealDaemon, real_daemon, wait_for

from roost import submit
from roost.models import BundleSettings, InstallRequest, SourceKind

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("workers")]

PROGRAMS = Path(__file__).parents[1] / "support" / "programs"


@pytest.fixture(scope="module")
def daemon() -> Iterator[RealDaemon]:
    with real_daemon() as running:
        install(running)
        yield running


def install(daemon: RealDaemon) -> None:
    request = InstallRequest(
        SourceKind.WORKER,
        name="staged",
        path=str(PROGRAMS),
        entry="staged",
        settings=BundleSettings(start_budget_s=30, stop_grace_s=30),
    )
    daemon.install(request)
    daemon.until("staged", "running")


def begin(daemon: RealDaemon, task: str, path: Path) -> str:
    submitted = submit(task, {"path": str(path)}, workspace="w", data_dir=str(daemon.data_dir))
    assert submitted.state == "new" and submitted.key
    return submitted.run_id


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def until_lines(path: Path, *wanted: str) -> None:
    wait_for(lambda: lines(path), lambda found: found == list(wanted))


def history(daemon: RealDaemon, run_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    found = daemon.wire.get(f"/v1/workspaces/w/runs/{run_id}/task")
    return {entry["name"]: entry for entry in found["journal"]}, found["attempts"]


def outputs(detail: dict[str, Any]) -> list[str]:
    return [event["message"] for event in detail["events"] if event["kind"] == "output"]


def check_resumed(daemon: RealDaemon, run_id: str, path: Path, code: str) -> None:
    detail = daemon.settled(run_id)
    run = detail["run"]
    assert (run["status"], run["attempt"]) == ("succeeded", 2), run["error"]
    assert detail["result"] == ["first", "second", "third"]
    assert lines(path) == ["first", "second", "second", "third"]
    assert outputs(detail) == ["roost: step 'second' was interrupted in attempt 1 and runs again"]
    journal, attempts = history(daemon, run_id)
    assert [name for name, entry in journal.items() if entry["was_interrupted"]] == ["second"]
    assert {entry["state"] for entry in journal.values()} == {"done"}
    assert [attempt["number"] for attempt in attempts] == [1, 2]
    assert attempts[0]["error"]["code"] == code and attempts[1]["error"] is None


def test_a_worker_killed_inside_the_second_stage_does_it_again_and_the_first_one_not(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    path = tmp_path / "lines"
    run_id = begin(daemon, "stages", path)
    until_lines(path, "first", "second")
    os.kill(daemon.pid_of("staged"), signal.SIGKILL)
    check_resumed(daemon, run_id, path, "lost")


def test_a_worker_that_is_respawned_hands_its_run_to_the_next_one(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    path = tmp_path / "lines"
    run_id = begin(daemon, "stages", path)
    until_lines(path, "first", "second")
    daemon.post(f"{daemon.path('staged')}/respawn")
    check_resumed(daemon, run_id, path, "interrupted")


def test_a_daemon_that_is_killed_goes_on_with_the_run_when_it_is_back(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    with owned_daemon() as owned:
        install(owned.operator)
        run_id = begin(owned.operator, "stages", path)
        until_lines(path, "first", "second")
        owned.process.kill()
        owned.exit_status()
        owned.start_again()
        check_resumed(owned.operator, run_id, path, "lost")


def test_a_stop_reaches_a_handler_that_never_looks_and_lets_it_clean_up(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    path = tmp_path / "lines"
    run_id = begin(daemon, "patient", path)
    wait_for(
        lambda: daemon.run(run_id)["events"],
        lambda events: any(event["name"] == "begun" for event in events),
    )
    daemon.post(f"/v1/workspaces/w/runs/{run_id}/stop")
    run = daemon.settled(run_id)["run"]
    assert (run["status"], run["error"]["code"]) == ("aborted", "stopped")
    until_lines(path, "cleaned up")
    assert daemon.view("staged")["state"] == "running"


def test_transient_errors_are_tried_again_and_steps_that_are_done_are_not(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    path = tmp_path / "lines"
    detail = daemon.settled(begin(daemon, "flaky", path))
    assert detail["run"]["status"] == "succeeded" and detail["result"] == {"attempt": 3}
    assert lines(path) == ["once"]


def test_a_child_is_waited_for_and_a_reserved_event_is_dropped(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    run_id = begin(daemon, "family", tmp_path)
    detail = daemon.settled(run_id)
    assert detail["run"]["status"] == "succeeded", detail["run"]["error"]
    assert detail["result"] == {"given": {"path": str(tmp_path)}}
    assert not [event for event in detail["events"] if event["kind"] == "emit"]
    assert "the event 'completed' of the task 'family' is dropped" in outputs(detail)[0]
    (child,) = daemon.wire.get("/v1/runs", workspace="w", parent=run_id)
    assert (child["task"], child["status"], child["step_count"]) == ("leaf", "succeeded", 1)


def test_the_same_work_submitted_again_is_the_same_run(daemon: RealDaemon, tmp_path: Path) -> None:
    data_dir = str(daemon.data_dir)
    first = submit("leaf", {"a": 1, "b": 2}, workspace="w", data_dir=data_dir)
    assert first.wait(30).succeeded
    second = submit("leaf", {"b": 2, "a": 1}, workspace="w", data_dir=data_dir)
    assert (second.run_id, second.state) == (first.run_id, "replayed")
    anew = submit("leaf", {"a": 1, "b": 2}, anew=True, workspace="w", data_dir=data_dir)
    assert anew.state == "new" and anew.run_id != first.run_id
