"""What was written to a log while nobody followed it, so that following goes on without a gap."""

from __future__ import annotations

from roost.contract import EngineAPI
from roost.errors import LogNotFound
from roost.models import BundleView, LogLine, LogPage
from roost_tui.log_buffer import WINDOW

LogPlace = tuple[int, int]
"""A generation, and the byte position in its log behind the last line that was read."""

PAGE_LINES = 2000
"""Lines read at once; large enough that a long absence takes few questions."""

GENERATIONS = 20
"""Generations that are caught up with at most: no more are kept of a bundle."""


async def lines_since(
    engine: EngineAPI, bundle: BundleView, place: LogPlace, page: LogPage
) -> list[LogLine] | None:
    """Return every line behind `place`, up to the end of `page`, each exactly once.

    Args:
        engine: asked for the lines between the two.
        bundle: whose log it is.
        place: where reading stopped.
        page: the first page of the new stream, which holds the newest lines.

    Returns:
        None when the two cannot be joined: it is another log by now, or more was written than is
        ever shown.
    """
    first, offset = place
    is_older = (page.generation, page.end_offset) < place
    if is_older or page.generation - first > GENERATIONS:
        return None
    missed: list[LogLine] = []
    for generation in range(first, page.generation + 1):
        until = page.start_offset if generation == page.generation else None
        while until is None or offset < until:
            lines = await _lines_behind(engine, bundle, generation, offset, until)
            if not lines:
                break
            missed += lines
            offset = lines[-1].offset
            if len(missed) > WINDOW:
                return None
        if generation < page.generation:
            offset = 0
    return [*missed, *(line for line in page.lines if line.offset > offset)]


async def _lines_behind(
    engine: EngineAPI, bundle: BundleView, generation: int, offset: int, until: int | None
) -> list[LogLine]:
    try:
        page = await engine.log_page(
            bundle.workspace, bundle.name, generation=generation, after=offset, limit=PAGE_LINES
        )
    except LogNotFound:
        return []  # that generation is no longer kept
    return [line for line in page.lines if until is None or line.offset <= until]
