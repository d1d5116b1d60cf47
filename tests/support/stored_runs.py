"""What the store keeps of a run, in the few words that tests compare."""

from __future__ import annotations

from typing import Any

from roost.store.base import RunRows


async def payload(rows: RunRows, run_id: str, workspace: str = "main") -> tuple[Any, Any, bool]:
    """Return the input, the result and whether the result was cut."""
    detail = await rows.detail(workspace, run_id, newest=0)
    return detail.input, detail.result, detail.is_truncated
