"""`Heap`: a startup snapshot of V8, in which the packages of a Node program are evaluated."""

from __future__ import annotations

import asyncio
import os
import re
from typing import Any

from roost.models import Reason
from roost.models.snapshot import SnapshotBackend, SnapshotState
from roost.snapshots.backend import Tracer
from roost.snapshots.entry import Entry
from roost.snapshots.node_runtime import NodeRuntime
from roost.snapshots.node_tool import ToolEnd
from roost.snapshots.node_work import BuildEnded, NodeWork, read_json

CAPTURE_BOUND_S = 20.0
"""Evaluating the packages of the largest servers takes half a second; a timer, a server or a
watcher that they leave behind keeps the builder waiting for ever."""

ROUNDS = 3
"""Builds until no further variable is read: one that is set may lead to another that is asked."""

_BLOB, _SCRIPT, _REPORT = "app.blob", "heap-app.js", "report.json"

_TELLING = re.compile(
    r"Error\b|Unknown external reference|not serialized|Check failed|Cannot |Failed "
)

_UNVERIFIED = re.compile(r"whether built-in module \"([^\"]+)\"")

_LONGEST_CAUSE = 200
"""Characters of what Node says about why it cannot."""


class Heap:
    """The packages are evaluated without any credential and without the program's arguments; its
    own files run at each start."""

    @property
    def kind(self) -> SnapshotBackend:
        """How it starts bundles."""
        return SnapshotBackend.HEAP

    async def make(self, work: NodeWork, facts: dict[str, Any], tracer: Tracer) -> None:
        """Evaluate the packages and keep the heap.

        Raises:
            BuildEnded: V8 cannot capture what they made, or they read what may not be kept.
        """
        reads: tuple[str, ...] = ()
        for _ in range(ROUNDS):
            report = await self._capture(work, reads)
            told = tuple(report["reads"])
            if not set(told) & set(work.start.launch.env) - set(work.environment(reads)):
                facts["reads"] = told
                await asyncio.to_thread(_tidy, work)
                return
            reads = tuple({*reads, *told})
        raise BuildEnded(
            SnapshotState.REFUSED,
            "unsettled",
            f"after {ROUNDS} builds its packages still read variables that they had not read "
            "before; start it cold",
        )

    def refusal(self, runtime: NodeRuntime) -> Reason | None:
        """Return why a Node cannot be restored from a startup snapshot."""
        if runtime.has_startup_snapshots:
            return None
        return Reason(
            "no_startup_snapshots",
            f"its Node {runtime.version} was built without startup snapshots; give the bundle "
            "another one, or choose v8cache",
        )

    def words(self, entry: Entry, directory: str) -> tuple[str, ...]:
        """Return how a start begins; the script is a word only, which the program is told."""
        blob = os.path.join(directory, _BLOB)
        return (entry.interpreter, *entry.flags, "--snapshot-blob", blob, entry.target)

    def objection(self, directory: str) -> Reason | None:
        """Return nothing: a heap that does not fit its Node ends that at once."""
        return None

    def reads(self, facts: dict[str, Any]) -> tuple[str, ...]:
        """Return the variables that packages read while they were evaluated."""
        return tuple(facts["reads"])

    async def _capture(self, work: NodeWork, reads: tuple[str, ...]) -> dict[str, Any]:
        ended = await work.tool(
            *work.entry.flags,
            "--snapshot-blob",
            work.path(_BLOB),
            "--build-snapshot",
            work.path(_SCRIPT),
            reads=reads,
            bound_s=CAPTURE_BOUND_S,
        )
        if not ended.is_clean or not os.path.exists(work.path(_BLOB)):
            raise BuildEnded(SnapshotState.REFUSED, "not_captured", _why(work, ended))
        report = await asyncio.to_thread(read_json, work.path(_REPORT))
        _refuse_reads(work, report)
        return report


def _refuse_reads(work: NodeWork, report: dict[str, Any]) -> None:
    if report["isWhole"]:
        raise BuildEnded(
            SnapshotState.REFUSED,
            "environ_copy",
            "a package goes through the whole environment while it is loaded, so that of the build "
            f"would be in every start; choose v8cache for {work.start.name}",
        )
    if named := sorted(set(report["reads"]) & work.start.credentials):
        raise BuildEnded(
            SnapshotState.REFUSED,
            "credential_read",
            f"a package reads {named[0]}, which holds a credential, while it is loaded; choose "
            f"v8cache for {work.start.name}",
        )


def _why(work: NodeWork, ended: ToolEnd) -> str:
    """Return a sentence with the status and the message that prove it."""
    way_out = f"choose v8cache for {work.start.name}"
    if ended.exit is None:
        return (
            f"its packages leave something that goes on, such as a timer, a server or a watcher: "
            f"Node's builder had not ended after {CAPTURE_BOUND_S:g} seconds; {way_out}"
        )
    lines = [line.strip() for line in ended.said.splitlines() if line.strip()]
    telling = next((line for line in lines if _TELLING.search(line)), None)
    cause = telling or (lines[-1] if lines else "it said nothing")
    modules = dict.fromkeys(_UNVERIFIED.findall(ended.said))
    loaded = f" after it had loaded {', '.join(modules)}" if modules else ""
    return (
        f"V8 cannot capture it: Node's builder ended with {ended.exit}{loaded}: "
        f"{cause[:_LONGEST_CAUSE]}; {way_out}"
    )


def _tidy(work: NodeWork) -> None:
    for name in (_SCRIPT, _REPORT):
        os.unlink(work.path(name))
