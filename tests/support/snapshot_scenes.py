"""Startup snapshots as the snapshots screen meets them: ready, stale, refused, under way."""

from __future__ import annotations

from tests.support.fake_engine import FIXED_START, FakeEngine, sample_engine

from roost.models import (
    GuardAction,
    GuardFinding,
    Reason,
    SnapshotBackend,
    SnapshotPart,
    SnapshotPhase,
    SnapshotPolicy,
    SnapshotState,
    StartTimes,
)
from roost_tui.app import RoostApp
from roost_tui.snapshots_screen import SnapshotsScreen

MINUTE = 60_000

REFUSAL = (
    "`settings` copied the environment while it was imported: make the settings in a function "
    "that is called when the app runs, or leave the bundle to cold starts"
)

CHANGE = "2 of its own files have changed since: server.py, tools.py; build it again"


def snapshots_screen(app: RoostApp) -> SnapshotsScreen:
    """Return the snapshots screen, which is what is shown."""
    assert isinstance(app.screen, SnapshotsScreen)
    return app.screen


def prepared_engine() -> FakeEngine:
    """Return the sample daemon with a snapshot in every state."""
    fake = sample_engine()
    make_ready(fake, "db-query")
    make_stale(fake, "indexer")
    make_refused(fake, "git")
    make_failed(fake, "weather")
    fake.put_snapshot(
        "acme",
        "fetch",
        state=SnapshotState.BUILDING,
        backend=SnapshotBackend.ZYGOTE,
        phase=SnapshotPhase.TEMPLATE,
        cold=StartTimes(3, 669, 702),
    )
    fake.calls.clear()
    return fake


def make_ready(fake: FakeEngine, name: str) -> None:
    """Give a bundle a snapshot that its starts use."""
    fake.put_snapshot(
        "acme",
        name,
        is_eligible=True,
        reason=None,
        state=SnapshotState.READY,
        backend=SnapshotBackend.ZYGOTE,
        is_warm=True,
        built_at=FIXED_START - 12 * MINUTE,
        build_ms=2412,
        modules=653,
        excluded=3,
        cold=StartTimes(15, 555, 824),
        restored=StartTimes(9, 26, 32),
        template_bytes=57_000_000,
    )
    fake.put_snapshot_detail(
        "acme",
        name,
        parts=(
            SnapshotPart("entry", "module mcp_server_db"),
            SnapshotPart("interpreter", "/srv/apps/db/.venv/bin/python3, 3.11.7"),
            SnapshotPart("sources", "657 files, 14 of them the bundle's own"),
            SnapshotPart("packages", "41 packages"),
            SnapshotPart("environment", "set before the start: PATH, HOME; read while loading: TZ"),
        ),
        findings=(
            GuardFinding(
                "python_thread",
                GuardAction.EXCLUDE,
                "`pool` started the thread worker-0 while it was imported; it is loaded at each "
                "start instead, with 2 that need it: to have it prepared, start threads and "
                "pools when the app runs",
                "pool",
                ("pool.jobs", "server"),
            ),
            GuardFinding(
                "per_process_value",
                GuardAction.WARN,
                "`telemetry` made a random value while it was imported; processes restored from "
                "one template share them: make it in a function that is called when the app runs",
                "telemetry",
            ),
        ),
        excluded=("pool", "pool.jobs", "server"),
        environment=("LANG", "TZ"),
        phases_ms=(
            (SnapshotPhase.TRACE, 812),
            (SnapshotPhase.VERDICTS, 9),
            (SnapshotPhase.TEMPLATE, 633),
            (SnapshotPhase.VERIFY, 951),
            (SnapshotPhase.PUBLISH, 7),
        ),
    )


def make_stale(fake: FakeEngine, name: str) -> None:
    """Let something change that a bundle's snapshot was made from."""
    make_ready(fake, name)
    fake.put_snapshot(
        "acme",
        name,
        state=SnapshotState.STALE,
        reason=Reason("sources_changed", CHANGE),
        is_warm=False,
        template_bytes=None,
        policy=SnapshotPolicy.REQUIRE,
    )


def make_refused(fake: FakeEngine, name: str) -> None:
    """Let a guard refuse the snapshot of a bundle."""
    fake.put_snapshot(
        "acme",
        name,
        is_eligible=True,
        state=SnapshotState.REFUSED,
        backend=SnapshotBackend.ZYGOTE,
        phase=SnapshotPhase.VERDICTS,
        reason=Reason("environ_copy", REFUSAL),
        cold=StartTimes(4, 602, 787),
    )
    fake.put_snapshot_detail(
        "acme",
        name,
        findings=(
            GuardFinding("environ_copy", GuardAction.REFUSE, REFUSAL, "settings", ("server",)),
        ),
        parts=(),
        key="",
        phases_ms=((SnapshotPhase.TRACE, 803), (SnapshotPhase.VERDICTS, 11)),
    )


def make_failed(fake: FakeEngine, name: str) -> None:
    """Let the build of a bundle's snapshot break off."""
    why = "the restored process answered tools/list otherwise: 3 tools instead of 5"
    fake.put_snapshot(
        "acme",
        name,
        is_eligible=True,
        state=SnapshotState.FAILED,
        backend=SnapshotBackend.ZYGOTE,
        phase=SnapshotPhase.VERIFY,
        reason=Reason("answers_differ", why),
    )
    fake.put_snapshot_detail(
        "acme",
        name,
        parts=(),
        key="",
        phases_ms=(
            (SnapshotPhase.TRACE, 803),
            (SnapshotPhase.VERDICTS, 11),
            (SnapshotPhase.TEMPLATE, 540),
            (SnapshotPhase.VERIFY, 1204),
        ),
    )
