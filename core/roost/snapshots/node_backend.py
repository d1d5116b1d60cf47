"""`NodeBackend`: makes, checks and opens the snapshots of Node programs that lie on disk."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from roost.clock import Clock
from roost.errors import RoostError
from roost.models import Reason
from roost.models.snapshot import SnapshotBackend, SnapshotPhase, SnapshotState
from roost.snapshots.answers import AnswersDiffer, digest_answers, refuse_other_answers
from roost.snapshots.backend import (
    Answered,
    Backend,
    Built,
    Template,
    TracedCommand,
    Tracer,
    Verifier,
)
from roost.snapshots.cold_start import ColdStart
from roost.snapshots.entry import Entry
from roost.snapshots.environment import template_environment
from roost.snapshots.key import Key, content_change
from roost.snapshots.node_entry import read_node_entry
from roost.snapshots.node_files import NodeFiles, file_with_secret, files_change, stamp_files
from roost.snapshots.node_key import make_node_key, node_key_change
from roost.snapshots.node_runtime import NodeRuntime, NodeRuntimes
from roost.snapshots.node_template import NodeTemplate, Spawning
from roost.snapshots.node_work import BuildEnded, Bundler, NodeWay, NodeWork
from roost.snapshots.phases import Phases
from roost.snapshots.record import Attempt, Kept, Made, RecordStore


@dataclass(frozen=True, slots=True)
class NodeParts:
    """What all ways and builds share."""

    driver: Spawning
    """Owns the steps of builds and what is started."""
    data_id: str
    digest_key: bytes
    """Keys the digests of variables; see `RecordStore.digest_key`."""
    clock: Clock
    files: NodeFiles
    records: RecordStore
    """Say which files are in use."""
    bundler: Bundler
    runtimes: NodeRuntimes


class NodeBackend:
    """Makes snapshots of Node programs in one way."""

    def __init__(self, way: NodeWay, parts: NodeParts) -> None:
        self._way = way
        self._parts = parts

    @property
    def kind(self) -> SnapshotBackend:
        """How it starts bundles."""
        return self._way.kind

    def of(self, start: ColdStart) -> Backend:
        """Return itself."""
        return self

    def entry(self, start: ColdStart, *, quick: bool = False) -> Entry | Reason:
        """Return what it would start, or why it can make no snapshot of it.

        Args:
            start: the bundle's cold start.
            quick: whether to do without running a Node that was not asked before.
        """
        if start.objection is not None:
            return start.objection
        entry = read_node_entry(start.name, start.launch)
        if isinstance(entry, Reason):
            return entry
        runtime = self._runtime(entry, start, quick=quick)
        if isinstance(runtime, NodeRuntime):
            return self._way.refusal(runtime) or entry
        return entry if runtime is None else runtime

    async def build(
        self,
        start: ColdStart,
        tracer: Tracer,
        verifier: Verifier,
        on_phase: Callable[[SnapshotPhase], None],
    ) -> Built | Attempt:
        """Make and verify a snapshot; nothing is left of one that ends otherwise."""
        entry = await asyncio.to_thread(self.entry, start)
        if isinstance(entry, Reason):
            return Attempt(SnapshotState.REFUSED, entry, self._parts.clock.now())
        runtime = await asyncio.to_thread(self._runtime, entry, start)
        assert isinstance(runtime, NodeRuntime), "an entry has one"
        files = self._parts.files
        await asyncio.to_thread(self._sweep, start)
        directory = await asyncio.to_thread(files.begin, *start.key, str(self.kind))
        work = NodeWork(self._parts.driver, self._parts.data_id, start, entry, directory)
        phases = Phases(self._parts.clock, on_phase)
        is_kept = False
        try:
            ended = await self._build(work, runtime, phases, tracer, verifier)
            is_kept = isinstance(ended, Built)
            return ended
        finally:
            files.finish(directory, is_kept=is_kept)

    async def change(
        self, made: Made, start: ColdStart, *, contents: bool = False
    ) -> Reason | None:
        """Return what has changed since a snapshot was made."""
        return await asyncio.to_thread(self._change, made, start, contents)

    async def open(self, made: Made, start: ColdStart) -> Template:
        """Make a snapshot's template again; its files were looked at just before."""
        await asyncio.to_thread(self._parts.files.sweep, *start.key, made.files)
        directory = os.path.dirname(made.files[0].path)
        return await self._template(made.key, start, directory, made.loaded)

    # A build -----------------------------------------------------------------------------------

    async def _build(
        self,
        work: NodeWork,
        runtime: NodeRuntime,
        phases: Phases,
        tracer: Tracer,
        verifier: Verifier,
    ) -> Built | Attempt:
        try:
            return await self._run(work, runtime, phases, tracer, verifier)
        except BuildEnded as ended:
            return self._attempt(phases, ended.state, ended.reason)
        except AnswersDiffer as differ:
            return self._attempt(phases, SnapshotState.FAILED, differ.reason)
        except RoostError as error:
            reason = Reason(error.code, error.message)
            return self._attempt(phases, SnapshotState.FAILED, reason)
        except OSError as error:
            return self._attempt(phases, SnapshotState.FAILED, Reason("system", str(error)))

    async def _run(
        self,
        work: NodeWork,
        runtime: NodeRuntime,
        phases: Phases,
        tracer: Tracer,
        verifier: Verifier,
    ) -> Built:
        start, way = work.start, self._way
        with phases.of(SnapshotPhase.TRACE):
            cold = await tracer.trace(TracedCommand(start.launch.argv, ()))
        with phases.of(SnapshotPhase.VERDICTS):
            bundler = await self._parts.bundler.directory(*start.key)
            facts = await work.bundle(bundler, self.kind)
        with phases.of(SnapshotPhase.TEMPLATE):
            answered = await way.make(work, facts, tracer)
            if answered is not None:
                refuse_other_answers(digest_answers(cold), answered)
            await asyncio.to_thread(_refuse_secrets, work, facts)
            key = await asyncio.to_thread(self._key, work, runtime, facts)
        template = await self._template(key, start, work.directory, len(facts["sources"]))
        try:
            with phases.of(SnapshotPhase.VERIFY):
                refuse_other_answers(digest_answers(cold), await verifier.verify(template))
            with phases.of(SnapshotPhase.PUBLISH):
                made = await self._made(work, key, cold, phases, len(facts["sources"]))
        except BaseException:
            await asyncio.shield(template.close())
            raise
        return Built(made, template)

    async def _made(
        self, work: NodeWork, key: Key, cold: Answered, phases: Phases, loaded: int
    ) -> Made:
        files = await asyncio.to_thread(stamp_files, work.directory)
        # No `template_bytes`: most of it is Node's own pages, of which the less falls on a process
        # the more others there are, so it says nothing of the size of later ones.
        made = Made(
            backend=self.kind,
            version=work.start.version,
            key=key,
            modules=(),
            loaded=loaded,
            built_at=self._parts.clock.now(),
            build_ms=phases.total_ms,
            phases_ms=phases.took,
            answers=digest_answers(cold),
            files=files,
        )
        change = await self.change(made, work.start)
        if change is not None:
            raise BuildEnded(
                SnapshotState.FAILED,
                "changed_meanwhile",
                f"something changed while it was built ({change.sentence}); build it again",
            )
        return made

    def _attempt(self, phases: Phases, state: SnapshotState, reason: Reason) -> Attempt:
        return Attempt(
            state, reason, self._parts.clock.now(), phase=phases.current, phases_ms=phases.took
        )

    def _key(self, work: NodeWork, runtime: NodeRuntime, facts: dict[str, Any]) -> Key:
        reads = self._way.reads(facts)
        return make_node_key(
            work.start, work.entry, runtime.version, facts["sources"], self._parts.digest_key, reads
        )

    def _sweep(self, start: ColdStart) -> None:
        kept = self._parts.records.load(*start.key)
        made = kept.made if isinstance(kept, Kept) else None
        self._parts.files.sweep(*start.key, made.files if made is not None else ())

    # Looks -------------------------------------------------------------------------------------

    def _change(self, made: Made, start: ColdStart, contents: bool) -> Reason | None:
        entry = read_node_entry(start.name, start.launch)
        if isinstance(entry, Reason):
            return entry
        change = node_key_change(made.key, entry, start, self._parts.digest_key)
        if change is None and contents:
            change = content_change(made.key)
        if change is not None:
            return change
        if (missing := files_change(made.files, contents=contents)) is not None:
            return Reason("files", f"files of the snapshot: {missing}")
        return self._way.objection(os.path.dirname(made.files[0].path))

    async def _template(self, key: Key, start: ColdStart, directory: str, loaded: int) -> Template:
        """Return what starts are made from.

        Raises:
            TemplateFailed: it did not come up, or is not what was verified.
        """

        def objection() -> str | None:
            reason = self._way.objection(directory)
            return None if reason is None else reason.sentence

        words = self._way.words(key.entry, directory)
        return NodeTemplate(self._parts.driver, key.entry, words, loaded, objection)

    def _runtime(
        self, entry: Entry, start: ColdStart, *, quick: bool = False
    ) -> NodeRuntime | Reason | None:
        env = template_environment(start.launch.env, start.credentials, ())
        return self._parts.runtimes.ask(entry.interpreter, env, quick=quick)


def _refuse_secrets(work: NodeWork, facts: dict[str, Any]) -> None:
    """Refuse files that hold a credential, whoever put it there."""
    env, places = work.start.launch.env, "\n".join((work.entry.target, *facts["sources"]))
    values = (env[each] for each in work.start.credentials)
    # A path that may not be told stands in every file that knows where it lies.
    name = file_with_secret(work.directory, (value for value in values if value not in places))
    if name is not None:
        raise BuildEnded(
            SnapshotState.REFUSED,
            "credential_kept",
            f"a credential of {work.start.name} stands in {name} of its snapshot, so the program "
            "makes code or constants of it; it starts cold",
        )
