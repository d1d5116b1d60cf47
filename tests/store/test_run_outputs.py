"""The store contract: the output of runs, many pieces in one write."""

from __future__ import annotations

from tests.support.stores import OWNER, new_run

from roost.models import RunEventKind, RunProgress, RunStatus
from roost.store import SqlStore


async def test_pieces_of_output_are_one_write_with_a_number_for_each(store: SqlStore) -> None:
    await store.runs.insert(new_run("r-1", epoch=2))
    pieces = [("one", None), ("wrong", RunProgress(2.0)), ("two\nthree", RunProgress(1.0, 0.0))]
    append = store.runs.append_outputs
    assert await append("r-1", pieces, at=6_000, owner="other", epoch=2) is None
    assert await append("r-1", pieces, at=6_000, owner=OWNER, epoch=1) is None
    assert await store.runs.events("r-1", after=0, limit=10) == ()
    view = await append("r-1", pieces, at=6_000, owner=OWNER, epoch=2)
    assert view is not None
    assert (view.step_count, view.last_seq, view.last_progress_at) == (0, 3, 6_000)
    assert (view.progress, view) == (None, await store.runs.get("main", "r-1"))
    events = await store.runs.events("r-1", after=0, limit=10)
    assert [(event.seq, event.message, event.current, event.total) for event in events] == [
        (1, "one", None, None),
        (2, "wrong", 2.0, None),
        (3, "two\nthree", 1.0, 0.0),
    ]
    assert {event.kind for event in events} == {RunEventKind.OUTPUT}


async def test_nothing_is_said_behind_the_end_of_a_run(store: SqlStore) -> None:
    await store.runs.insert(new_run("r-1"))
    await store.runs.finalize(
        "r-1", at=9_000, status=RunStatus.ABORTED, error=None, result=None, is_truncated=False
    )
    late = [("late", None)]
    assert await store.runs.append_outputs("r-1", late, at=9_500, owner=OWNER, epoch=1) is None
    assert [event.kind for event in await store.runs.events("r-1", after=0, limit=10)] == [
        RunEventKind.STATUS
    ]
