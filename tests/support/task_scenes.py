"""Tasks as the screen meets them: a worker at work, schedules in every state, runs that wait."""

from __future__ import annotations

from dataclasses import replace

from tests.support.fake_engine import (
    FIXED_START,
    FakeEngine,
    bundle_view,
    generation_view,
    run_view,
)

from roost.models import (
    BundleKind,
    Figures,
    JournalEntry,
    MissedFires,
    Recovery,
    RetryPolicy,
    RunAttempt,
    RunError,
    RunEvent,
    RunEventKind,
    RunKind,
    RunStatus,
    RunView,
    ScheduleSpec,
    ScheduleView,
    StepState,
    TaskSpec,
    WaitReason,
)

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
MIB = 1024 * 1024
PLACE = ("acme", "reports")

BUILD = TaskSpec(
    "report.build", "builds the weekly report", retry=RetryPolicy(3), slots=2, queue_limit=50
)
MAIL = TaskSpec("report.mail", "mails it to who asked", Recovery.NEVER)
SYNC = TaskSpec("tickets.sync", "fetches what is new", Recovery.RERUN, slots=1)

LOST = RunError("lost", "reports generation 3 ended with SIGKILL in the middle of it")
BUSY = RunError("task_error", "the ticket system answered 503")


def task_run(run_id: str, spec: TaskSpec, **changes: object) -> RunView:
    """Return a run of a task, begun a minute and a half ago."""
    values: dict[str, object] = {
        "workspace": PLACE[0],
        "kind": RunKind.TASK,
        "title": spec.name,
        "task": spec.name,
        "bundle": PLACE[1],
        "created_at": FIXED_START - 90 * SECOND,
        "idempotency_key": f"task:{run_id}",
    }
    return run_view(run_id, **(values | changes))  # type: ignore[arg-type]


def worker_engine() -> FakeEngine:
    """Return a daemon with a worker, its schedules, and runs of its tasks in every state."""
    fake = FakeEngine(workspaces=())
    fake.add_workspace("acme", "Acme")
    spawned = FIXED_START - 40 * MINUTE
    fake.add_bundle(
        bundle_view(
            "reports",
            workspace="acme",
            kind=BundleKind.WORKER,
            title="Reports",
            since=spawned,
            generation=generation_view(4, pid=48213, spawned_at=spawned),
            figures=Figures(2.3, 61 * MIB, 1),
        )
    )
    fake.offer(*PLACE, BUILD, MAIL)
    fake.offer(*PLACE, SYNC, workers=0)
    _add_schedules(fake)
    _add_runs(fake)
    fake.calls.clear()
    return fake


def _add_schedules(fake: FakeEngine) -> None:
    hourly = ScheduleSpec("hourly-sync", SYNC.name, "0 * * * *")
    weekly = ScheduleSpec(
        "weekly", BUILD.name, "30 6 * * 1", "Europe/Berlin", {"week": "last"}, MissedFires.ONCE
    )
    nightly = ScheduleSpec("nightly", BUILD.name, "0 2 * * *", "Asia/Kathmandu")
    mails = ScheduleSpec("mails", MAIL.name, "*/5 * * * *", input={"to": "ops"})
    disabled = RunError("failures", "5 runs in a row failed: the mail server refused the password")
    for view in (
        ScheduleView("acme", hourly, "reports", next_at=FIXED_START + 12 * SECOND),
        ScheduleView(
            "acme",
            weekly,
            "reports",
            next_at=FIXED_START + 62 * HOUR,
            last_at=FIXED_START - 3 * HOUR,
            last_run="r-t1",
            failures=2,
        ),
        ScheduleView("acme", nightly, is_paused=True, last_at=FIXED_START - 9 * HOUR),
        ScheduleView(
            "acme",
            mails,
            disabled=disabled,
            failures=5,
            last_at=FIXED_START - 90 * SECOND,
            last_run="r-t2",
        ),
    ):
        fake.put_schedule_view(view)


def _add_runs(fake: FakeEngine) -> None:
    done = RunStatus.SUCCEEDED
    fake.add_run(task_run("r-t1", BUILD, status=done, created_at=FIXED_START - 3 * HOUR))
    refused = RunError("task_error", "the mail server refused the password")
    fake.add_run(task_run("r-t2", MAIL, status=RunStatus.FAILED, error=refused))
    pending = RunStatus.PENDING
    fake.add_run(task_run("r-t3", SYNC, status=pending, waits=WaitReason.WORKER))
    fake.add_run(task_run("r-t4", BUILD, status=pending, waits=WaitReason.SLOT))
    retried = task_run("r-t5", BUILD, status=pending, waits=WaitReason.RETRY, attempt=2)
    fake.add_run(replace(retried, available_at=FIXED_START + 12 * SECOND))
    _add_suspended(fake)
    _add_resumed(fake)


def _add_suspended(fake: FakeEngine) -> None:
    began = FIXED_START - 80 * SECOND
    view = task_run(
        "r-t6", BUILD, status=RunStatus.PENDING, waits=WaitReason.USER, attempt=2, scope="mail-7"
    )
    fake.add_run(replace(view, on_behalf_of="ops", started_at=began))
    fake.put_attempts("r-t6", RunAttempt(1, began, began + 30 * SECOND, "reports", 3, LOST))
    fake.put_journal(
        "r-t6",
        JournalEntry("fetch", StepState.DONE, 1, began, began + 4 * SECOND, {"tickets": 40}),
        JournalEntry("rank", StepState.STARTED, 1, began + 4 * SECOND, was_interrupted=True),
    )


def _add_resumed(fake: FakeEngine) -> None:
    """Add a run in its third attempt: the first crashed, the second failed for a while."""
    began = FIXED_START - 85 * SECOND
    again = FIXED_START - 40 * SECOND
    view = task_run("r-t7", BUILD, attempt=3, scope="week-48", generation=4, step_count=2)
    events = [RunEvent("r-t7", 1, began, RunEventKind.STATUS, "running (attempt 3)")]
    fake.add_run(
        replace(view, started_at=began, lease_until=FIXED_START + 21 * SECOND),
        input={"week": 48},
        events=tuple(events),
    )
    fake.emit("r-t7", "page.fetched", {"page": 7, "of": 12})
    fake.emit("r-t7", "page.fetched", {"page": 8, "of": 12})
    fake.put_attempts(
        "r-t7",
        RunAttempt(1, began, began + 30 * SECOND, "reports", 3, LOST),
        RunAttempt(2, began + 32 * SECOND, again - SECOND, "reports", 4, BUSY),
        RunAttempt(3, again, None, "reports", 4),
    )
    fake.put_journal(
        "r-t7",
        JournalEntry("fetch tickets", StepState.DONE, 1, began, began + 9 * SECOND, {"count": 412}),
        JournalEntry(
            "rank", StepState.DONE, 2, began + 32 * SECOND, began + 41 * SECOND, [3, 1, 2], True
        ),
        JournalEntry("draft summary", StepState.FAILED, 2, began + 41 * SECOND, again - SECOND),
        JournalEntry("write the report", StepState.STARTED, 3, again + 2 * SECOND),
    )
