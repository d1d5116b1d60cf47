"""Schedules as rows and as facts, for the bundle screen and for their list."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from roost.models import RunStatus, ScheduleView
from roost_tui.log_entries import harmless
from roost_tui.plan_text import Fact
from roost_tui.spans import Spans, Tone, clip
from roost_tui.task_words import last_fire, next_fire, why_not
from roost_tui.text_blocks import INDENT, heading, sentence

ROOMY = 100
"""Cells from which on a schedule takes one line."""

Endings = Mapping[str, RunStatus]
"""How the last runs of schedules stand, by id, as far as that is known."""

_NAME, _TASK, _CRON, _ZONE, _NEXT = 18, 20, 14, 16, 10


def lines(
    schedules: Sequence[ScheduleView], endings: Endings, width: int, *, now: int
) -> list[Spans]:
    """Return the block of a worker's schedules.

    Args:
        schedules: by name.
        endings: how their last runs stand.
        width: cells of a line.
        now: epoch milliseconds.
    """
    found = [heading(_titles(width))]
    for view in schedules:
        found += _row(view, endings, width, now)
    return found


def _titles(width: int) -> str:
    task = f"{'TASK':<{_TASK}}  " if width >= ROOMY else ""
    last = "LAST" if width >= ROOMY else ""
    when = f"{'CRON':<{_CRON}}  {'ZONE':<{_ZONE}}  {'NEXT':<{_NEXT}}"
    return f"{'SCHEDULE':<{_NAME}}  {task}{when}  {last}"


def _row(view: ScheduleView, endings: Endings, width: int, now: int) -> list[Spans]:
    spec = view.spec
    is_roomy = width >= ROOMY
    words, tone = next_fire(view, now)
    last = last_fire(view, endings.get(view.last_run or ""), now)
    task = _cell(spec.task, _TASK) if is_roomy else ""
    row: Spans = (
        (f"{INDENT}{_cell(spec.name, _NAME)}", Tone.STRONG),
        (task, Tone.TEXT),
        (_cell(spec.cron, _CRON) + _cell(spec.timezone, _ZONE), Tone.TEXT),
        (_cell(words, _NEXT), tone),
        (last if is_roomy else "", Tone.MUTED),
    )
    below: list[Spans] = []
    if not is_roomy:
        fired = "not fired yet" if view.last_at is None else f"fired {last}"
        below.append(((f"{INDENT * 2}{spec.task}; {fired}", Tone.MUTED),))
    if why := why_not(view):
        tone = Tone.FAULT if view.disabled else Tone.WARN
        below += [((INDENT, Tone.TEXT), *line) for line in sentence(why, width - 2, tone)]
    return [row, *below]


def _cell(text: str, width: int) -> str:
    return f"{clip(harmless(text), width):<{width}}  "


def choice_rows(schedules: Sequence[ScheduleView], now: int) -> list[tuple[str, Spans]]:
    """Return name and row of each schedule, for the list to choose from."""
    name = max((len(view.spec.name) for view in schedules), default=0)
    return [(view.spec.name, _choice(view, min(max(name, 8), 30), now)) for view in schedules]


def _choice(view: ScheduleView, width: int, now: int) -> Spans:
    words, tone = next_fire(view, now)
    return (
        (_cell(view.spec.name, width), Tone.TEXT),
        (_cell(words, _NEXT), tone),
        (view.spec.cron, Tone.MUTED),
    )


def facts(view: ScheduleView, endings: Endings, now: int) -> list[Fact]:
    """Return everything about one schedule."""
    spec = view.spec
    words, tone = next_fire(view, now)
    found = [
        Fact("runs", harmless(spec.task), Tone.STRONG),
        Fact("when", f"{spec.cron}  {spec.timezone}"),
        Fact("next", words, tone),
        Fact("last", last_fire(view, endings.get(view.last_run or ""), now)),
        Fact("missed fires", spec.missed.value),
        Fact("made by", f"the worker {view.bundle}" if view.bundle else "an operator", Tone.MUTED),
    ]
    if spec.input is not None:
        found.append(Fact("input", harmless(json.dumps(spec.input, ensure_ascii=False))))
    if why := why_not(view):
        found.insert(3, Fact("why", harmless(why), Tone.FAULT if view.disabled else Tone.WARN))
    return found
