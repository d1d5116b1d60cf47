"""``roost status``: the daemon in a few lines, and what to do without one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.support.command_line import roost
from tests.support.fake_engine import FakeEngine
from tests.support.served_engine import served
from tests.support.socket_dir import socket_dir


def lines(text: str) -> dict[str, str]:
    pairs = (line.split(maxsplit=1) for line in text.splitlines())
    return {name: value.strip() for name, value in pairs}


def test_the_log_is_named_where_there_is_one(tmp_path: Path) -> None:
    fake = FakeEngine()
    fake.world.daemon = replace(fake.world.daemon, data_dir=str(tmp_path))
    with served(fake) as engine:
        assert "log" not in lines(roost(engine.data_dir, "status").out)
        (tmp_path / "daemon.log").write_text("a line\n")
        assert lines(roost(engine.data_dir, "status").out)["log"] == f"{tmp_path}/daemon.log"


def test_a_stopping_daemon_says_what_it_waits_for() -> None:
    fake = FakeEngine()
    fake.world.daemon = replace(
        fake.world.daemon, is_stopping=True, waiting_for=("stop w/git", "stop w/search")
    )
    with served(fake) as engine:
        done = roost(engine.data_dir, "status")
    assert "daemon     stopping" in done.out
    assert "waits for  stop w/git, stop w/search" in done.out


def test_without_a_daemon_it_says_how_to_start_one_and_starts_none() -> None:
    with socket_dir() as data_dir:
        done = roost(data_dir, "status")
        assert (done.code, done.out) == (5, "")
        assert "no daemon is running" in done.err and "`roost serve` starts one" in done.err
        assert not list(Path(data_dir).iterdir())
        as_json = roost(data_dir, "status", "--json")
    assert (as_json.code, as_json.json["error"]["code"]) == (5, "daemon_unreachable")
