"""A daemon as an operator would meet it on a busy day: every state, every status, some logs."""

from __future__ import annotations

from dataclasses import replace

from tests.support.fake.build import bundle_view, crash_record, generation_view, run_view
from tests.support.fake.clock import FIXED_START
from tests.support.fake.engine import FakeEngine

from roost.models import (
    BundleKind,
    CallFigures,
    ConfigField,
    FieldType,
    Figures,
    LogStream,
    Reason,
    RunError,
    RunEvent,
    RunEventKind,
    RunKind,
    RunProgress,
    RunStatus,
    Runtime,
    RunTrigger,
    ScheduleSpec,
    ScheduleView,
    SlotState,
    StartStep,
    TaskSpec,
    ToolView,
    Transition,
)

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
MIB = 1024 * 1024


def sample_engine() -> FakeEngine:
    """Return a fake with two workspaces, twelve varied bundles, runs of all statuses and logs."""
    fake = FakeEngine(workspaces=())
    fake.add_workspace("acme", "Acme")
    fake.add_workspace("lab", "Lab")
    _add_running(fake)
    _add_waiting(fake)
    _add_failed(fake)
    _add_lab(fake)
    _add_runs(fake)
    _add_tools_and_forms(fake)
    _add_logs(fake)
    _add_tasks(fake)
    fake.calls.clear()
    return fake


def _add_tasks(fake: FakeEngine) -> None:
    spec = TaskSpec("report.build", "builds the nightly report")
    fake.offer("acme", "reports", spec)
    nightly = ScheduleSpec("nightly", spec.name, "0 2 * * *")
    fake.put_schedule_view(ScheduleView("acme", nightly, next_at=FIXED_START + HOUR))


def _ago(milliseconds: int) -> int:
    return FIXED_START - milliseconds


def _add_running(fake: FakeEngine) -> None:
    fake.add_bundle(
        bundle_view(
            "filesystem",
            workspace="acme",
            runtime=Runtime.NODE,
            title="Filesystem",
            version="2.1.0",
            since=_ago(2 * HOUR + 11 * MINUTE),
            generation=generation_view(
                4, version="2.1.0", pid=48213, spawned_at=_ago(2 * HOUR + 11 * MINUTE)
            ),
            figures=Figures(0.3, 61 * MIB, 2),
            calls=CallFigures(12, 18),
            era="2025-11-25",
        )
    )
    fake.add_bundle(
        bundle_view(
            "db-query",
            workspace="acme",
            title="Database query",
            since=_ago(4 * MINUTE + 12 * SECOND),
            generation=generation_view(
                7, pid=48311, spawned_at=_ago(4 * MINUTE + 12 * SECOND), credential_revision=2
            ),
            credential_revision=3,
            stale=("credentials",),
            restart_pending=True,
            protected=True,
            figures=Figures(1.1, 44 * MIB, 1),
            calls=CallFigures(3, 210),
            era="2025-06-18",
        )
    )
    fake.add_bundle(
        bundle_view(
            "dashboard",
            workspace="acme",
            kind=BundleKind.WEB,
            runtime=Runtime.NODE,
            title="Team dashboard",
            since=_ago(26 * HOUR),
            generation=generation_view(2, pid=31007, spawned_at=_ago(26 * HOUR)),
            figures=Figures(0.0, 128 * MIB, 3),
        )
    )


def _add_waiting(fake: FakeEngine) -> None:
    fake.add_bundle(
        bundle_view(
            "fetch",
            workspace="acme",
            state=SlotState.STARTING,
            step=StartStep.HANDSHAKE,
            since=_ago(3 * SECOND),
            generation=generation_view(
                1, pid=48399, spawned_at=_ago(3 * SECOND), ready_at=None, ready_ms=None
            ),
        )
    )
    fake.add_bundle(
        bundle_view(
            "search",
            workspace="acme",
            state=SlotState.NEEDS_CREDENTIALS,
            runtime=Runtime.NODE,
            reason=Reason(
                "needs_credentials", "search needs api_key; set it with `roost credentials search`"
            ),
            missing_fields=("api_key",),
            since=_ago(40 * MINUTE),
        )
    )
    fake.add_bundle(
        bundle_view(
            "mailer",
            workspace="acme",
            state=SlotState.STOPPING,
            kind=BundleKind.COMMAND,
            since=_ago(2 * SECOND),
            should_run=False,
            generation=generation_view(3, pid=40112, spawned_at=_ago(5 * HOUR)),
        )
    )
    fake.add_bundle(
        bundle_view("weather", workspace="acme", state=SlotState.STOPPED, since=_ago(3 * 24 * HOUR))
    )


def _add_failed(fake: FakeEngine) -> None:
    fake.add_bundle(
        bundle_view(
            "git",
            workspace="acme",
            state=SlotState.DEAD,
            step=StartStep.HANDSHAKE,
            reason=Reason(
                "start_failed",
                "git in acme failed at handshake: it ended with exit 1; read its log, then "
                "respawn it",
            ),
            since=_ago(90 * SECOND),
            failures=1,
            generation=generation_view(
                5,
                spawned_at=_ago(92 * SECOND),
                ready_at=None,
                ready_ms=None,
                ended_at=_ago(90 * SECOND),
                exit="exit 1",
            ),
            crash=crash_record(
                "fatal: repository '/srv/repos' does not exist",
                generation=5,
                step=StartStep.HANDSHAKE,
            ),
        )
    )
    fake.add_bundle(
        bundle_view(
            "indexer",
            workspace="acme",
            state=SlotState.BACKING_OFF,
            kind=BundleKind.COMMAND,
            runtime=Runtime.BINARY,
            reason=Reason("crashed", "indexer ended with SIGSEGV; it is tried again by itself"),
            since=_ago(4 * SECOND),
            retry_at=FIXED_START + 8 * SECOND,
            failures=3,
            generation=generation_view(
                9, spawned_at=_ago(MINUTE), ended_at=_ago(4 * SECOND), exit="SIGSEGV"
            ),
            crash=crash_record("segmentation fault in tokenizer", exit="SIGSEGV", generation=9),
        )
    )
    for before, after, cause in (
        (SlotState.RUNNING, SlotState.STARTING, "operator"),
        (SlotState.STARTING, SlotState.DEAD, "operator"),
    ):
        transition = Transition(
            "acme", "git", _ago(90 * SECOND), before, after, cause, "ops", generation=5
        )
        fake.world.transitions.append(transition)
        fake.world.bundles["acme", "git"].transitions.insert(0, transition)


def _add_lab(fake: FakeEngine) -> None:
    fake.add_bundle(
        bundle_view(
            "notebook",
            workspace="lab",
            kind=BundleKind.MCP_HTTP,
            runtime=Runtime.UV,
            since=_ago(15 * MINUTE),
            generation=generation_view(2, pid=50210, spawned_at=_ago(15 * MINUTE)),
            figures=Figures(14.2, 512 * MIB, 6),
            calls=CallFigures(1, 1840),
            era="2025-11-25",
        )
    )
    fake.add_bundle(
        bundle_view(
            "scraper",
            workspace="lab",
            state=SlotState.BACKING_OFF,
            parked=True,
            failures=5,
            retry_at=FIXED_START + 4 * MINUTE + 10 * SECOND,
            reason=Reason(
                "parked", "scraper failed 5 times in 10 minutes; it is tried every 5 minutes"
            ),
            since=_ago(50 * SECOND),
            generation=generation_view(
                5, spawned_at=_ago(MINUTE), ended_at=_ago(50 * SECOND), exit="exit 2"
            ),
            crash=crash_record("Traceback (most recent call last):", "KeyError: 'URL'"),
        )
    )
    fake.add_bundle(
        bundle_view("planner", workspace="lab", state=SlotState.STOPPED, since=_ago(HOUR))
    )


def _add_runs(fake: FakeEngine) -> None:
    fake.add_run(
        run_view(
            "r-8f0",
            workspace="lab",
            kind=RunKind.COMMAND,
            status=RunStatus.FAILED,
            title="exec pytest -q",
            created_at=_ago(20 * MINUTE),
            error=RunError("exit", "pytest -q ended with exit 2; read its output"),
        )
    )
    fake.add_run(
        run_view(
            "r-8f1",
            workspace="acme",
            kind=RunKind.COMMAND,
            status=RunStatus.ABORTED,
            title="exec pg_dump",
            scope="nightly",
            trigger=RunTrigger.SCHEDULE,
            created_at=_ago(9 * MINUTE),
            finished_at=_ago(9 * MINUTE) + 41 * SECOND,
            stop_requested_at=_ago(9 * MINUTE) + 40 * SECOND,
            stop_requested_by="ops",
            error=RunError("stopped", "stopped by ops"),
        )
    )
    fake.add_run(
        run_view(
            "r-8f2",
            workspace="acme",
            status=RunStatus.SUCCEEDED,
            title="fetch.fetch",
            bundle="fetch",
            tool="fetch",
            scope="chat-41",
            created_at=_ago(2 * MINUTE),
        ),
        input={"url": "https://example.org/"},
        result={"content": [{"type": "text", "text": "Example Domain"}]},
    )
    begun = _ago(12 * SECOND)
    fake.add_run(
        run_view(
            "r-8f3",
            workspace="acme",
            bundle="filesystem",
            tool="search_files",
            title="filesystem.search_files",
            scope="chat-42",
            created_at=begun,
            step_count=7,
            progress=RunProgress(7, 10, "scanning src"),
            last_progress_at=_ago(SECOND),
            generation=4,
        ),
        input={"pattern": "TODO", "path": "/srv/app"},
        events=(
            RunEvent("r-8f3", 1, begun, RunEventKind.STATUS, "running"),
            *(
                RunEvent(
                    "r-8f3",
                    step + 1,
                    begun + step * 1500,
                    RunEventKind.STEP,
                    "scanning src",
                    step,
                    10,
                )
                for step in range(1, 8)
            ),
        ),
    )
    pending = run_view(
        "r-8f4",
        workspace="lab",
        kind=RunKind.TASK,
        status=RunStatus.PENDING,
        title="notebook.render",
        bundle="notebook",
        created_at=_ago(SECOND),
    )
    fake.add_run(replace(pending, trigger=RunTrigger.API))


def _add_tools_and_forms(fake: FakeEngine) -> None:
    pattern = {
        "type": "object",
        "properties": {
            "pattern": {"type": "string", "description": "What to look for"},
            "path": {"type": "string", "default": "."},
            "limit": {"type": "integer", "minimum": 1, "maximum": 500},
        },
        "required": ["pattern"],
    }
    search = ToolView("search_files", "Search files", "Finds text in files", pattern, True)
    delete = ToolView("delete_file", "Delete a file", "Removes one file", is_destructive=True)
    fake.add_tool("acme", "filesystem", search)
    fake.add_tool("acme", "filesystem", delete)
    fake.add_tool("acme", "db-query", ToolView("query", "Run a query", is_read_only=True))
    key = ConfigField("api_key", FieldType.STRING, "API key", "From the account page", True)
    region = ConfigField("region", FieldType.STRING, "Region", default="eu")
    fake.set_form("acme", "search", (replace(key, sensitive=True), region))
    fake.set_form(
        "acme",
        "db-query",
        (
            ConfigField("url", FieldType.STRING, "Database URL", required=True, sensitive=True),
            ConfigField("row_limit", FieldType.NUMBER, "Row limit", minimum=1, maximum=10_000),
            ConfigField("read_only", FieldType.BOOLEAN, "Read only", default=True),
        ),
        {"url": "postgresql://ops@db/app", "row_limit": 500},
        previous={"row_limit": 100},
    )
    fake.change_bundle("acme", "db-query", credential_revision=3)


def _add_logs(fake: FakeEngine) -> None:
    fake.append_log("acme", "git", "generation 5 started", stream=LogStream.ROOST)
    fatal = "fatal: repository '/srv/repos' does not exist"
    fake.append_log("acme", "git", fatal, stream=LogStream.STDERR)
    fake.append_log("acme", "git", "generation 5 ended: exit 1", stream=LogStream.ROOST)
    fake.append_log("acme", "filesystem", "served over stdio", generation=3)
    fake.append_log("acme", "filesystem", "generation 4 started", stream=LogStream.ROOST)
    for number in range(1, 41):
        stream = LogStream.STDERR if number % 7 == 0 else LogStream.STDOUT
        fake.append_log(
            "acme", "filesystem", f"request {number} took {number * 3} ms", stream=stream
        )
    fake.append_log("lab", "scraper", "KeyError: 'URL'", stream=LogStream.STDERR)
