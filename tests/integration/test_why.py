"""One broken bundle for each check: the first failing step is named, and its way out mends it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.bundle_files import manifest, server, user_field, write_archive
from tests.support.real_daemon import (
    MINI,
    PYTHON,
    RealDaemon,
    is_alive,
    real_daemon,
    roost,
    wait_for,
)
from tests.support.real_packages import uv_folder

from roost.models import BundleKind, BundleSettings, InstallRequest, SourceKind

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("why")]

QUICK = BundleSettings(start_budget_s=3, stop_grace_s=0.5)

PATIENT_S = 20
"""For a server that has to have said something before its start is given up."""

SLEEPER = "import time\ntime.sleep(1000)\n"

OUTSIDE_EPHEMERAL = range(20_000, 30_000)
"""Ports that no other test is handed by the system."""


@pytest.fixture(scope="module")
def daemon() -> Iterator[RealDaemon]:
    with pytest.MonkeyPatch.context() as environ:
        for name in ("UV_OFFLINE", "PIP_NO_INDEX"):  # no installer of this daemon asks anybody
            environ.setenv(name, "1")
        if folder := uv_folder():  # it fails a lot sooner than pip
            environ.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        with real_daemon() as started:
            yield started


def why(daemon: RealDaemon, name: str) -> dict[str, Any]:
    report: dict[str, Any] = daemon.wire.get(f"{daemon.path(name)}/why")
    return report


def first_failing(report: dict[str, Any]) -> dict[str, Any]:
    failing = [step for step in report["steps"] if step["status"] == "failed"]
    assert failing, report
    return dict(failing[0])


def assert_well(daemon: RealDaemon, name: str) -> None:
    """Check that the report says that nothing is wrong, and that the verb exits with 0."""
    daemon.until(name, "running")
    report = why(daemon, name)
    assert report["is_up"] and report["sentence"].startswith("Nothing is wrong"), report
    assert roost(daemon.data_dir, "why", name).returncode == 0


def follow(daemon: RealDaemon, text: str, *, stdin: str = "") -> None:
    """Type the last command that a way out names."""
    command = re.findall(r"`([^`]+)`", text)[-1]
    program, *arguments = shlex.split(command)
    if program == "roost":
        done = roost(daemon.data_dir, *arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
    else:
        subprocess.run([program, *arguments], check=True, timeout=30)


def install_program(daemon: RealDaemon, name: str, path: Path, interpreter: str) -> None:
    path.write_text(f"#!{interpreter}\n{SLEEPER}")
    path.chmod(0o755)
    daemon.install(
        InstallRequest(
            source=SourceKind.COMMAND,
            name=name,
            command=(str(path),),
            settings=BundleSettings(settle_s=0.1, stop_grace_s=1),
        )
    )
    daemon.until(name, "running")


def test_a_program_that_is_gone_fails_the_runtime_and_its_return_mends_it(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    install_program(daemon, "gone", program, PYTHON)
    program.rename(tmp_path / "away")
    before = why(daemon, "gone")
    assert before["is_up"] and first_failing(before)["check"] == "runtime"
    assert before["sentence"].startswith(f"w/gone runs, but there is no program {program}")
    assert daemon.post(f"{daemon.path('gone')}/stop")["ok"]
    assert not daemon.post(f"{daemon.path('gone')}/start")["ok"]
    report = why(daemon, "gone")
    step = first_failing(report)
    assert (step["check"], step["action"]) == ("runtime", "bundle.respawn")
    assert str(program) in step["said"]
    (tmp_path / "away").rename(program)
    assert "is mended by now" in why(daemon, "gone")["sentence"]
    follow(daemon, step["way_out"])
    assert_well(daemon, "gone")


def test_a_missing_interpreter_is_not_taken_for_a_missing_program(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    interpreter = tmp_path / "python-of-its-own"
    interpreter.symlink_to(PYTHON)
    install_program(daemon, "headless", tmp_path / "script", str(interpreter))
    interpreter.unlink()
    assert not daemon.post(f"{daemon.path('headless')}/respawn")["ok"]
    step = first_failing(why(daemon, "headless"))
    assert step["check"] == "runtime"
    assert (
        step["said"] == f"{tmp_path / 'script'} is a script for {interpreter}, which is not there"
    )
    interpreter.symlink_to(PYTHON)
    follow(daemon, step["way_out"])
    assert_well(daemon, "headless")


def test_a_server_that_exits_at_once_fails_the_spawn_with_what_it_said(
    daemon: RealDaemon,
) -> None:
    daemon.install_mini("leaving", env={"EXIT_WITH": "exit-3"})
    daemon.until("leaving", "dead")
    report = why(daemon, "leaving")
    step = first_failing(report)
    assert step["check"] == "spawn"
    assert "ended with exit 3" in step["said"] and "before it was ready" in step["said"]
    assert step["evidence"] == ["fatal: told by EXIT_WITH"]
    verb = roost(daemon.data_dir, "why", "leaving")
    assert verb.returncode == 1 and "fatal: told by EXIT_WITH" in verb.stdout
    assert max(map(len, verb.stdout.splitlines())) <= 80
    daemon.set("leaving", EXIT_WITH="no")
    assert_well(daemon, "leaving")


def test_junk_on_stdout_fails_the_handshake_and_is_shown(daemon: RealDaemon) -> None:
    for budget_s in (QUICK.start_budget_s, PATIENT_S):  # the second for a machine that is busy
        name = f"noise-{budget_s:g}"
        settings = replace(QUICK, start_budget_s=budget_s)
        daemon.install_mini(name, "--junk", "9", "--mute", settings=settings)
        daemon.until(name, "dead")
        step = first_failing(why(daemon, name))
        if "stdout: this is not MCP 8" in step["evidence"]:
            break
    assert step["check"] == "handshake"
    assert step["evidence"][-1] == "stdout: this is not MCP 8"
    assert "nothing but MCP on stdout" in step["way_out"]


def test_a_server_that_never_answers_fails_the_handshake(daemon: RealDaemon) -> None:
    daemon.install_mini("mute", "--mute", settings=QUICK)
    daemon.until("mute", "dead")
    step = first_failing(why(daemon, "mute"))
    assert step["check"] == "handshake" and "never answered the MCP handshake" in step["said"]


def test_an_error_to_the_list_of_tools_fails_the_tools_after_a_good_handshake(
    daemon: RealDaemon,
) -> None:
    daemon.install_mini("toolless", "--toolless")
    daemon.until("toolless", "dead")
    report = why(daemon, "toolless")
    by_check = {step["check"]: step for step in report["steps"]}
    assert by_check["handshake"]["status"] == "passed"
    assert first_failing(report)["check"] == "tools"
    assert "answered tools/list with error -32603: no catalogue" in by_check["tools"]["said"]


def install_archive(daemon: RealDaemon, name: str, path: Path, **fields: dict[str, Any]) -> None:
    """Install the small server as an archive that asks for these fields."""
    env = {key.upper(): f"${{user_config.{key}}}" for key in fields}
    described = manifest(
        name=name,
        user_config=fields,
        server=server(entry_point="mini.py", env=env, args=["${__dirname}/mini.py"]),
    )
    write_archive(path, described, (("mini.py", MINI.read_bytes()),))
    daemon.install(InstallRequest(SourceKind.MCPB, name=name, path=str(path)))


def test_a_missing_credential_is_named_and_the_command_that_sets_it_mends_it(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    token = user_field(required=True, sensitive=True)
    install_archive(daemon, "asking", tmp_path / "asking.mcpb", token=token)
    daemon.until("asking", "needs_credentials")
    step = first_failing(why(daemon, "asking"))
    assert (step["check"], step["action"]) == ("credentials", "bundle.credentials")
    assert "token" in step["said"]
    follow(daemon, step["way_out"], stdin="not-to-be-seen-1234\n")
    assert_well(daemon, "asking")
    assert "not-to-be-seen" not in str(why(daemon, "asking"))


def test_a_configured_directory_that_is_gone_is_named_before_the_crash_it_caused(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    place = tmp_path / "notes"
    place.mkdir()
    field = user_field(type="directory", required=True)
    install_archive(daemon, "noting", tmp_path / "noting.mcpb", place=field)
    daemon.until("noting", "needs_credentials")
    daemon.set("noting", place=str(place))
    assert_well(daemon, "noting")
    daemon.post(f"{daemon.path('noting')}/stop")
    place.rmdir()
    report = why(daemon, "noting")
    step = first_failing(report)
    assert step["check"] == "credentials" and str(place) in step["said"]
    assert report["sentence"].startswith("w/noting is stopped, and its next start would fail")
    place.mkdir()
    follow(daemon, step["way_out"])
    assert_well(daemon, "noting")


def held_port() -> socket.socket:
    """Listen on a port that nobody else will want meanwhile."""
    for port in OUTSIDE_EPHEMERAL[os.getpid() % 5000 :]:
        listener = socket.socket()
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            listener.close()
            continue
        listener.listen()
        return listener
    raise AssertionError("no port is free")


@pytest.mark.skipif(sys.platform != "linux", reason="who listens is told on Linux only")
def test_a_port_that_is_taken_names_who_has_it_and_is_free_once_that_one_left(
    daemon: RealDaemon,
) -> None:
    program = MINI.with_name("web.py")
    with held_port() as listener:
        port = listener.getsockname()[1]
        daemon.install(
            InstallRequest(
                source=SourceKind.COMMAND,
                name="web",
                kind=BundleKind.WEB,
                command=(PYTHON, "-S", str(program)),
                port=port,
                settings=BundleSettings(stop_grace_s=1),
            )
        )
        daemon.until("web", "dead")
        step = first_failing(why(daemon, "web"))
        assert step["check"] == "spawn" and str(port) in step["said"]
        assert any(f"(pid {os.getpid()}) listens on port {port}" in e for e in step["evidence"])
    assert "is free by now" in first_failing(why(daemon, "web"))["said"]
    follow(daemon, step["way_out"])
    assert_well(daemon, "web")


def test_a_web_app_that_never_listens_fails_the_probe(daemon: RealDaemon, tmp_path: Path) -> None:
    program = tmp_path / "deaf.py"
    program.write_text(SLEEPER)
    daemon.install(
        InstallRequest(
            source=SourceKind.COMMAND,
            name="unheard",
            kind=BundleKind.WEB,
            command=(PYTHON, "-S", str(program)),
            settings=QUICK,
        )
    )
    daemon.until("unheard", "dead")
    report = why(daemon, "unheard")
    step = first_failing(report)
    by_check = {one["check"]: one["status"] for one in report["steps"]}
    assert (by_check["spawn"], by_check["handshake"]) == ("passed", "unknown")
    assert step["check"] == "probe" and "nothing listens on port" in step["said"]
    assert "answer 2xx on /" in step["way_out"]


@pytest.mark.skipif(sys.platform != "linux", reason="who is stopped is told on Linux only")
def test_a_server_stopped_by_a_signal_fails_the_probe_and_goes_on_by_the_command_named(
    daemon: RealDaemon,
) -> None:
    settings = BundleSettings(stop_grace_s=1, probe_interval_s=0)
    daemon.install_mini("frozen", settings=settings)
    pid = daemon.pid_of("frozen")
    os.kill(pid, signal.SIGSTOP)
    try:
        report = why(daemon, "frozen")
        step = first_failing(report)
        assert step["check"] == "probe" and not report["is_up"]
        assert f"stopped by a signal: pid {pid}" in step["evidence"]
        follow(daemon, step["way_out"].partition(",")[0])
    finally:
        if is_alive(pid):
            os.kill(pid, signal.SIGCONT)
    assert_well(daemon, "frozen")
    assert daemon.pid_of("frozen") == pid


def test_a_bundle_whose_files_were_deleted_fails_the_definition(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    install_archive(daemon, "wiped", tmp_path / "wiped.mcpb")
    daemon.until("wiped", "running")
    root = daemon.detail("wiped")["definition"]["root"]
    daemon.post(f"{daemon.path('wiped')}/stop")
    shutil.rmtree(root)
    step = first_failing(why(daemon, "wiped"))
    assert step["check"] == "definition" and root in step["said"]


def test_a_failed_preparation_fails_the_install_with_what_the_installer_said(
    daemon: RealDaemon,
) -> None:
    requirement = "server-of-nobody==0.0.1"
    daemon.install(InstallRequest(SourceKind.PYPI, name="unmade", requirement=requirement))
    wait_for(lambda: daemon.view("unmade"), lambda view: view["state"] == "dead", bound_s=110)
    report = why(daemon, "unmade")
    step = first_failing(report)
    assert step["check"] == "install"
    assert "could not install" in step["said"] and step["evidence"]
