"""`NodeStandby`: the backend that parks one loaded process for the next start of a Node bundle.

What it loads is a script of the bundle on disk, as for the other ways of Node; unlike a heap, a
process can hold whatever packages make, so that only what goes on by itself, or would be another
at each start, stands in its way. A start takes the process itself, so the next one is loaded
afterwards in the background, and only while the bundle is wanted to run.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection
from typing import Any

from roost.errors import TemplateFailed, Unavailable
from roost.models import Reason
from roost.models.snapshot import SnapshotBackend, SnapshotState
from roost.snapshots.backend import Template, TemplateReport, Tracer
from roost.snapshots.cold_start import ColdStart
from roost.snapshots.entry import Entry
from roost.snapshots.environment import template_environment
from roost.snapshots.key import Key
from roost.snapshots.node_backend import NodeBackend, NodeParts
from roost.snapshots.node_key import ALL_NAMES, is_node_startup_name
from roost.snapshots.node_parked import OUTPUT, NodePlan, ParkedNodes
from roost.snapshots.node_runtime import NodeRuntime
from roost.snapshots.node_work import BuildEnded, NodeWork, copy_program, write_json
from roost.snapshots.record import Made
from roost.snapshots.standby import why_stopped
from roost.snapshots.template_start import Adopter

ROUNDS = 3
"""Processes until no further variable is read: one that is set may lead to another."""

_PROGRAM = "park.cjs"

_OWN_PREFIX = "ROOST_"
"""Set anew for each start."""

_OWN_MARK = "ROOST_MARK"
"""Who reads this one has read all of them: no package knows of it."""


class NodeStandby(NodeBackend):
    """Parks processes of Node bundles.

    Args:
        parts: what all ways of Node share.
        driver: owns the processes, before their start and as that.
    """

    def __init__(self, parts: NodeParts, driver: Adopter) -> None:
        super().__init__(_Parking(driver), parts)
        self._driver = driver

    def entry(self, start: ColdStart, *, quick: bool = False) -> Entry | Reason:
        """Return what it would start, or why it can make no snapshot of it.

        Args:
            start: the bundle's cold start.
            quick: whether to do without running a Node that was not asked before.
        """
        found = super().entry(start, quick=quick)
        named = sorted(name for name in start.credentials if is_node_startup_name(name))
        if isinstance(found, Reason) or not named:
            return found
        return Reason(
            "startup_credential",
            f"{named[0]} holds a credential and works before the program does, so it would be in "
            "the process that waits; give the credential another variable",
        )

    async def open(self, made: Made, start: ColdStart) -> Template:
        """Park a process for the next start.

        Raises:
            Unavailable: the bundle is stopped, so nothing waits for its next start.
            TemplateFailed: it did not come up, or is not what was verified.
        """
        if not start.should_run:
            raise Unavailable(why_stopped(start.name))
        return await super().open(made, start)

    async def _template(self, key: Key, start: ColdStart, directory: str, loaded: int) -> Template:
        reads = tuple(key.reads)
        plan = _plan(key.entry, directory, start, reads)
        parked = await _factory(self._driver, self._parts.data_id, start).open(plan)
        more = set(_counted(parked.report, start)) - set(reads)
        if more or parked.report.problems:
            await asyncio.shield(parked.close())
            named = ", ".join(sorted(more)) or parked.report.problems[0].what
            raise TemplateFailed(
                f"its packages do what they did not when it was verified ({named}); build it "
                f"again with `roost snapshot build {start.name}`"
            )
        return parked


class _Parking:
    """Prepares what a process loads before it waits."""

    def __init__(self, driver: Adopter) -> None:
        self._driver = driver

    @property
    def kind(self) -> SnapshotBackend:
        """How it starts bundles."""
        return SnapshotBackend.STANDBY

    async def make(self, work: NodeWork, facts: dict[str, Any], tracer: Tracer) -> None:
        """Write what is loaded, and load it to see what packages do.

        Raises:
            BuildEnded: they read what may not be known early, or leave something that goes on.
            TemplateFailed: they cannot be loaded.
        """
        await asyncio.to_thread(_lay_out, work, facts)
        start, reads = work.start, tuple[str, ...]()
        factory = _factory(self._driver, work.data_id, start)
        for _ in range(ROUNDS):
            plan = _plan(work.entry, work.directory, start, reads)
            parked = await factory.open(plan)
            report = parked.report
            await asyncio.shield(parked.close())
            _refuse(start.name, report, start.credentials)
            told = _counted(report, start)
            if not {name for name in told if name in start.launch.env} - set(plan.env):
                facts["reads"] = told
                return
            reads = told
        raise BuildEnded(
            SnapshotState.REFUSED,
            "unsettled",
            f"after {ROUNDS} processes its packages still read variables that they had not read "
            f"before; choose v8cache for {start.name}",
        )

    def refusal(self, runtime: NodeRuntime) -> Reason | None:
        """Return nothing: every Node that is claimed can wait."""
        return None

    def words(self, entry: Entry, directory: str) -> tuple[str, ...]:
        """Return how the process that waits is started."""
        return (entry.interpreter, *entry.flags, os.path.join(directory, _PROGRAM))

    def objection(self, directory: str) -> Reason | None:
        """Return nothing: what is loaded from are scripts."""
        return None

    def reads(self, facts: dict[str, Any]) -> tuple[str, ...]:
        """Return the variables that packages read while they were loaded."""
        return tuple(facts["reads"])


def _factory(driver: Adopter, data_id: str, start: ColdStart) -> ParkedNodes:
    return ParkedNodes(driver, data_id, start.workspace, start.name)


def _plan(entry: Entry, directory: str, start: ColdStart, reads: Collection[str]) -> NodePlan:
    env = start.launch.env
    seen = {name for name in env if is_node_startup_name(name)} | set(reads)
    return NodePlan(
        entry=entry,
        program=os.path.join(directory, _PROGRAM),
        env=template_environment(env, start.credentials, seen),
        names=tuple(sorted(env)),
        reads=tuple(name for name in reads if name != ALL_NAMES),
        cwd=start.launch.cwd,
        wants_stdin=start.wants_stdin,
    )


def _counted(report: TemplateReport, start: ColdStart) -> tuple[str, ...]:
    """Return the variables that what is loaded depends on."""
    return tuple(
        name
        for name in report.reads
        if name not in start.credentials
        and not name.startswith(_OWN_PREFIX)
        and not is_node_startup_name(name)
    )


def _refuse(name: str, report: TemplateReport, credentials: frozenset[str]) -> None:
    """End a build whose packages do what may only be done at a start."""
    way_out = f"choose v8cache for {name}"
    if ALL_NAMES in report.reads and _OWN_MARK in report.reads:
        raise BuildEnded(
            SnapshotState.REFUSED,
            "environ_copy",
            "a package copies the whole environment while it is loaded, so that of the process "
            f"that waits would be in its start; {way_out}",
        )
    if named := sorted(set(report.reads) & credentials):
        raise BuildEnded(
            SnapshotState.REFUSED,
            "credential_read",
            f"a package reads {named[0]}, which holds a credential, while it is loaded; {way_out}",
        )
    if problems := report.problems:
        found: dict[str, list[str]] = {}
        for each in problems:
            found.setdefault(each.guard, []).append(each.what)
        told = "; ".join(_TOLD[guard].format(", ".join(what)) for guard, what in found.items())
        raise BuildEnded(SnapshotState.REFUSED, "not_captured", f"its packages {told}; {way_out}")


_TOLD = {
    "active": "leave something that goes on when they are loaded ({})",
    "signal": "listen for signals when they are loaded ({})",
    OUTPUT: "write when they are loaded ({})",
}


def _lay_out(work: NodeWork, facts: dict[str, Any]) -> None:
    for name in ("start.cjs", _PROGRAM):
        copy_program(name, work.directory)
    plan = {
        "script": work.entry.target,
        "entry": facts["entry"],
        "isAsync": facts["isAsync"],
        "loaded": len(facts["sources"]),
    }
    write_json(work.path("plan.json"), plan)
