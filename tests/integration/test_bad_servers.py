"""Servers with bad manners: each gets a clear state with a reason, and nothing is left of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.real_daemon import (
    BOUND_S,
    PYTHON,
    RealDaemon,
    is_alive,
    processes_with,
    real_daemon,
    wait_for,
)

from roost.errors import BadArchive, CommandNotFound
from roost.models import BundleKind, BundleSettings, InstallRequest, SourceKind

pytestmark = [pytest.mark.real, pytest.mark.timeout(300), pytest.mark.xdist_group("bad-servers")]

QUICK = BundleSettings(start_budget_s=1, stop_grace_s=0.5)
"""For what is dead at the end of its budget, however far it came."""


@pytest.fixture(scope="module")
def daemon() -> Iterator[RealDaemon]:
    with real_daemon() as started:
        yield started


def test_a_server_that_prints_junk_before_it_speaks_still_becomes_ready(daemon: RealDaemon) -> None:
    daemon.install_mini("junk", "--junk", "50")
    daemon.until("junk", "running")
    assert "this is not MCP 49" in daemon.log("junk")
    assert daemon.call("junk", "env", name="ROOST_BUNDLE") == "junk"


def test_a_server_that_only_prints_junk_is_dead_with_that_said(daemon: RealDaemon) -> None:
    patient = BundleSettings(
        start_budget_s=10, stop_grace_s=0.5
    )  # its lines must have come by then
    daemon.install_mini("noise", "--junk", "9", "--mute", settings=patient)
    view = daemon.until("noise", "dead")
    assert view["step"] == "handshake" and view["reason"]["code"] == "start_timeout"
    assert "9 lines on stdout that are not MCP" in view["reason"]["sentence"]


def test_a_server_that_never_speaks_is_dead_after_its_budget(daemon: RealDaemon) -> None:
    daemon.install_mini("mute", "--mute", settings=QUICK)
    view = daemon.until("mute", "dead")
    assert "never answered the MCP handshake" in view["reason"]["sentence"]
    assert not is_alive(view["generation"]["pid"])


def test_a_server_that_dies_at_once_leaves_its_exit_and_last_words(daemon: RealDaemon) -> None:
    daemon.install_mini("dying", "--die", "5")
    view = daemon.until("dying", "dead")
    assert "exit 5" in view["reason"]["sentence"]
    assert view["crash"]["stderr_tail"][-1] == "fatal: told to die at start"
    assert view["crash"]["step"] == "handshake"


def test_a_server_deaf_to_term_and_to_the_end_of_its_input_is_killed(daemon: RealDaemon) -> None:
    settings = BundleSettings(start_budget_s=BOUND_S, stop_grace_s=0.5)
    daemon.install_mini("deaf", "--deaf", settings=settings)
    pid = daemon.pid_of("deaf")
    result = daemon.post(f"{daemon.path('deaf')}/stop")
    assert result["ok"], result
    assert not is_alive(pid)
    assert daemon.view("deaf")["state"] == "stopped"


def test_a_server_that_fills_stderr_is_drained_and_every_line_is_kept(daemon: RealDaemon) -> None:
    daemon.install_mini("flood", "--flood", "20000")
    daemon.until("flood", "running")
    page = wait_for(
        lambda: daemon.wire.get(f"{daemon.path('flood')}/log", limit=1000),
        lambda page: any("flood 19999" in line["text"] for line in page["lines"]),
    )
    assert page["dropped"] == 0


def test_a_server_that_dies_under_a_call_ends_the_run_as_lost_and_is_restarted(
    daemon: RealDaemon,
) -> None:
    daemon.install_mini("mortal")
    before = daemon.pid_of("mortal")
    detail = daemon.settled(daemon.begin("mortal", "die"))
    assert detail["run"]["status"] == "failed"
    assert detail["run"]["error"]["code"] == "lost"
    view = daemon.until("mortal", lambda view: view["crash"] is not None)
    assert view["crash"]["exit"] == "exit 7"
    daemon.until("mortal", lambda v: v["state"] == "running" and v["generation"]["pid"] != before)
    assert daemon.call("mortal", "env", name="ROOST_BUNDLE") == "mortal"


def test_a_wrapper_and_what_it_started_are_gone_after_a_stop(daemon: RealDaemon) -> None:
    script = "sleep 1000 & setsid sleep 1000 & (sleep 1000 &) ; wait"
    daemon.install(
        InstallRequest(
            source=SourceKind.COMMAND,
            name="wrapper",
            kind=BundleKind.COMMAND,
            command=("/bin/sh", "-c", script),
            settings=BundleSettings(settle_s=0.3, stop_grace_s=1),
        )
    )
    generation = daemon.until("wrapper", "running")["generation"]["id"]
    wait_for(lambda: processes_with(generation), lambda pids: len(pids) >= 4)
    daemon.post(f"{daemon.path('wrapper')}/stop")
    assert processes_with(generation) == []


def test_a_command_that_does_not_exist_installs_nothing(daemon: RealDaemon) -> None:
    request = InstallRequest(
        source=SourceKind.COMMAND, name="ghost", command=("there-is-no-such-program",)
    )
    with pytest.raises(CommandNotFound):
        daemon.install(request)
    assert "ghost" not in [view["name"] for view in daemon.wire.get("/v1/bundles")]


def test_a_broken_archive_installs_nothing_and_leaves_nothing(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mcpb"
    broken.write_bytes(b"PK\x03\x04 this is no archive")
    with pytest.raises(BadArchive):
        daemon.install(InstallRequest(source=SourceKind.MCPB, name="broken", path=str(broken)))
    assert not list((daemon.data_dir / "bundles").rglob("*broken*"))


def test_a_command_that_vanishes_after_the_install_is_dead_with_the_remedy(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!{PYTHON}\nimport time\ntime.sleep(1000)\n")
    program.chmod(0o755)
    daemon.install(
        InstallRequest(
            source=SourceKind.COMMAND,
            name="gone",
            command=(str(program),),
            settings=BundleSettings(settle_s=0.1),
        )
    )
    daemon.until("gone", "running")
    program.unlink()
    result = daemon.post(f"{daemon.path('gone')}/respawn")
    assert not result["ok"] and result["code"] == "command_not_found"
    assert str(program) in result["sentence"]
