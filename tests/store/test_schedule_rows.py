"""The store contract: schedules."""

from __future__ import annotations

from dataclasses import replace

from roost.models import MissedFires, RunError, ScheduleSpec, ScheduleView
from roost.store import SqlStore

SPEC = ScheduleSpec("nightly", "report", "0 3 * * *", "Europe/Berlin", {"a": [1]}, MissedFires.ALL)
VIEW = ScheduleView("main", SPEC, "jobs", next_at=1_000)


async def test_a_schedule_comes_back_as_it_was_put(store: SqlStore) -> None:
    put = replace(
        VIEW,
        is_paused=True,
        last_at=5,
        last_run="run-1",
        failures=3,
        disabled=RunError("schedule_failing", "it fails; mend it"),
    )
    await store.schedules.put(put)
    assert await store.schedules.list() == (put,)


async def test_a_schedule_is_put_over_the_one_of_its_name_and_of_no_other(store: SqlStore) -> None:
    elsewhere = replace(VIEW, workspace="other")
    another = replace(VIEW, spec=replace(SPEC, name="hourly"))
    for view in (VIEW, elsewhere, another):
        await store.schedules.put(view)
    changed = replace(VIEW, bundle=None, next_at=None)
    await store.schedules.put(changed)
    assert await store.schedules.list() == (another, changed, elsewhere)
    await store.schedules.remove("main", "nightly")
    await store.schedules.remove("main", "nightly")
    assert await store.schedules.list() == (another, elsewhere)
