"""Runs stopped, retried, replaced and followed on a real daemon."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.contract.waiting import reading
from tests.support.real_daemon import (
    BOUND_S,
    RealDaemon,
    command_lines,
    is_alive,
    real_daemon,
    roost,
    wait_for,
)

from roost.client.http_engine import HttpEngine
from roost.models import (
    CallRequest,
    ExecRequest,
    RunEvent,
    RunEventKind,
    RunQuery,
    RunStatus,
    RunView,
    SupersedeState,
)
from roost.settings.locations import socket_path

pytestmark = [pytest.mark.real, pytest.mark.timeout(300), pytest.mark.xdist_group("run-control")]

RUNS = "/v1/workspaces/w/runs"


@pytest.fixture(scope="module")
def daemon() -> Iterator[RealDaemon]:
    with real_daemon() as started:
        started.install_mini("server")
        started.until("server", "running")
        yield started


def client(daemon: RealDaemon) -> HttpEngine:
    return HttpEngine(socket_path(str(daemon.data_dir)))


def begun(daemon: RealDaemon, tool: str, **arguments: object) -> str:
    """Begin a call and wait until the server has it."""
    run_id = daemon.begin("server", tool, **arguments)
    wait_for(lambda: daemon.run(run_id), lambda detail: detail["run"]["status"] == "running")
    return run_id


def test_a_server_that_ignores_the_stop_is_named_with_what_its_respawn_cuts(
    daemon: RealDaemon,
) -> None:
    deaf, other = begun(daemon, "hang"), begun(daemon, "hang")
    outcome = daemon.post(f"{RUNS}/{deaf}/stop")
    assert (outcome["stopped"], outcome["run"]["status"]) == (True, "aborted")
    assert (outcome["respawn"], outcome["would_cut"]) == ("server", [other])
    assert "may still be at work: `roost respawn server` ends that" in outcome["sentence"]
    assert outcome["run"]["stop_phase"] is not None
    pid = daemon.pid_of("server")
    assert daemon.post(f"{daemon.path('server')}/respawn")["ok"]
    assert not is_alive(pid)
    assert daemon.settled(other)["run"]["error"]["code"] == "restarting"


async def test_a_call_is_followed_from_its_beginning_in_one_request(daemon: RealDaemon) -> None:
    request = CallRequest("slow", {"steps": 50, "seconds": 0.0})
    async with client(daemon) as engine:
        async with reading(engine.call_and_follow("w", "server", request)) as stream:
            run, *events = [item async for item in stream]
        assert isinstance(run, RunView)
        stored = (await engine.run("w", run.id)).events
    seen = [event for event in events if isinstance(event, RunEvent)]
    assert tuple(seen) == stored
    assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
    assert sum(event.kind is RunEventKind.STEP for event in seen) == 50


async def test_a_command_is_followed_from_its_beginning_in_one_request(daemon: RealDaemon) -> None:
    request = ExecRequest(("/bin/echo", "hello"))
    async with (
        client(daemon) as engine,
        reading(engine.exec_and_follow("w", request)) as stream,
    ):
        run, *events = [item async for item in stream]
    assert isinstance(run, RunView)
    assert any(isinstance(event, RunEvent) and event.message == "hello" for event in events)


async def test_a_viewer_that_began_the_run_and_leaves_does_not_stop_it(daemon: RealDaemon) -> None:
    async with client(daemon) as engine:
        request = CallRequest("slow", {"steps": 40, "seconds": 0.02})
        async with reading(engine.call_and_follow("w", "server", request)) as stream:
            run = await anext(stream)
            await anext(stream)
        assert isinstance(run, RunView)
    left = await asyncio.to_thread(daemon.settled, run.id)
    assert (left["run"]["status"], left["run"]["stop_requested_at"]) == ("succeeded", None)


async def test_of_many_replacements_at_once_one_takes_the_scope(daemon: RealDaemon) -> None:
    async with client(daemon) as engine:
        old = await engine.call_tool("w", "server", CallRequest("hang", scope="chat"))

        async def replace() -> str | None:
            outcome = await engine.supersede("w", "chat", expected=old.id)
            if outcome.state not in (SupersedeState.READY, SupersedeState.IDLE):
                return None
            command = ExecRequest(("/bin/sleep", "60"), scope="chat")
            began = await asyncio.gather(engine.exec_command("w", command), return_exceptions=True)
            return began[0].id if isinstance(began[0], RunView) else None

        winners = [found for found in await asyncio.gather(*[replace() for _ in range(8)]) if found]
        active = (RunStatus.PENDING, RunStatus.RUNNING)
        query = RunQuery(workspace="w", scope="chat", statuses=active)
        assert [run.id for run in await engine.runs(query)] == winners
        assert len(winners) == 1
        assert (await engine.stop_run("w", winners[0])).stopped


def test_the_command_line_stops_retries_and_replaces(daemon: RealDaemon) -> None:
    first, second = begun(daemon, "hang"), begun(daemon, "hang")
    stopped = roost(daemon.data_dir, "run", "stop", first, second, "--json")
    assert stopped.returncode == 0, stopped.stderr
    assert [outcome["run"]["status"] for outcome in json.loads(stopped.stdout)] == ["aborted"] * 2
    run_id = daemon.begin("server", "echo", text="again")
    daemon.settled(run_id)
    again = roost(daemon.data_dir, "run", "retry", run_id, "--follow")
    assert again.returncode == 0, again.stderr
    assert "succeeded" in again.stdout
    assert roost(daemon.data_dir, "run", "replace", "nobody").returncode == 0
    listed = roost(daemon.data_dir, "runs", "state:aborted", "since:1h", "--json")
    assert {first, second} <= {run["id"] for run in json.loads(listed.stdout)}


def test_a_call_on_the_command_line_shows_every_step(daemon: RealDaemon) -> None:
    done = roost(daemon.data_dir, "call", "server", "slow", "-a", "steps=5")
    assert (done.returncode, done.stdout) == (0, "counted to 5\n")
    assert done.stderr.count(" step ") == 5


def test_a_killed_viewer_leaves_its_run_to_the_daemon(daemon: RealDaemon) -> None:
    with ThreadPoolExecutor(1) as pool:
        given = ("steps=1000000", "seconds=0.02")
        calling = pool.submit(
            roost, daemon.data_dir, "call", "server", "slow", *(x for g in given for x in ("-a", g))
        )
        [run] = wait_for(
            lambda: daemon.wire.get("/v1/runs", bundle="server", status="running", workspace="w"),
            lambda runs: len(runs) == 1,
        )
        [pid] = wait_for(lambda: _viewers(daemon), lambda found: len(found) == 1)
        os.kill(pid, 9)
        assert calling.result(BOUND_S).returncode == -9
    seen = daemon.run(run["id"])["run"]["step_count"]
    wait_for(lambda: daemon.run(run["id"])["run"]["step_count"], lambda count: count > seen + 1)
    assert daemon.post(f"{RUNS}/{run['id']}/stop")["run"]["status"] == "aborted"


def _viewers(daemon: RealDaemon) -> list[int]:
    marks = (b"\0call\0server\0", os.fsencode(daemon.data_dir))
    return [pid for pid, line in command_lines() if all(mark in line for mark in marks)]
