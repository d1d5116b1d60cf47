"""Builders of views with defaults that make sense, for tests to vary."""

from __future__ import annotations

from typing import Any

from tests.support.fake.clock import FIXED_START

from roost.models import (
    BundleKind,
    BundleSettings,
    BundleView,
    CrashRecord,
    Definition,
    GenerationView,
    RunKind,
    RunStatus,
    Runtime,
    RunView,
    SlotState,
    Source,
    SourceKind,
    StartMode,
    StartStep,
)

LIVE_STATES = (SlotState.RUNNING, SlotState.STOPPING)


def generation_view(number: int = 1, **changes: Any) -> GenerationView:
    """Return a ready generation; `pid` is None once `ended_at` is given."""
    spawned_at = changes.pop("spawned_at", FIXED_START)
    values: dict[str, Any] = {
        "id": f"g-{number}",
        "version": "1.0.0",
        "config_hash": "c0ffee",
        "credential_revision": 0,
        "start_mode": StartMode.COLD,
        "pid": None if changes.get("ended_at") else 4000 + number,
        "ready_at": spawned_at + 180,
        "ready_ms": 180,
    }
    return GenerationView(number=number, spawned_at=spawned_at, **(values | changes))


def bundle_view(
    name: str,
    *,
    workspace: str = "default",
    state: SlotState = SlotState.RUNNING,
    **changes: Any,
) -> BundleView:
    """Return a bundle in a state, with a generation when the state has a live one."""
    values: dict[str, Any] = {
        "title": name,
        "kind": BundleKind.MCP_STDIO,
        "runtime": Runtime.PYTHON,
        "version": "1.0.0",
        "since": FIXED_START,
        "should_run": state is not SlotState.STOPPED,
        "generation": generation_view() if state in LIVE_STATES else None,
    }
    return BundleView(workspace=workspace, name=name, state=state, **(values | changes))


def run_view(
    run_id: str,
    *,
    workspace: str = "default",
    status: RunStatus = RunStatus.RUNNING,
    **changes: Any,
) -> RunView:
    """Return a tool call in a status, with the times that belong to it."""
    created_at = changes.pop("created_at", FIXED_START)
    is_settled = not status.is_active
    values: dict[str, Any] = {
        "kind": RunKind.TOOL_CALL,
        "title": run_id,
        "started_at": None if status is RunStatus.PENDING else created_at,
        "finished_at": created_at + 800 if is_settled else None,
        "created_by": "ops",
    }
    return RunView(
        id=run_id,
        workspace=workspace,
        status=status,
        created_at=created_at,
        **(values | changes),
    )


def crash_record(
    *stderr_tail: str, exit: str = "exit 1", generation: int = 1, step: StartStep | None = None
) -> CrashRecord:
    """Return a crash with the lines its process wrote last."""
    return CrashRecord(
        at=FIXED_START, generation=generation, exit=exit, step=step, stderr_tail=stderr_tail
    )


def definition_of(view: BundleView) -> Definition:
    """Return a plain definition that fits a view."""
    return Definition(
        kind=view.kind,
        runtime=view.runtime,
        title=view.title,
        version=view.version,
        command="python3",
        args=("-m", view.name.replace("-", "_")),
        source=Source(SourceKind.COMMAND, f"python3 -m {view.name}"),
        settings=BundleSettings(protected=view.protected),
    )
