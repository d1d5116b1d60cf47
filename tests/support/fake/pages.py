"""Pages of a log kept in memory."""

from __future__ import annotations

from roost.models import LogLine, LogPage

Logs = dict[int, list[LogLine]]
"""Lines of each generation, oldest first."""


def page_behind(logs: Logs, generation: int, offset: int) -> LogPage | None:
    """Return the lines after an offset of a generation, or of a newer one, if there are any."""
    for number in sorted(logs):
        if number >= generation:
            page = log_page(logs, number, after=offset if number == generation else 0)
            if page.lines:
                return page
    return None


def log_page(
    logs: Logs,
    generation: int,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int = 500,
) -> LogPage:
    """Return lines of one generation, as `EngineAPI.log_page` describes."""
    lines = logs[generation]
    if after is not None:
        chosen = [line for line in lines if line.offset > after][:limit]
    else:
        kept = [line for line in lines if before is None or line.offset <= before]
        chosen = kept[max(len(kept) - limit, 0) :]
    edge = after if after is not None else before
    default = min(edge, lines[-1].offset) if edge is not None else lines[-1].offset
    return LogPage(
        generation=generation,
        lines=tuple(chosen),
        start_offset=_start_of(lines, chosen[0]) if chosen else default,
        end_offset=chosen[-1].offset if chosen else default,
        size_bytes=lines[-1].offset,
    )


def _start_of(lines: list[LogLine], line: LogLine) -> int:
    index = lines.index(line)
    return lines[index - 1].offset if index else 0
