"""Limits of the process, and the clock."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

import pytest
from tests.support.data_dirs import ENVIRON

from roost.doctor import Surroundings
from roost.doctor.machine import check_clock, check_limits
from roost.models import Severity
from roost.settings.daemon_settings import DaemonSettings

UNLIMITED = resource.RLIM_INFINITY


def limits(monkeypatch: pytest.MonkeyPatch, files: int, processes: int) -> None:
    given = {resource.RLIMIT_NOFILE: files, resource.RLIMIT_NPROC: processes}
    monkeypatch.setattr(resource, "getrlimit", lambda which: (given[which], UNLIMITED))


@pytest.mark.parametrize(
    ("files", "processes", "severity"),
    [
        (20_000, 4096, Severity.OK),
        (UNLIMITED, UNLIMITED, Severity.OK),
        (256, 4096, Severity.WARNING),
        (20_000, 100, Severity.WARNING),
    ],
)
def test_limits_must_leave_room_for_bundles(
    around: Surroundings,
    monkeypatch: pytest.MonkeyPatch,
    files: int,
    processes: int,
    severity: Severity,
) -> None:
    limits(monkeypatch, files, processes)
    finding = check_limits(around)
    assert finding.severity is severity
    assert bool(finding.mend) is (severity is not Severity.OK)


def test_a_daemon_that_has_almost_all_its_files_open_is_a_problem(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = Surroundings(data_dir, ENVIRON, running=DaemonSettings(data_dir=data_dir))
    limits(monkeypatch, 2, UNLIMITED)
    finding = check_limits(inside)
    assert finding.severity is Severity.PROBLEM
    assert "of the 2 files" in finding.said


def test_a_clock_that_was_set_is_fine(around: Surroundings) -> None:
    assert check_clock(around).severity is Severity.OK


def test_a_clock_that_was_never_set_is_a_problem(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 86_400.0)
    assert check_clock(around).severity is Severity.PROBLEM


def test_a_clock_that_went_back_is_a_warning(around: Surroundings) -> None:
    later = time.time() + 7200
    os.utime(around.database, (later, later))
    finding = check_clock(around)
    assert finding.severity is Severity.WARNING
    assert "was written at" in finding.said
