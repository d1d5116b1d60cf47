"""Frames of the engine's events: their shape, and that each change is encoded once."""

from __future__ import annotations

import pytest

from roost.api import frames as frames_module
from roost.api.frames import KEPT, EngineFrames, frame
from roost.models import (
    Change,
    Closing,
    DaemonView,
    EngineState,
    Snapshot,
    WorkspaceRemoved,
)
from roost.models.codec import to_json


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Everything that was encoded, in order."""
    seen: list[object] = []

    def spy(value: object) -> bytes:
        seen.append(value)
        return to_json(value)

    monkeypatch.setattr(frames_module, "to_json", spy)
    return seen


def _removal(revision: int) -> Change:
    return Change(revision, WorkspaceRemoved(f"w{revision}"))


def test_a_frame_has_name_id_and_json_on_one_line() -> None:
    body = WorkspaceRemoved("a\nb")
    assert frame("x", body, "s.1") == b'event: x\nid: s.1\ndata: {"id":"a\\nb"}\n\n'
    assert frame("x", body) == b'event: x\ndata: {"id":"a\\nb"}\n\n'


def test_changes_come_in_order_under_their_names_and_ids() -> None:
    piece = EngineFrames("s").joined([_removal(7), Change(8, Closing("stopping"))])
    assert piece == (
        b'event: workspace_removed\nid: s.7\ndata: {"id":"w7"}\n\n'
        b'event: closing\nid: s.8\ndata: {"reason":"stopping"}\n\n'
    )


def test_a_change_is_encoded_once_for_all_viewers(encoded: list[object]) -> None:
    frames = EngineFrames("s")
    assert frames.joined([_removal(1), _removal(2)]) == frames.joined([_removal(1), _removal(2)])
    assert encoded == [WorkspaceRemoved("w1"), WorkspaceRemoved("w2")]


def test_a_snapshot_is_of_its_viewer_and_never_kept(encoded: list[object]) -> None:
    frames = EngineFrames("s")
    state = EngineState(DaemonView("s", "1", 1, "/data", 0))
    snapshots = [Snapshot("s", 3, state, missed) for missed in (0, 9)]
    pieces = [frames.joined([snapshot]) for snapshot in snapshots]
    assert all(piece.startswith(b"event: snapshot\nid: s.3\n") for piece in pieces)
    assert [b'"missed":9' in piece for piece in pieces] == [False, True]
    assert encoded == snapshots


def test_only_the_newest_changes_are_kept(encoded: list[object]) -> None:
    frames = EngineFrames("s")
    frames.joined(map(_removal, range(KEPT + 1)))
    encoded.clear()
    frames.joined([_removal(KEPT), _removal(1)])
    assert encoded == []
    assert frames.joined([_removal(0)]) == frame("workspace_removed", _removal(0).body, "s.0")
    assert encoded == [WorkspaceRemoved("w0")] * 2
