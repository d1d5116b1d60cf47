"""All checks at once: bounded, apart from one another, and without a trace."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from tests.support.data_dirs import CHECK_NAMES, ENVIRON

from roost.doctor import CHECKS, Check, Surroundings, examine
from roost.doctor.findings import listed, ok, size
from roost.models import Finding, Severity


def test_every_check_tells_one_finding_in_order(around: Surroundings) -> None:
    findings = examine(around)
    assert [finding.check for finding in findings] == CHECK_NAMES
    assert all(finding.said for finding in findings)
    for finding in findings:
        assert bool(finding.mend) is (finding.severity is not Severity.OK), finding


def test_nothing_is_a_problem_in_a_directory_as_a_daemon_leaves_it(around: Surroundings) -> None:
    found = [f for f in examine(around) if f.severity is Severity.PROBLEM]
    assert not [f for f in found if f.check != "disk"]  # the machine's own, which may be full


def test_a_directory_that_is_not_there_is_not_made(data_dir: Path) -> None:
    findings = examine(Surroundings(data_dir / "none", ENVIRON))
    assert len(findings) == len(CHECKS)
    assert not list(data_dir.iterdir())


def test_no_file_is_made_or_changed(around: Surroundings) -> None:
    def seen() -> dict[Path, tuple[int, int, int]]:
        return {
            path: (path.lstat().st_mode, path.lstat().st_mtime_ns, path.lstat().st_size)
            for path in [around.data_dir, *around.data_dir.rglob("*")]
        }

    before = seen()
    examine(around)
    assert seen() == before


def test_a_check_that_raises_is_a_finding_and_the_others_are_told(around: Surroundings) -> None:
    def broken(_: Surroundings) -> Finding:
        raise ValueError("hunter2")

    def denied(_: Surroundings) -> Finding:
        raise PermissionError(13, "Permission denied", "/secret")

    checks = (
        Check("one", broken),
        Check("two", denied),
        Check("three", lambda _: ok("three", "a")),
    )
    findings = examine(around, checks)
    assert [(f.check, f.severity) for f in findings] == [
        ("one", Severity.PROBLEM),
        ("two", Severity.PROBLEM),
        ("three", Severity.OK),
    ]
    assert findings[0].said == "this could not be checked (ValueError)"
    assert findings[1].said == "this could not be checked (PermissionError: Permission denied)"


def test_a_check_that_does_not_end_is_named_and_holds_nobody_up(around: Surroundings) -> None:
    release = threading.Event()

    def hang(_: Surroundings) -> Finding:
        release.wait()
        return ok("hangs", "late")

    checks = (Check("hangs", hang), Check("quick", lambda _: ok("quick", "done")))
    findings = examine(around, checks, deadline_s=0.5)
    release.set()
    assert [(f.check, f.severity) for f in findings] == [
        ("hangs", Severity.WARNING),
        ("quick", Severity.OK),
    ]
    assert "did not end within 0.5 s" in findings[0].said


def test_a_machine_without_a_thread_to_spare_is_a_finding(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    [finding] = examine(around, [Check("one", lambda _: ok("one", "fine"))])
    assert finding.severity is Severity.PROBLEM
    assert "no thread can be started" in finding.said


def test_checks_run_beside_one_another(around: Surroundings) -> None:
    meeting = threading.Barrier(3)

    def meet(_: Surroundings) -> Finding:
        meeting.wait(30)
        return ok("met", "all three were here at once")

    checks = [Check(name, meet) for name in ("a", "b", "c")]
    findings = examine(around, checks, deadline_s=60)
    assert [f.severity for f in findings] == [Severity.OK] * 3


def test_a_check_may_have_nothing_to_say(around: Surroundings) -> None:
    assert examine(around, [Check("quiet", lambda _: None)]) == ()


def test_what_several_checks_need_is_looked_at_once(around: Surroundings) -> None:
    assert around.openers() is around.openers()
    assert around.settings() is around.settings()


def test_words_of_findings() -> None:
    assert [listed([]), listed("a"), listed("ab"), listed("abc")] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert [size(0), size(2048), size(3 << 30), size(5 << 40)] == [
        "0 bytes",
        "2 KiB",
        "3.0 GiB",
        "5.0 TiB",
    ]
