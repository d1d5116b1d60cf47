"""Worker bundles with real processes: registered, refused, gone, and their schedules."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.support.real_daemon import RealDaemon, real_daemon, wait_for

from roost.models import InstallRequest, MissedFires, ScheduleSpec, SourceKind

pytestmark = pytest.mark.real

PROGRAMS = Path(__file__).parents[1] / "support" / "programs"

MINUTE_MS = 60_000
MISSED = 60
"""Fires that a daemon was down for; fewer than are made up for at most."""


@pytest.fixture
def daemon() -> Iterator[RealDaemon]:
    with real_daemon() as daemon:
        yield daemon


def _install(daemon: RealDaemon, name: str = "jobs", module: str = "jobs") -> None:
    daemon.install(InstallRequest(SourceKind.WORKER, name=name, path=str(PROGRAMS), entry=module))


def _steps(daemon: RealDaemon, name: str) -> dict[str, dict[str, Any]]:
    report = daemon.wire.get(f"{daemon.path(name)}/why")
    return {step["check"]: step for step in report["steps"]}


def _schedules(daemon: RealDaemon) -> dict[str, dict[str, Any]]:
    return {view["spec"]["name"]: view for view in daemon.wire.get("/v1/schedules")}


def test_a_worker_is_running_once_it_has_registered_what_it_offers(daemon: RealDaemon) -> None:
    _install(daemon)
    daemon.until("jobs", "running")
    [task] = daemon.wire.get("/v1/tasks")
    assert (task["spec"]["name"], task["bundle"], task["workers"]) == ("report", "jobs", 1)
    assert _schedules(daemon)["report"]["bundle"] == "jobs"
    steps = _steps(daemon, "jobs")
    assert {step["status"] for step in steps.values()} == {"passed"}
    assert steps["tools"]["said"] == "it offers 1 task: report"


def test_a_schedule_that_is_fired_by_hand_is_done_by_the_worker(daemon: RealDaemon) -> None:
    _install(daemon)
    daemon.until("jobs", "running")
    fired = daemon.post("/v1/workspaces/w/schedules/report/fire")
    detail = daemon.settled(fired["run"]["id"])
    assert detail["run"]["status"] == "succeeded", detail["run"]["error"]
    assert detail["result"] == {"given": {"by": "clock"}}


def test_who_offers_a_task_of_another_bundle_is_dead_until_that_one_is_gone(
    daemon: RealDaemon,
) -> None:
    _install(daemon)
    daemon.until("jobs", "running")
    _install(daemon, "rival")
    reason = daemon.until("rival", "dead")["reason"]
    assert reason["code"] == "hello_refused"
    assert "'jobs'" in reason["sentence"] and "report" in reason["sentence"]
    steps = _steps(daemon, "rival")
    assert steps["handshake"]["status"] == "failed" and steps["spawn"]["status"] == "passed"
    assert "`roost respawn w/rival`" in steps["handshake"]["way_out"]
    daemon.wire.send("DELETE", daemon.path("jobs"))
    assert daemon.wire.get("/v1/tasks") == [] and _schedules(daemon) == {}
    daemon.post(f"{daemon.path('rival')}/respawn")
    daemon.until("rival", "running")
    assert _schedules(daemon)["report"]["bundle"] == "rival"


def test_a_module_that_is_not_there_is_told_in_its_own_words(daemon: RealDaemon) -> None:
    _install(daemon, module="nothing_of_this_name")
    reason = daemon.until("jobs", "dead")["reason"]
    assert "nothing_of_this_name" in reason["sentence"]
    assert "nothing_of_this_name" in _steps(daemon, "jobs")["spawn"]["said"]


def test_a_daemon_that_is_killed_while_it_fires_neither_loses_nor_doubles_a_fire() -> None:
    with real_daemon() as daemon:
        _install(daemon)
        daemon.until("jobs", "running")
        daemon.post(f"{daemon.path('jobs')}/stop")  # so that what is submitted stays as it is
        often = ScheduleSpec("often", "report", "* * * * *", missed=MissedFires.ALL)
        daemon.post("/v1/workspaces/w/schedules", often)
        daemon.kill()
        first = _set_back(daemon.data_dir)
        for least in (1, 2, 3):
            daemon = RealDaemon(daemon.data_dir)
            wait_for(partial(_fired, daemon), partial(_has, least))
            daemon.kill()
        daemon = RealDaemon(daemon.data_dir)
        wait_for(lambda: _schedules(daemon)["often"], lambda view: view["next_at"] > _now())
        fired = _fired(daemon)
        assert len(fired) >= MISSED
        assert fired == [_key(first + place * MINUTE_MS) for place in range(len(fired))]


def _has(least: int, fired: list[str]) -> bool:
    return len(fired) >= least


def _now() -> int:
    return round(time.time() * 1000)


def _set_back(data_dir: Path) -> int:
    """Let the schedule have missed its fires; return the first of them."""
    first = (_now() // MINUTE_MS - MISSED) * MINUTE_MS
    with closing(sqlite3.connect(data_dir / "roost.db")) as database, database:
        database.execute("UPDATE schedules SET next_at = ? WHERE name = 'often'", (first,))
    return first


def _fired(daemon: RealDaemon) -> list[str]:
    """Return the keys of all fires in the order of their times."""
    runs = daemon.wire.get("/v1/runs", workspace="w", limit=200)
    keys = [str(run["idempotency_key"]) for run in runs]
    return sorted(key for key in keys if key.startswith("schedule:often:"))


def _key(at: int) -> str:
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return f"schedule:often:{moment:%Y-%m-%dT%H:%M:%SZ}"
