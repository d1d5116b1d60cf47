"""The tasks of a worker as a table: how their runs stand, and what bounds them."""

from __future__ import annotations

from collections.abc import Sequence

from roost.models import TaskView
from roost_tui.log_entries import harmless
from roost_tui.spans import Span, Spans, Tone, clip
from roost_tui.task_words import limits_text
from roost_tui.text_blocks import INDENT, heading

ROOMY = 100
"""Cells from which on there is room for what a task is for."""

_NAME = 20


def lines(tasks: Sequence[TaskView], width: int) -> list[Spans]:
    """Return the block of a worker's tasks."""
    if not tasks:
        return [heading("TASKS"), ((f"{INDENT}It has told of no task yet.", Tone.MUTED),)]
    counts = f"{'WORKERS':>7}  {'WAITING':>7}  {'RUNNING':>7}  {'SUSPENDED':>9}"
    titles = f"{'TASK':<{_NAME}}  {counts}  RECOVERY"
    if width >= ROOMY:
        titles += f"  {'LIMITS':<{_limits(tasks)}}  WHAT"
    found = [heading(titles)]
    for view in tasks:
        found += _row(view, _limits(tasks), width)
    return found


def _limits(tasks: Sequence[TaskView]) -> int:
    return max(len(limits_text(view.spec)) for view in tasks)


def _row(view: TaskView, room: int, width: int) -> list[Spans]:
    spec = view.spec
    what, limits = harmless(spec.description), limits_text(spec)
    is_roomy = width >= ROOMY
    row: Spans = (
        (f"{INDENT}{clip(harmless(spec.name), _NAME):<{_NAME}}", Tone.STRONG),
        _count(view.workers, 7, Tone.TEXT, Tone.FAULT),
        _count(view.waiting, 7, Tone.BUSY),
        _count(view.running, 7, Tone.OK),
        _count(view.suspended, 9, Tone.WARN),
        (f"  {spec.recovery:<8}", Tone.TEXT),
        (f"  {limits:<{room}}  {what}" if is_roomy else "", Tone.MUTED),
    )
    below = f"{INDENT * 2}{limits}{'; ' + what if what else ''}"
    return [row] if is_roomy else [row, ((below, Tone.MUTED),)]


def _count(count: int, width: int, tone: Tone, none: Tone = Tone.MUTED) -> Span:
    return f"  {count:>{width}}", tone if count else none
