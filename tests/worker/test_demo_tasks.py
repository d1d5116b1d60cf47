"""The three worked patterns do what they show."""

import importlib
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.support.in_process_worker import ended, seen, working
from tests.support.task_daemon import TaskDaemon

QUESTION = {"question": "Which is the highest mountain of Japan?"}


def load(name: str) -> Any:
    """Import a pattern so that it declares its task to this test's own offer."""
    sys.modules.pop(f"roost.demo.tasks.{name}", None)
    return importlib.import_module(f"roost.demo.tasks.{name}")


async def done(daemon: TaskDaemon, run: dict[str, Any]) -> dict[str, Any]:
    async with working(daemon):
        await ended(daemon, run)
    return run


async def test_the_agent_goes_on_behind_the_turns_that_its_own_store_has(
    daemon: TaskDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENT_STORE", str(tmp_path / "agent.db"))
    agent = load("agent_loop")
    first = await done(daemon, daemon.submit("agent.answer", QUESTION))
    assert first["result"] == {"answer": "Mount Fuji, 3776 m; 12388 ft", "turns": 2}

    def refuse(words: str) -> str:
        raise AssertionError("the first turn is done")

    monkeypatch.setitem(agent.TOOLS, "search", refuse)
    second = daemon.submit("agent.answer", QUESTION)
    with closing(agent.open_store()) as store:
        agent.keep(store, second["id"], 1, "Mount Fuji, 3776 m")
    daemon.recover(second)
    assert (await done(daemon, second))["result"] == first["result"]
    told = [event["message"] for event in second["events"]]
    assert told[0] == "attempt 2 goes on behind turn 1"
    with closing(agent.open_store()) as store, pytest.raises(sqlite3.IntegrityError):
        agent.keep(store, second["id"], 1, "twice")


async def test_the_pipeline_skips_its_finished_stages(daemon: TaskDaemon, tmp_path: Path) -> None:
    pipeline = load("pipeline")
    out = tmp_path / "counts.json"
    run = daemon.submit("pipeline.count", {"text": "to be or not to be", "out": str(out)})
    entry = {"attempt": 1, "was_interrupted": False, "value": None}
    run["journal"] = {
        "split": entry | {"name": "split", "state": "done", "value": ["kept", "words", "kept"]},
        "store": entry | {"name": "store", "state": "started"},
    }
    daemon.recover(run)
    await done(daemon, run)
    assert run["result"] == {"words": 3, "path": str(out)}
    assert json.loads(out.read_text()) == {"kept": 2, "words": 1}
    assert not list(tmp_path.glob("*.part")) and run["link"] == out.as_uri()
    assert ("stored again", '{"attempt": 2}') in [
        (event["name"], event["message"]) for event in run["events"]
    ]
    assert run["step_count"] == pipeline.STAGES


async def test_the_saga_takes_back_what_it_has_done(daemon: TaskDaemon, tmp_path: Path) -> None:
    load("saga")
    ledger = tmp_path / "ledger"
    parts = ["flight", "hotel", "full train", "car"]
    run = daemon.submit("travel.book", {"parts": parts, "ledger": str(ledger)})
    await done(daemon, run)
    assert run["status"] == "failed" and "full train has no room" in run["error"]["sentence"]
    lines = ["book flight", "book hotel", "cancel hotel", "cancel flight"]
    assert ledger.read_text().splitlines() == lines


async def test_the_saga_goes_on_cancelling_after_a_crash(
    daemon: TaskDaemon, tmp_path: Path
) -> None:
    load("saga")
    ledger = tmp_path / "ledger"
    run = daemon.submit(
        "travel.book", {"parts": ["flight", "hotel", "full train"], "ledger": str(ledger)}
    )
    entry = {"state": "done", "attempt": 1, "was_interrupted": False, "value": None}
    values = {"book flight": None, "book hotel": None, "cancel hotel": None}
    values["book full train"] = "full train had no room then"  # type: ignore[assignment]  # a text
    run["journal"] = {
        name: entry | {"name": name, "value": value} for name, value in values.items()
    }
    daemon.recover(run)
    await done(daemon, run)
    assert "had no room then" in run["error"]["sentence"]
    assert ledger.read_text().splitlines() == ["cancel flight"]


async def test_a_stopped_saga_takes_back_what_it_has_done(
    daemon: TaskDaemon, tmp_path: Path
) -> None:
    load("saga")
    daemon.lease_ms = 150
    ledger = tmp_path / "ledger"
    parts = [f"part {number}" for number in range(2000)]
    run = daemon.submit("travel.book", {"parts": parts, "ledger": str(ledger)})
    async with working(daemon):
        await seen(daemon, lambda: run["step_count"] > 2)
        daemon.stop_requested = True
        await ended(daemon, run)
    lines = ledger.read_text().splitlines()
    booked = [line.removeprefix("book ") for line in lines if line.startswith("book ")]
    cancelled = [line.removeprefix("cancel ") for line in lines if line.startswith("cancel ")]
    assert run["status"] == "aborted" and cancelled == booked[::-1] and len(booked) < len(parts)
