"""The screen's state, folded from events."""

from __future__ import annotations

import pytest
from tests.support.fake_engine import FIXED_START, bundle_view, run_view

from roost.models import (
    BundleChanged,
    BundleMeasure,
    BundleRemoved,
    CallFigures,
    Change,
    ChangeBody,
    Closing,
    DaemonView,
    EngineEvent,
    EngineState,
    Figures,
    FiguresChanged,
    RunChanged,
    RunStatus,
    SlotState,
    Snapshot,
    SnapshotChanged,
    Transition,
    Transitioned,
    WorkspaceChanged,
    WorkspaceRemoved,
    WorkspaceView,
)
from roost_tui import state as state_module
from roost_tui.state import Link, LinkPhase, ScreenState, apply, fold, with_link

DAEMON = DaemonView("d", "0.1.0", 1, "/data", FIXED_START)


def _snapshot(**changes: object) -> Snapshot:
    return Snapshot("d", 5, EngineState(DAEMON, **changes))  # type: ignore[arg-type]


def _after(*bodies: ChangeBody, base: ScreenState | None = None) -> ScreenState:
    start = base or apply(ScreenState(), _snapshot())
    return fold(start, [Change(6 + index, body) for index, body in enumerate(bodies)])


def test_a_snapshot_replaces_everything_and_makes_the_link_live() -> None:
    before = _after(BundleChanged(bundle_view("old")))
    state = apply(before, _snapshot(bundles=(bundle_view("new"),)))
    assert list(state.bundles) == [("default", "new")]
    assert state.link.phase is LinkPhase.LIVE
    assert state.revision == 5


def test_bundles_are_indexed_by_workspace_and_name() -> None:
    state = _after(
        BundleChanged(bundle_view("a")),
        BundleChanged(bundle_view("a", workspace="lab")),
        BundleChanged(bundle_view("a", state=SlotState.DEAD)),
        BundleRemoved("lab", "a"),
    )
    assert {key: view.state for key, view in state.bundles.items()} == {
        ("default", "a"): SlotState.DEAD
    }
    assert state.revision == 9


def test_figures_change_only_the_figures_and_ignore_what_is_gone() -> None:
    figures, calls = Figures(1.5, 100, 2), CallFigures(3, 9)
    state = _after(
        BundleChanged(bundle_view("a")),
        FiguresChanged(
            (
                BundleMeasure("default", "a", figures, calls),
                BundleMeasure("default", "gone", figures, calls),
            )
        ),
    )
    assert state.bundles["default", "a"].figures == figures
    assert len(state.bundles) == 1


def test_a_workspace_takes_its_bundles_and_runs_with_it() -> None:
    state = _after(
        WorkspaceChanged(WorkspaceView("lab", "Lab", 0)),
        BundleChanged(bundle_view("a", workspace="lab")),
        RunChanged(run_view("r-1", workspace="lab")),
        RunChanged(run_view("r-2")),
        WorkspaceRemoved("lab"),
    )
    assert not state.workspaces
    assert not state.bundles
    assert list(state.runs) == ["r-2"]


def test_a_changed_startup_snapshot_is_marked_with_the_newest_revision_of_its_bundle() -> None:
    state = _after(
        SnapshotChanged("acme", "a"), SnapshotChanged("acme", "b"), SnapshotChanged("acme", "a")
    )
    assert state.snapshot_mark(("acme", "a")) == 8
    assert state.snapshot_mark(("acme", "b")) == 7
    assert state.snapshot_mark(("acme", "c")) == state.snapshot_mark(None) == 5


def test_a_new_picture_makes_every_startup_snapshot_outdated() -> None:
    before = _after(SnapshotChanged("acme", "a"))
    state = apply(before, Snapshot("d", 40, EngineState(DAEMON)))
    assert state.snapshot_mark(("acme", "a")) == state.snapshot_mark(("acme", "b")) == 40


def test_marks_of_startup_snapshots_go_with_their_bundles() -> None:
    state = _after(
        SnapshotChanged("acme", "a"),
        SnapshotChanged("lab", "b"),
        SnapshotChanged("lab", "c"),
        BundleRemoved("lab", "b"),
        WorkspaceRemoved("acme"),
    )
    assert list(state.snapshot_marks) == [("lab", "c")]


def test_transitions_are_newest_first_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_module, "TRANSITION_LIMIT", 2)
    moves = [
        Transitioned(Transition("w", "a", at, SlotState.RUNNING, SlotState.DEAD, "crash", "roost"))
        for at in range(3)
    ]
    assert [entry.at for entry in _after(*moves).transitions] == [2, 1]


def test_the_oldest_settled_runs_go_first_and_active_ones_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(state_module, "RUN_LIMIT", 2)
    state = _after(
        RunChanged(run_view("r-1")),
        RunChanged(run_view("r-2", status=RunStatus.SUCCEEDED)),
        RunChanged(run_view("r-3", status=RunStatus.FAILED)),
    )
    assert list(state.runs) == ["r-1", "r-3"]


def test_folding_leaves_the_state_before_as_it_was() -> None:
    before = _after(BundleChanged(bundle_view("a")))
    after = _after(BundleChanged(bundle_view("b")), base=before)
    assert len(before.bundles) == 1
    assert len(after.bundles) == 2
    assert after.runs is before.runs


def test_a_batch_gives_what_its_events_give_one_by_one() -> None:
    events: list[EngineEvent] = [
        _snapshot(runs=(run_view("r-2"), run_view("r-1"))),
        Change(6, RunChanged(run_view("r-3"))),
        Change(7, BundleChanged(bundle_view("a"))),
        Change(8, RunChanged(run_view("r-1", status=RunStatus.ABORTED))),
    ]
    one_by_one = ScreenState()
    for event in events:
        one_by_one = apply(one_by_one, event)
    batch = fold(ScreenState(), events)
    assert batch.runs == one_by_one.runs
    assert batch.bundles == one_by_one.bundles
    assert list(batch.runs) == ["r-1", "r-2", "r-3"]


def test_after_a_closing_notice_nothing_is_heard_and_the_rows_stay() -> None:
    state = _after(BundleChanged(bundle_view("a")), Closing("asked to"))
    assert state.link == Link(LinkPhase.CLOSING, "asked to")
    assert not state.link.is_live
    assert len(state.bundles) == 1


def test_a_lost_daemon_changes_nothing_but_the_link() -> None:
    before = _after(BundleChanged(bundle_view("a")))
    after = with_link(before, Link(LinkPhase.LOST, "gone", FIXED_START))
    assert after.bundles is before.bundles
    assert not after.link.is_live
