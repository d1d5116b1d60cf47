"""The console script: how the screen is opened and how it reaches the daemon."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.fake_engine import FakeEngine
from tests.support.served_engine import served
from tests.support.socket_dir import socket_dir

from roost.client.http_engine import HttpEngine
from roost.errors import DaemonUnreachable
from roost_tui import __main__ as console
from roost_tui.app import RoostApp


async def test_the_screen_reaches_a_running_daemon() -> None:
    with served(FakeEngine(workspaces=("w",))) as served_engine:
        engine = await console._connect(served_engine.data_dir, may_start=True)
        assert isinstance(engine, HttpEngine)
        async with engine:
            assert [view.id for view in await engine.workspaces()] == ["w"]


async def test_a_read_only_screen_starts_no_daemon() -> None:
    with socket_dir() as data_dir:
        with pytest.raises(DaemonUnreachable):
            await console._connect(data_dir, may_start=False)
        assert list(Path(data_dir).iterdir()) == []


def test_the_screen_gets_the_workspace_the_mode_and_a_place_for_crashes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[dict[str, Any]] = []

    def init(self: RoostApp, connect: object, **options: Any) -> None:
        given.append(options)

    monkeypatch.setattr(RoostApp, "__init__", init)
    monkeypatch.setattr(RoostApp, "run", lambda self: None)
    monkeypatch.setattr(RoostApp, "return_code", 3)
    assert console.open_screen("/data", "acme", True) == 3
    assert given == [
        {
            "workspace": "acme",
            "read_only": True,
            "crash_dir": Path("/data/crashes"),
            "ascii_only": False,
        }
    ]


def test_the_console_script_runs_the_verb_that_it_was_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["roost", "--version"])
    assert console.main() == 0
    assert capsys.readouterr().out.startswith("roost ")
