"""`Builder`: from a cold start to a verified template, phase by phase.

Nothing is left of a build that is cancelled or breaks off: its templates are closed, and what it
traced is forgotten. What it makes is kept by its caller.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from roost.clock import Clock
from roost.errors import RoostError
from roost.models import Reason
from roost.models.snapshot import (
    GuardFinding,
    SnapshotBackend,
    SnapshotPhase,
    SnapshotState,
)
from roost.snapshots.answers import AnswersDiffer, digest_answers, refuse_other_answers
from roost.snapshots.backend import (
    Answered,
    Built,
    Judge,
    Template,
    TemplateFactory,
    TemplatePlan,
    TemplateReport,
    Trace,
    Tracer,
    TraceReader,
    Verdict,
    Verifier,
)
from roost.snapshots.cold_start import ColdStart
from roost.snapshots.entry import Entry
from roost.snapshots.environment import template_environment
from roost.snapshots.interpreter import Interpreter
from roost.snapshots.key import Key, KeyFacts, key_change, make_key
from roost.snapshots.phases import Phases
from roost.snapshots.record import Attempt, Made

ROUNDS = 8
"""Times that the checks begin again because something more has to be excluded; real bundles take
two."""

CANARY_NAME = "SERVICE_ACCESS_TOKEN"
"""A name that programs take for a credential's."""

MAIN = "__main__"

_NOT_FOUND = "ModuleNotFoundError: "
"""How a template tells of a module that is nowhere on its path."""


class OpenTrace(Protocol):
    """Prepares a traced start."""

    def __call__(self, entry: Entry, start: ColdStart) -> TraceReader: ...


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose snapshot is built."""

    start: ColdStart
    entry: Entry
    interpreter: Interpreter
    digest_key: bytes


@dataclass(frozen=True, slots=True)
class Parts:
    """What all builds share."""

    factory: TemplateFactory
    judge: Judge
    open_trace: OpenTrace
    clock: Clock
    backend: SnapshotBackend = SnapshotBackend.ZYGOTE
    """What makes it."""


class _Ended(Exception):
    """The build ends here, as an attempt."""

    def __init__(self, state: SnapshotState, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.state = state
        self.reason = Reason(code, sentence)


class Builder:
    """Builds snapshots of which a living process has loaded the code."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def build(
        self,
        subject: Subject,
        tracer: Tracer,
        verifier: Verifier,
        on_phase: Callable[[SnapshotPhase], None],
    ) -> Built | Attempt:
        """Build a snapshot.

        Args:
            subject: what it is of.
            tracer: starts the bundle through the launcher.
            verifier: starts it from the template.
            on_phase: told at the beginning of each phase.

        Returns:
            What was made, whose template the caller closes, or how the build ended instead.
        """
        build = _Build(self._parts, subject, Phases(self._parts.clock, on_phase))
        try:
            return await build.run(tracer, verifier)
        except _Ended as ended:
            return build.attempt(ended.state, ended.reason)
        except AnswersDiffer as differ:
            return build.attempt(SnapshotState.FAILED, differ.reason)
        except RoostError as error:
            return build.attempt(SnapshotState.FAILED, Reason(error.code, error.message))
        except OSError as error:
            return build.attempt(SnapshotState.FAILED, Reason("system", str(error)))


def plan_of(made: Made, start: ColdStart) -> TemplatePlan:
    """Return how the template of a snapshot is made again."""
    key = made.key
    seen = (*key.reads, *key.whole)
    plan = _plan(key.entry, key.paths, start, made.modules, key.exclude, seen)
    return replace(plan, is_environ_copied=bool(key.copied_by))


def problem_names(report: TemplateReport) -> tuple[tuple[str, str | None], ...]:
    """Return guard and module of what the checks of a template found."""
    return tuple(dict.fromkeys((problem.guard, problem.module) for problem in report.problems))


def _plan(
    entry: Entry,
    paths: tuple[str, ...],
    start: ColdStart,
    modules: tuple[str, ...],
    exclude: tuple[str, ...],
    reads: tuple[str, ...],
) -> TemplatePlan:
    return TemplatePlan(
        interpreter=entry.interpreter,
        flags=entry.flags,
        kind=entry.wire_kind,
        target=entry.target,
        modules=modules,
        paths=paths,
        path0=entry.path0,
        own_argv=entry.own_argv,
        env=template_environment(start.launch.env, start.credentials, reads),
        cwd=entry.directory or start.launch.cwd,
        exclude=exclude,
    )


class _Build:
    """One build under way."""

    def __init__(self, parts: Parts, subject: Subject, phases: Phases) -> None:
        self._parts = parts
        self._subject = subject
        self._phases = phases
        self._findings: list[GuardFinding] = []
        self._exclude: set[str] = set()
        self._not_found: set[str] = set()
        """Modules that are found only after the program has changed `sys.path`."""

    async def run(self, tracer: Tracer, verifier: Verifier) -> Built:
        with self._phases.of(SnapshotPhase.TRACE):
            trace, cold = await self._trace(tracer)
        with self._phases.of(SnapshotPhase.VERDICTS):
            self._heed(self._parts.judge.of_trace(trace, self._subject.start.credentials))
            await self._settle(trace)
            key = await asyncio.to_thread(self._key, trace)
        async with self._template(trace) as template:
            with self._phases.of(SnapshotPhase.VERIFY):
                refuse_other_answers(digest_answers(cold), await verifier.verify(template))
            with self._phases.of(SnapshotPhase.PUBLISH):
                await self._refuse_changes(key)
                memory = await template.measure()
            return Built(self._made(trace, key, cold, template, memory), template)

    def attempt(self, state: SnapshotState, reason: Reason) -> Attempt:
        return Attempt(
            state=state,
            reason=reason,
            at=self._parts.clock.now(),
            phase=self._phases.current,
            findings=tuple(self._findings),
            phases_ms=self._phases.took,
        )

    async def _trace(self, tracer: Tracer) -> tuple[Trace, Answered]:
        subject = self._subject
        reader = self._parts.open_trace(subject.entry, subject.start)
        try:
            answered = await tracer.trace(reader.command)
            return await asyncio.to_thread(reader.read), answered
        finally:
            reader.close()

    async def _settle(self, trace: Trace) -> None:
        """Load templates for the checks until none of them excludes anything more."""
        for _ in range(ROUNDS):
            if not await self._excludes_more(trace):
                return
        raise _Ended(
            SnapshotState.REFUSED,
            "unsettled",
            f"after {ROUNDS} rounds the checks still found something new in it; start it cold",
        )

    async def _excludes_more(self, trace: Trace) -> bool:
        """Load two templates of what is left of the trace and judge them."""
        judge, plan = self._parts.judge, self._plan(trace)
        checked = self._with_canary(plan)
        async with self._open(checked) as first:
            if self._leaves_out(first.report):
                return True
            if self._heed(judge.of_template(trace, first.report)):
                return True
        async with self._open(replace(plan, compare=True)) as second:
            return self._heed(judge.of_comparison(trace, first.report, second.report))

    def _with_canary(self, plan: TemplatePlan) -> TemplatePlan:
        """Return a plan whose template has a made-up value where a start has credentials."""
        canary = secrets.token_hex(32)
        made_up = dict.fromkeys(self._subject.start.credentials, canary)
        env = {**plan.env, **made_up}
        return replace(plan, env=env, canary=(CANARY_NAME, canary), compare=True)

    def _leaves_out(self, report: TemplateReport) -> bool:
        """Leave out what cannot be loaded early; True when that is something more."""
        poisoned = set(report.poisoned) - self._exclude
        not_found = {name for name, error in report.failed if error.startswith(_NOT_FOUND)}
        self._exclude |= poisoned
        self._not_found |= not_found
        return bool(poisoned or not_found)

    @asynccontextmanager
    async def _template(self, trace: Trace) -> AsyncIterator[Template]:
        """Make the template that stays; it is closed when the block fails."""
        with self._phases.of(SnapshotPhase.TEMPLATE):
            template = await self._parts.factory.open(self._plan(trace))
        try:
            self._heed(self._parts.judge.of_template(trace, template.report))
            yield template
        except BaseException:
            await asyncio.shield(template.close())
            raise

    @asynccontextmanager
    async def _open(self, plan: TemplatePlan) -> AsyncIterator[Template]:
        template = await self._parts.factory.open(plan)
        try:
            yield template
        finally:
            await asyncio.shield(template.close())

    def _heed(self, verdict: Verdict) -> bool:
        """Take over a verdict; True when it excludes something more."""
        self._findings.extend(f for f in verdict.findings if f not in self._findings)
        if (refusal := verdict.refusal) is not None:
            raise _Ended(SnapshotState.REFUSED, refusal.guard, refusal.sentence)
        more = set(verdict.exclude) - self._exclude
        self._exclude |= more
        return bool(more)

    def _plan(self, trace: Trace) -> TemplatePlan:
        subject = self._subject
        entry, paths = subject.entry, subject.interpreter.paths
        exclude = tuple(sorted(self._exclude))
        modules, reads = self._modules(trace), self._reads(trace)
        plan = _plan(entry, paths, subject.start, modules, exclude, reads)
        return replace(plan, is_environ_copied=bool(self._copied_by(trace)))

    def _modules(self, trace: Trace) -> tuple[str, ...]:
        left = {MAIN} | self._exclude | self._not_found
        return tuple(dict.fromkeys(m.name for m in trace.modules if m.name not in left))

    def _reads(self, trace: Trace) -> tuple[str, ...]:
        """Return the names that modules in the template read while they are loaded."""
        if self._copied_by(trace):
            return tuple(sorted(self._subject.start.launch.env))
        reads = (read for read in trace.environment if read.module not in self._exclude)
        return tuple(sorted({read.name for read in reads}))

    def _copied_by(self, trace: Trace) -> tuple[str, ...]:
        """Return the modules in the template that copy the whole environment, as they may."""
        copying = self._parts.judge.allowed_copies(trace)
        return tuple(name for name in copying if name not in self._exclude)

    def _key(self, trace: Trace) -> Key:
        subject = self._subject
        files = {module.file for module in trace.modules if module.file is not None}
        if os.path.isabs(subject.entry.target):  # it runs as the main module
            files.add(subject.entry.target)
        facts = KeyFacts(
            entry=subject.entry,
            interpreter=subject.interpreter,
            cwd=subject.start.launch.cwd,
            env=subject.start.launch.env,
            credentials=subject.start.credentials,
            modules=tuple(module.name for module in trace.modules),
            files=tuple(sorted(files)),
            reads=self._reads(trace),
            exclude=tuple(sorted(self._exclude)),
            allowed=subject.start.allowed,
            copied_by=self._copied_by(trace),
        )
        return make_key(facts, subject.digest_key)

    async def _refuse_changes(self, key: Key) -> None:
        """Publish nothing whose sources changed after they were looked at."""
        start, entry = self._subject.start, self._subject.entry
        change = await asyncio.to_thread(
            key_change,
            key,
            entry,
            start.launch.env,
            start.credentials,
            self._subject.digest_key,
            start.allowed,
        )
        if change is not None:
            raise _Ended(
                SnapshotState.FAILED,
                "changed_meanwhile",
                f"something changed while it was built ({change.sentence}); build it again",
            )

    def _made(
        self, trace: Trace, key: Key, cold: Answered, template: Template, memory: int | None
    ) -> Made:
        return Made(
            backend=self._parts.backend,
            version=self._subject.start.version,
            key=key,
            modules=self._modules(trace),
            loaded=template.report.loaded,
            built_at=self._parts.clock.now(),
            build_ms=self._phases.total_ms,
            phases_ms=self._phases.took,
            findings=tuple(self._findings),
            template_bytes=memory,
            problems=problem_names(template.report),
            answers=digest_answers(cold),
        )
