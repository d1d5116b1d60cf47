"""`CodeCache`: one script of a Node program, and the code that V8 has compiled of it."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from roost.models import Reason
from roost.models.snapshot import SnapshotBackend, SnapshotState
from roost.snapshots.backend import Answered, TracedCommand, Tracer
from roost.snapshots.entry import Entry
from roost.snapshots.node_runtime import NodeRuntime
from roost.snapshots.node_work import BuildEnded, NodeWork, copy_program, write_json

CACHE_REJECTED = "cache_rejected"
"""Code of the reason that V8 did not take the code that it once made."""

_LOADER, _MAKER = "start.cjs", "make.cjs"


class CodeCache:
    """The code is kept when the program ends that was started to make it: then all is compiled
    that a start needs, which V8 would otherwise do function by function."""

    @property
    def kind(self) -> SnapshotBackend:
        """How it starts bundles."""
        return SnapshotBackend.CODE_CACHE

    async def make(self, work: NodeWork, facts: dict[str, Any], tracer: Tracer) -> Answered:
        """Start the bundled script with its real environment and keep its code.

        Raises:
            BuildEnded: it was killed before that.
            RoostError: it did not become ready.
        """
        await asyncio.to_thread(_lay_out, work, facts)
        maker = work.path(_MAKER)
        words = (*_node(work.entry), maker)
        own = work.start.launch.argv[work.entry.own_argv + 1 :]
        answered = await tracer.trace(TracedCommand((*words, *own), ()))
        if not os.path.exists(work.path("app.cache")):
            raise BuildEnded(
                SnapshotState.FAILED,
                "no_cache",
                f"{work.start.name} was killed before its compiled code could be kept; let it end "
                f"on TERM, or give it more time with `roost set {work.start.name} --stop-grace`",
            )
        os.unlink(maker)
        return answered

    def refusal(self, runtime: NodeRuntime) -> Reason | None:
        """Return nothing: every Node that is claimed can."""
        return None

    def words(self, entry: Entry, directory: str) -> tuple[str, ...]:
        """Return how a start begins."""
        return (*_node(entry), os.path.join(directory, _LOADER))

    def objection(self, directory: str) -> Reason | None:
        """Return whether V8 has refused the code."""
        if not os.path.exists(os.path.join(directory, "rejected")):
            return None
        return Reason(
            CACHE_REJECTED,
            "cache: V8 did not take the compiled code at the newest start, as after a change of "
            "Node or of its options; it is built again after the next start",
        )

    def reads(self, facts: dict[str, Any]) -> tuple[str, ...]:
        """Return nothing: every start reads all of its variables itself."""
        return ()


def _node(entry: Entry) -> tuple[str, ...]:
    return (entry.interpreter, *entry.flags)


def _lay_out(work: NodeWork, facts: dict[str, Any]) -> None:
    for name in (_LOADER, _MAKER):
        copy_program(name, work.directory)
    plan = {
        "script": work.entry.target,
        "entry": facts["entry"],
        "isAsync": facts["isAsync"],
    }
    write_json(work.path("plan.json"), plan)
