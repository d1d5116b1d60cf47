"""What actions do to startup snapshots: build, verify and remove one, and set when it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.contract import EngineAPI
from roost.errors import (
    Refused,
    RoostError,
    SnapshotBusy,
    SnapshotMissing,
    SnapshotRefused,
    SnapshotStale,
    Unavailable,
)
from roost.models import SnapshotPolicy, SnapshotState, SnapshotView
from roost_tui import render
from roost_tui.notes import RowKey, Severity
from roost_tui.snapshot_text import POLICY_WORDS

if TYPE_CHECKING:
    from roost_tui.operations import Desk

_NOT_READY = {
    SnapshotState.REFUSED: "snapshot refused",
    SnapshotState.STALE: "snapshot stale",
}
"""What stands on the row after a build or a check that did not end well."""


_WORDS = {
    "snapshot.build": "snapshot build",
    "snapshot.verify": "snapshot check",
    "snapshot.remove": "snapshot removal",
    "snapshot.policy": "snapshot policy",
}
"""What stands on the row while an action is under way."""

_HINTS = {
    SnapshotPolicy.AUTO: "use a valid snapshot, else start cold",
    SnapshotPolicy.REQUIRE: "fail without a valid snapshot",
    SnapshotPolicy.OFF: "always start cold",
}
"""What stands beside each policy to choose from."""

REFUSALS = frozenset(
    error.code for error in (Refused, SnapshotBusy, SnapshotMissing, SnapshotRefused, SnapshotStale)
)
"""Codes of answers by which nothing was begun."""


class SnapshotOperations:
    """Acts on the snapshot of one bundle. Each coroutine is the body of one named worker.

    Args:
        desk: what it needs of the app.
        key: workspace and name of the bundle.
    """

    def __init__(self, desk: Desk, key: RowKey) -> None:
        self._desk = desk
        self._key = key

    async def perform(self, action_id: str) -> None:
        """Do an action; nothing is asked first, for none of them cuts anything."""
        handlers = {
            "snapshot.build": self._build,
            "snapshot.verify": self._verify,
            "snapshot.remove": self._remove,
            "snapshot.policy": self._choose_policy,
        }
        try:
            await handlers[action_id]()
        except RoostError as error:
            end = "refused" if error.code in REFUSALS else "failed"
            self._desk.end(self._key, f"{_WORDS[action_id]} {end}", ok=False)
            self._desk.say(Severity.ERROR, error.message)

    @property
    def _engine(self) -> EngineAPI:
        if self._desk.engine is None:
            raise Unavailable("nothing was done: the daemon is not connected; try again when it is")
        return self._desk.engine

    async def _build(self) -> None:
        self._desk.begin(self._key, _WORDS["snapshot.build"])
        self._report("snapshot built", await self._engine.build_snapshot(*self._key))

    async def _verify(self) -> None:
        self._desk.begin(self._key, _WORDS["snapshot.verify"])
        self._report("snapshot verified", await self._engine.verify_snapshot(*self._key))

    def _report(self, words: str, view: SnapshotView) -> None:
        ok = view.state is SnapshotState.READY
        if not ok:
            words = _NOT_READY.get(view.state or SnapshotState.FAILED, "snapshot failed")
        self._desk.end(self._key, words, ok=ok)
        self._desk.say(Severity.INFORMATION if ok else Severity.ERROR, outcome(view))

    async def _remove(self) -> None:
        self._desk.begin(self._key, _WORDS["snapshot.remove"])
        result = await self._engine.remove_snapshot(*self._key)
        self._desk.end(
            self._key, "snapshot removed" if result.ok else "removal failed", ok=result.ok
        )
        self._desk.say(Severity.INFORMATION if result.ok else Severity.ERROR, result.sentence)

    async def _choose_policy(self) -> None:
        """Let the operator choose, beside what is so at present."""
        from roost_tui.modals import PickerModal  # loaded after the first paint

        present = (await self._engine.snapshot(*self._key)).view.policy
        workspace, name = self._key
        choices = [(policy.value, policy.value, hint) for policy, hint in _HINTS.items()]
        picker = PickerModal(f"Starts of {workspace}/{name}", choices, present.value)
        chosen = await self._desk.ask(picker)
        if chosen is None or chosen == present.value:
            return
        self._desk.begin(self._key, _WORDS["snapshot.policy"])
        policy = SnapshotPolicy(chosen)
        await self._engine.set_snapshot_policy(*self._key, policy)
        self._desk.end(self._key, f"policy {policy}", ok=True)
        self._desk.say(Severity.INFORMATION, f"starts of {name} {POLICY_WORDS[policy]}")


def outcome(view: SnapshotView) -> str:
    """Return how a build or a check ended, as a sentence."""
    if view.state is not SnapshotState.READY:
        why = f": {view.reason.sentence}" if view.reason else ""
        return f"the snapshot of {view.name} is {view.state or 'not there'}{why}"
    cold, restored = view.cold.p50_ms, view.restored.p50_ms
    if not (cold and restored):
        return f"the snapshot of {view.name} is ready; its next start is restored"
    gain = f"{render.latency(restored)} to ready instead of {render.latency(cold)}"
    return f"the snapshot of {view.name} is ready; {gain}"
