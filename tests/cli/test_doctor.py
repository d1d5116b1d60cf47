"""``roost doctor``: with a daemon, without one, and with one that does not answer."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.command_line import Outcome, roost
from tests.support.fake_engine import FakeEngine
from tests.support.served_engine import served
from tests.support.socket_dir import socket_dir

from roost.cli import doctor
from roost.cli.doctor import merged
from roost.cli.findings_text import WIDTH, wrapped
from roost.doctor.findings import ok, problem, warning
from roost.errors import NotFound
from roost.models import DoctorReport, Finding, Severity
from roost.models.codec import from_json

LONG = "x" * 90


@contextmanager
def daemon_with(*findings: Finding) -> Iterator[str]:
    """Give the data directory of a daemon whose doctor finds this."""
    fake = FakeEngine()
    fake.set_findings(*findings)
    with served(fake) as engine:
        yield engine.data_dir


def findings(done: Outcome) -> Mapping[str, Finding]:
    return {finding.check: finding for finding in from_json(done.out, DoctorReport).findings}


def test_without_a_daemon_it_looks_for_itself_and_starts_none() -> None:
    with socket_dir() as parent:
        data_dir = f"{parent}/none"
        done = roost(data_dir, "doctor", "--json", environ=os.environ)
        assert done.err == "" and done.out.count("\n") == 1
        found = findings(done)
        assert found["daemon"].said.startswith("none is running")
        assert {"data_dir", "keyring", "runtime_python", "disk", "clock"} <= set(found)
        assert os.listdir(parent) == []


def test_with_a_daemon_its_findings_are_told_and_those_about_it_are_added() -> None:
    with daemon_with(ok("data_dir", "it is the daemon's"), warning("disk", "low", "`rm`")) as place:
        found = findings(roost(place, "doctor", "--json", environ=os.environ))
        assert found["data_dir"].said == "it is the daemon's"
        assert found["disk"].severity is Severity.WARNING
        assert found["daemon"].said.startswith("version 0.1.0 answers, pid ")
        assert {"lock", "socket", "daemons", "runtime_python"} <= set(found)
        assert "limits" not in found  # those of this shell do not count


@pytest.mark.parametrize(
    ("finding", "code"),
    [
        (ok("disk", "much room"), 0),
        (warning("disk", "little room", "make room"), 0),
        (problem("disk", "no room", "make room"), 1),
    ],
)
def test_only_a_problem_is_a_failure(finding: Finding, code: int) -> None:
    with daemon_with(finding) as place:
        assert roost(place, "doctor", environ=os.environ).code == code
        assert roost(place, "doctor", "--json", environ=os.environ).code == code


def test_each_finding_has_a_word_and_what_mends_it_below() -> None:
    bad = problem("keyring", "the key is open", "close it with `chmod 600 /k`")
    with daemon_with(ok("data_dir", "private"), bad) as place:
        lines = roost(place, "doctor", environ=os.environ).out.splitlines()
    at = next(index for index, line in enumerate(lines) if line.startswith("! problem"))
    assert lines[at].split() == ["!", "problem", "keyring", "the", "key", "is", "open"]
    assert lines[at + 1] == "    close it with `chmod 600 /k`"
    assert any(line.split()[:3] == ["+", "ok", "data_dir"] for line in lines)
    assert lines[-1].startswith("1 problem")


def test_a_clean_bill_says_so() -> None:
    checks = [ok(check, "fine") for check in ("runtime_uv", "runtime_node", "runtime_npx")]
    with daemon_with(*checks, ok("runtime_git", "fine"), ok("runtime_python", "fine")) as place:
        assert roost(place, "doctor", environ=os.environ).out.endswith("nothing is wrong\n")


def test_no_line_is_wider_than_a_terminal_except_a_command_to_copy() -> None:
    sentence = " ".join(["word"] * 60)
    command = f"`chmod 600 /{LONG}`"
    with daemon_with(problem("permissions", sentence, f"{sentence} {command} or else")) as place:
        lines = roost(place, "doctor", environ=os.environ).out.splitlines()
    wide = [line for line in lines if len(line) > WIDTH]
    assert wide == [f"    {command}"]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("one two", ["  one two"]),
        ("", ["  "]),
        (f"a {LONG} b", ["  a", f"  {LONG}", "  b"]),
        (f"a `b {LONG} c`, d", ["  a", f"  `b {LONG} c`,", "  d"]),
        ("a\x1b[31mb\nc", ["  ab c"]),
    ],
)
def test_a_sentence_is_wrapped_between_words_and_never_inside_a_command(
    sentence: str, expected: list[str]
) -> None:
    assert list(wrapped(sentence, 2)) == expected


def test_the_worse_of_two_findings_is_told() -> None:
    told = (ok("lock", "told"), problem("socket", "told", "x"), warning("daemons", "told", "x"))
    seen = (warning("lock", "seen", "x"), ok("socket", "seen"), warning("daemons", "seen", "x"))
    assert [(f.check, f.said) for f in merged(told, seen)] == [
        ("lock", "seen"),
        ("socket", "told"),
        ("daemons", "told"),
    ]


def test_a_program_counts_as_the_daemon_finds_it() -> None:
    missing = warning("runtime_node", "it is missing", "install it")
    there = ok("runtime_node", "node 20.1.0 is /opt/node")
    assert merged([there], [missing]) == [there]
    assert merged([missing], [missing]) == [missing]
    [told] = merged([missing], [there])
    assert (told.severity, told.said) == (Severity.WARNING, "it is missing")
    assert "another PATH than this shell, where node 20.1.0 is /opt/node" in told.mend


def test_what_only_this_process_found_comes_last() -> None:
    first, second = ok("disk", "a"), ok("lock", "b")
    assert merged([first], [second]) == [first, second]


def test_a_daemon_that_does_not_answer_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "STATUS_S", 0.2)
    with socket_dir() as place, socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(f"{place}/roost.sock")
        os.chmod(f"{place}/roost.sock", 0o600)
        deaf.listen()
        done = roost(place, "doctor", "--json", environ=os.environ)
    found = findings(done)
    assert done.code == 1
    assert found["daemon"].severity is Severity.PROBLEM
    assert "does not answer" in found["daemon"].said
    assert "daemon.log" in found["daemon"].mend
    assert "limits" in found  # it looks for itself then


def test_a_daemon_of_another_version_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roost.__version__", "9.9.9")
    with daemon_with(ok("disk", "much room")) as place:
        found = findings(roost(place, "doctor", "--json", environ=os.environ))
    assert found["daemon"].severity is Severity.WARNING
    assert "this is version 9.9.9" in found["daemon"].said


def test_a_daemon_that_knows_no_doctor_is_told_and_looked_at_from_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refuse(_: FakeEngine) -> DoctorReport:
        raise NotFound("there is no such thing")

    monkeypatch.setattr(FakeEngine, "doctor", refuse)
    with served(FakeEngine()) as engine:
        found = findings(roost(engine.data_dir, "doctor", "--json", environ=os.environ))
    assert found["daemon"].severity is Severity.PROBLEM
    assert "restart it" in found["daemon"].mend
    assert "limits" in found


def test_it_is_allowed_when_only_reading_is() -> None:
    with daemon_with(ok("disk", "much room")) as place:
        assert roost(place, "--read-only", "doctor", environ=os.environ).code == 0


def test_a_path_that_is_no_directory_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    done = roost(str(tmp_path / "file"), "doctor", "--json", environ=os.environ)
    assert done.code == 1
    assert findings(done)["data_dir"].severity is Severity.PROBLEM
