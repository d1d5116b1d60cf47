"""What the first paint has to load."""

from __future__ import annotations

import subprocess
import sys

HEAVY = (
    "httpx",
    "pydantic_settings",
    "fastapi",
    "sqlalchemy",
    "mcp",
    "roost_tui.modals",
    "roost_tui.additions",
    "roost_tui.imports",
    "roost_tui.version_changes",
    "roost.client.what_to_add",
    "roost.models.install_plan",
    "roost.models.imports",
    "roost.models.snapshot",
    "roost_tui.snapshots_screen",
    "roost_tui.snapshot_operations",
    "roost_tui.snapshot_text",
    "roost.models.task",
    "roost_tui.task_operations",
    "roost_tui.worker_tasks",
)


def test_the_screen_loads_nothing_heavy_before_its_first_paint() -> None:
    program = (
        "import sys; import roost_tui.app; "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
