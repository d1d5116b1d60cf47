"""A worker's module: one task, and a schedule that fires once a year."""

from __future__ import annotations

from typing import Any

from roost import worker


@worker.task("report", schedule="0 0 1 1 *", schedule_input={"by": "clock"})
async def report(ctx: worker.TaskContext, given: Any) -> Any:
    """Tell what it was given."""
    return {"given": given}
