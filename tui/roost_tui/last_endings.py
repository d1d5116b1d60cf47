"""How the last runs of schedules stand: those on the screen as they are, the others asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from roost.contract import EngineAPI
from roost.errors import RunNotFound
from roost.models import RunStatus, RunView, ScheduleView


async def last_endings(
    engine: EngineAPI, schedules: Sequence[ScheduleView], known: Mapping[str, RunView]
) -> dict[str, RunStatus]:
    """Return the status of each last run by id; one that is not kept any more is left out.

    Args:
        engine: asked for runs that the screen does not hold.
        schedules: the schedules.
        known: runs by id, as they are now.
    """
    found: dict[str, RunStatus] = {}
    for view in schedules:
        if view.last_run is None:
            continue
        if (run := known.get(view.last_run)) is not None:
            found[run.id] = run.status
            continue
        try:
            found[view.last_run] = (await engine.run(view.workspace, view.last_run)).run.status
        except RunNotFound:
            continue  # retention took it
    return found
