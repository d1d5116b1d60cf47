"""Tasks of real servers behind a real daemon: followed, stopped, and lost with their process."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.packed_servers import NODE_ENTRY, unpacked
from tests.support.real_daemon import BOUND_S, PYTHON, RealDaemon, is_alive, real_daemon, wait_for

from roost.models import (
    BundleKind,
    BundleSettings,
    InstallRequest,
    SettingsChange,
    SourceKind,
    codec,
)

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("tasks")]

PROGRAM = Path(__file__).parents[1] / "support" / "programs" / "task_mcp.py"


@pytest.fixture(scope="module")
def daemon() -> Iterator[RealDaemon]:
    with real_daemon("w") as started:
        yield started


def install(daemon: RealDaemon, name: str, *command: str, **settings: Any) -> None:
    limits = BundleSettings(start_budget_s=BOUND_S, stop_grace_s=1, **settings)
    daemon.install(
        InstallRequest(
            source=SourceKind.COMMAND,
            name=name,
            kind=BundleKind.MCP_STDIO,
            command=command,
            settings=limits,
        )
    )
    daemon.until(name, "running")


def install_tasks(daemon: RealDaemon, name: str, *options: str, **settings: Any) -> None:
    install(daemon, name, PYTHON, "-S", str(PROGRAM), *options, **settings)


def install_everything(daemon: RealDaemon, name: str) -> None:
    entry = unpacked("everything") / NODE_ENTRY.format("everything")
    install(daemon, name, str(shutil.which("node")), str(entry))


def steps(daemon: RealDaemon, run_id: str) -> list[str]:
    events = daemon.run(run_id)["events"]
    return [event["message"] for event in events if event["kind"] == "step"]


def until_step(daemon: RealDaemon, run_id: str, beginning: str) -> None:
    wait_for(
        lambda: steps(daemon, run_id),
        lambda seen: any(step.startswith(beginning) for step in seen),
    )


def test_a_tool_of_the_reference_server_that_needs_a_task_is_followed_to_its_result(
    daemon: RealDaemon,
) -> None:
    install_everything(daemon, "everything")
    run_id = daemon.begin("everything", "simulate-research-query", topic="tides")
    detail = daemon.settled(run_id)
    assert detail["run"]["status"] == "succeeded", detail["run"]["error"]
    assert "# Research Report: tides" in detail["result"]["content"][0]["text"]
    told = steps(daemon, run_id)
    assert told[0].startswith("task ") and "Gathering sources" in told[0]
    # The server is asked at an interval, so any stage may pass between two answers.
    stages = ["Analyzing content...", "Synthesizing findings...", "Generating report..."]
    seen = [step.partition(": ")[2] for step in told[1:-1]]
    assert seen == [stage for stage in stages if stage in seen]
    assert told[-1].startswith("completed")


def test_a_stop_cancels_the_task_of_the_reference_server(daemon: RealDaemon) -> None:
    install_everything(daemon, "stopped")
    run_id = daemon.begin("stopped", "simulate-research-query", topic="tides")
    until_step(daemon, run_id, "task ")
    outcome = daemon.post(f"/v1/workspaces/w/runs/{run_id}/stop")
    assert outcome["stopped"] and outcome["run"]["status"] == "aborted"
    assert daemon.call("stopped", "echo", message="still here") == "Echo: still here"


@pytest.mark.parametrize("options", [(), ("--legacy",)], ids=["2026", "2025"])
def test_a_stop_cancels_the_task_in_both_eras(daemon: RealDaemon, options: tuple[str, ...]) -> None:
    name = f"tasks-{len(options)}"
    install_tasks(daemon, name, *options)
    assert daemon.call(name, "build") == "build is done"
    run_id = daemon.begin(name, "never")
    until_step(daemon, run_id, "task work-2 is working")
    assert daemon.post(f"/v1/workspaces/w/runs/{run_id}/stop")["run"]["status"] == "aborted"
    wait_for(lambda: daemon.log(name), lambda lines: "tasks/cancel work-2" in lines)


def test_a_task_that_asks_for_input_fails_its_run_and_says_what_to_do(daemon: RealDaemon) -> None:
    install_tasks(daemon, "asking")
    run = daemon.settled(daemon.begin("asking", "question"))["run"]
    assert (run["status"], run["error"]["code"]) == ("failed", "input_required")
    assert "call again with arguments that leave no question" in run["error"]["sentence"]


def test_a_task_is_cut_by_a_respawn_and_frees_its_place(daemon: RealDaemon) -> None:
    install_tasks(daemon, "narrow", max_calls=1, drain_s=0)
    first = daemon.begin("narrow", "never")
    until_step(daemon, first, "task work-1 is working")
    second = daemon.begin("narrow", "build")
    assert daemon.run(second)["run"]["status"] == "pending"
    assert daemon.post(f"{daemon.path('narrow')}/respawn")["ok"]
    assert daemon.settled(first)["run"]["error"]["code"] == "restarting"
    detail = daemon.settled(second)["run"]
    assert (detail["status"], detail["generation"]) == ("succeeded", 2)


def test_calls_that_wait_outlive_a_crash_of_their_server_and_a_lifted_limit_counts_at_once(
    daemon: RealDaemon,
) -> None:
    install_tasks(daemon, "frail", max_calls=1)
    first = daemon.begin("frail", "never")
    until_step(daemon, first, "task work-1 is working")
    others = [daemon.begin("frail", "never") for _ in range(3)]
    os.kill(daemon.pid_of("frail"), signal.SIGKILL)
    assert daemon.settled(first)["run"]["error"]["code"] == "lost"
    until_step(daemon, others[0], "task work-1 is working")
    assert [daemon.run(run_id)["run"]["status"] for run_id in others[1:]] == ["pending"] * 2
    patch = codec.to_json(SettingsChange(max_calls=0))
    daemon.wire.send("PATCH", f"{daemon.path('frail')}/settings", patch)
    until_step(daemon, others[2], "task work-3 is working")
    for run_id in others:
        daemon.post(f"/v1/workspaces/w/runs/{run_id}/stop")


def test_a_task_of_a_daemon_that_was_killed_is_over_and_keeps_its_id() -> None:
    with real_daemon("w") as daemon:
        install_tasks(daemon, "tasks")
        process = daemon.pid_of("tasks")
        run_id = daemon.begin("tasks", "never")
        until_step(daemon, run_id, "task work-1 is working")
        daemon.kill()
        again = RealDaemon(daemon.data_dir)
        wait_for(lambda: is_alive(process), lambda alive: not alive)
        run = again.settled(run_id)["run"]
        assert run["status"] == "aborted" and run["error"]["code"] == "daemon_gone"
        assert steps(again, run_id)[0].startswith("task work-1")
