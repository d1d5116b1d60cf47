"""The programs that bundles run on."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.support.real_daemon import is_alive, processes_with, wait_for

from roost.doctor import Surroundings, runtimes
from roost.doctor.ask_program import Answer, ask
from roost.doctor.runtimes import check_git, check_node, check_npx, check_python, check_uv
from roost.models import Finding, Severity


class Bin:
    """A directory of programs, alone on a PATH."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / "bin"
        self.path.mkdir()
        self.around = Surroundings(data_dir, {"PATH": str(self.path), "HOME": str(data_dir)})

    def add(self, name: str, script: str) -> Path:
        program = self.path / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return program


@pytest.fixture
def programs(data_dir: Path) -> Bin:
    return Bin(data_dir)


@pytest.mark.parametrize(
    ("check", "name"), [(check_uv, "uv"), (check_node, "node"), (check_git, "git")]
)
@pytest.mark.parametrize("answer", ["v24.1.0", "thing 24.1.0 (abc 2026-01-01)"])
def test_a_program_is_told_with_version_and_place(
    programs: Bin, check: Callable[[Surroundings], Finding], name: str, answer: str
) -> None:
    program = programs.add(name, f"echo '{answer}'")
    finding = check(programs.around)
    assert (finding.check, finding.severity) == (f"runtime_{name}", Severity.OK)
    assert finding.said == f"{name} 24.1.0 is {program}"


@pytest.mark.parametrize("check", [check_uv, check_node, check_git, check_npx])
def test_a_missing_program_is_a_warning_that_says_how_to_install_it(
    programs: Bin, check: Callable[[Surroundings], Finding]
) -> None:
    finding = check(programs.around)
    assert finding.severity is Severity.WARNING
    assert "it is missing" in finding.said
    assert "install" in finding.mend


@pytest.mark.parametrize(
    ("version", "severity"),
    [("v20.0.0", Severity.OK), ("v22.1.0", Severity.OK), ("v18.20.4", Severity.WARNING)],
)
def test_node_must_be_new_enough(programs: Bin, version: str, severity: Severity) -> None:
    programs.add("node", f"echo {version}")
    assert check_node(programs.around).severity is severity


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("exit 3", "it ended with status 3"),
        ("kill -9 $$", "signal SIGKILL"),
        ("echo no version", "something else than a version"),
    ],
)
def test_a_program_that_does_not_tell_its_version_is_a_warning(
    programs: Bin, script: str, told: str
) -> None:
    programs.add("node", script)
    finding = check_node(programs.around)
    assert finding.severity is Severity.WARNING
    assert told in finding.said


def test_a_program_that_cannot_be_executed_is_a_warning(programs: Bin) -> None:
    (programs.path / "node").write_text("#!/nowhere/interpreter\n")
    (programs.path / "node").chmod(0o755)
    assert "cannot be executed" in check_node(programs.around).said


def test_a_hanging_program_is_a_warning(programs: Bin, monkeypatch: pytest.MonkeyPatch) -> None:
    program = programs.add("node", "exec /bin/sleep 600")
    monkeypatch.setattr(runtimes, "ask", lambda argv, environ: ask(argv, environ, seconds=0.2))
    finding = check_node(programs.around)
    assert finding.severity is Severity.WARNING
    assert f"{program} does not tell its version" in finding.said
    assert "0.2 s and was ended" in finding.said


@pytest.fixture
def marked(programs: Bin) -> Iterator[dict[str, str]]:
    """An environment by which everything that was started with it is found and ended."""
    mark = f"MARK={programs.path}"
    yield {"PATH": "/usr/bin:/bin", "MARK": str(programs.path)}
    for pid in processes_with(mark):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: processes_with(mark), lambda left: not left)


def left_by_hanging(program: Path, note: Path, environ: dict[str, str]) -> list[int]:
    """Ask a program that hangs, and longer on a slow machine, until it has noted its pids."""
    for seconds in (1, 5, 25):
        assert ask([str(program)], environ, seconds=seconds).trouble
        if note.exists():
            return [int(pid) for pid in note.read_text().split()]
    raise AssertionError("the program did not even begin")


def test_a_hanging_program_ends_with_all_that_it_started(
    programs: Bin, marked: dict[str, str]
) -> None:
    note = programs.path / "pids"
    script = f"/bin/sleep 600 & echo $! $$ > {note}.part; mv {note}.part {note}; wait"
    program = programs.add("node", script)
    pids = left_by_hanging(program, note, marked)
    assert len(pids) == 2
    wait_for(lambda: [pid for pid in pids if is_alive(pid)], lambda left: not left)


def test_a_grandchild_that_left_the_group_does_not_hold_the_doctor_up(
    programs: Bin, marked: dict[str, str]
) -> None:
    note = programs.path / "pid"
    stray = f"echo $$ > {note}.part; mv {note}.part {note}; exec /bin/sleep 600"
    script = f"setsid sh -c '{stray}' & exec /bin/sleep 600"
    program = programs.add("node", script)
    (pid,) = left_by_hanging(program, note, marked)
    assert is_alive(pid)


def test_a_program_sees_nothing_of_the_daemons_own_environment(data_dir: Path) -> None:
    given = {"PATH": "/usr/bin:/bin", "HOME": "/h", "ROOST_VAULT_KEY": "k", "NOTIFY_SOCKET": "n"}
    around = Surroundings(data_dir, given)
    answer = ask(["/usr/bin/env"], around.program_environ)
    names = {line.partition("=")[0] for line in answer.text.splitlines()}
    assert {"PATH", "HOME"} <= names
    assert not names & {"ROOST_VAULT_KEY", "NOTIFY_SOCKET"}


def test_a_program_gets_no_input_and_its_flood_is_cut(programs: Bin) -> None:
    program = programs.add("node", "cat; yes | head -c 100000")
    answer = ask([str(program)], {"PATH": "/usr/bin:/bin"})
    assert not answer.trouble
    assert len(answer.text) == 4096


def test_without_a_path_the_usual_places_are_searched(data_dir: Path) -> None:
    around = Surroundings(data_dir, {})
    assert ask(["/bin/sh", "-c", "echo ok"], around.program_environ) == Answer("ok\n")
    assert around.search_path.split(":")[-1] == "/bin"


def test_npx_is_never_run(programs: Bin) -> None:
    programs.add("npx", f"touch {programs.path}/was-run; echo 1.2.3")
    finding = check_npx(programs.around)
    assert finding.said == f"npx is {programs.path}/npx"
    assert not (programs.path / "was-run").exists()


def test_the_version_of_npx_is_that_of_the_package_it_lies_in(programs: Bin) -> None:
    package = programs.path / "npm"
    (package / "bin").mkdir(parents=True)
    (package / "package.json").write_text('{"name": "npm", "version": "11.2.3"}')
    (package / "bin" / "npx-cli.js").write_text("")
    (package / "bin" / "npx-cli.js").chmod(0o755)
    (programs.path / "npx").symlink_to(package / "bin" / "npx-cli.js")
    assert check_npx(programs.around).said == f"npx 11.2.3 is {programs.path}/npx"


def test_the_python_that_runs_roost_is_told(programs: Bin) -> None:
    finding = check_python(programs.around)
    assert finding.severity is Severity.OK
    assert sys.executable in finding.said


def test_a_python_that_was_taken_away_is_a_problem(
    programs: Bin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert check_python(programs.around).severity is Severity.PROBLEM


def test_a_python_without_venv_is_a_warning_unless_uv_is_there(
    programs: Bin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    finding = check_python(programs.around)
    assert finding.severity is Severity.WARNING
    assert "lacks venv and ensurepip" in finding.said
    programs.add("uv", "echo uv 1.0.0")
    assert check_python(programs.around).severity is Severity.OK
