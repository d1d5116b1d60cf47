"""`Zygote`: the backend for Python; a template holds the loaded code and forks for every start."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import overload

from roost.clock import Clock
from roost.errors import TemplateFailed
from roost.models import Reason
from roost.models.snapshot import SnapshotBackend, SnapshotPhase, SnapshotState
from roost.snapshots.backend import (
    Backend,
    Built,
    Judge,
    Template,
    TemplateFactory,
    Tracer,
    Verifier,
)
from roost.snapshots.builder import Builder, Parts, Subject, plan_of, problem_names
from roost.snapshots.cold_start import ColdStart
from roost.snapshots.entry import Entry, EntryKind, read_entry
from roost.snapshots.environment import is_startup_name, template_environment
from roost.snapshots.interpreter import NO_ANSWER, Interpreter, ask_interpreter
from roost.snapshots.key import content_change, key_change
from roost.snapshots.looks import Looks
from roost.snapshots.record import Attempt, Made
from roost.snapshots.stamps import FileStamp, stamp
from roost.snapshots.template_process import TemplateProcesses
from roost.snapshots.template_start import Adopter
from roost.snapshots.trace_command import TraceCommand
from roost.snapshots.verdicts import GuardJudge


class Zygote:
    """Makes snapshots of Python bundles.

    Args:
        driver: owns templates and what is started from them.
        data_id: identity of the data directory.
        digest_key: keys the digests of variables; see `RecordStore.digest_key`.
        clock: times the phases of builds.
    """

    def __init__(self, driver: Adopter, data_id: str, digest_key: bytes, clock: Clock) -> None:
        self._driver = driver
        self._data_id = data_id
        self._digest_key = digest_key
        self._clock = clock
        self._asked: dict[tuple[str, ...], tuple[FileStamp | None, Interpreter | Reason]] = {}
        """What interpreters said, by path and flags, while they are the same file."""
        self._looks = Looks()

    @property
    def kind(self) -> SnapshotBackend:
        """How it starts bundles."""
        return SnapshotBackend.ZYGOTE

    def of(self, start: ColdStart) -> Backend:
        """Return itself."""
        return self

    def entry(self, start: ColdStart, *, quick: bool = False) -> Entry | Reason:
        """Return what it would start, or why it can make no snapshot of it.

        Args:
            start: the bundle's cold start.
            quick: whether to read a line of a script only; otherwise it runs an interpreter that it
                has not seen before, which takes some 20 ms.
        """
        if start.objection is not None:
            return start.objection
        found = read_entry(start.name, start.launch)
        if isinstance(found, Reason):
            return found
        if named := sorted(name for name in start.credentials if is_startup_name(name)):
            return Reason(
                "startup_credential",
                f"{named[0]} holds a credential and works before the program does, so it would be "
                "in the template; give the credential another variable",
            )
        interpreter = self._interpreter(found, start, quick=quick)
        return interpreter if isinstance(interpreter, Reason) else found

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
            return Attempt(SnapshotState.REFUSED, entry, self._clock.now())
        interpreter = await asyncio.to_thread(self._interpreter, entry, start)
        if isinstance(interpreter, Reason):
            return Attempt(SnapshotState.REFUSED, interpreter, self._clock.now())
        judge = self._judge(
            GuardJudge(_own_folder(entry, start), frozenset(start.allowed), start.name)
        )
        factory = self._factory(start)
        builder = Builder(Parts(factory, judge, TraceCommand, self._clock, self.kind))
        subject = Subject(start, entry, interpreter, self._digest_key)
        return await builder.build(subject, tracer, verifier, on_phase)

    async def change(
        self, made: Made, start: ColdStart, *, contents: bool = False
    ) -> Reason | None:
        """Return what has changed since a snapshot was made."""
        return await asyncio.to_thread(self._change, made, start, contents)

    async def open(self, made: Made, start: ColdStart) -> Template:
        """Make a snapshot's template again.

        Raises:
            TemplateFailed: it did not come up, or is not what was verified.
        """
        template = await self._factory(start).open(plan_of(made, start))
        report = template.report
        if report.loaded != made.loaded or set(problem_names(report)) - set(made.problems):
            await asyncio.shield(template.close())
            raise TemplateFailed(
                f"its template holds {report.loaded} modules instead of {made.loaded}, or "
                f"something that was not there when it was verified; build it again with "
                f"`roost snapshot build {start.name}`"
            )
        return template

    def _judge(self, judge: Judge) -> Judge:
        """Return what judges what is loaded."""
        return judge

    def _factory(self, start: ColdStart) -> TemplateFactory:
        return TemplateProcesses(self._driver, self._data_id, start.workspace, start.name)

    def _change(self, made: Made, start: ColdStart, contents: bool) -> Reason | None:
        entry = read_entry(start.name, start.launch)
        if isinstance(entry, Reason):
            return entry
        env, key = start.launch.env, self._digest_key
        change = key_change(
            made.key, entry, env, start.credentials, key, start.allowed, self._looks
        )
        return content_change(made.key) if change is None and contents else change

    @overload
    def _interpreter(self, entry: Entry, start: ColdStart) -> Interpreter | Reason: ...

    @overload
    def _interpreter(
        self, entry: Entry, start: ColdStart, *, quick: bool
    ) -> Interpreter | Reason | None: ...

    def _interpreter(
        self, entry: Entry, start: ColdStart, *, quick: bool = False
    ) -> Interpreter | Reason | None:
        env = template_environment(start.launch.env, start.credentials, ())
        variables = (f"{name}={env[name]}" for name in sorted(env))
        question = (entry.interpreter, *entry.flags, *variables)
        now = stamp(entry.interpreter)
        before = self._asked.get(question)
        if before is not None and before[0] == now:
            return before[1]
        if quick:
            return None
        answer = ask_interpreter(entry, env)
        if not (isinstance(answer, Reason) and answer.code == NO_ANSWER):  # it may answer later
            self._asked[question] = (now, answer)
        return answer


def _own_folder(entry: Entry, start: ColdStart) -> str:
    if entry.kind is EntryKind.SCRIPT and entry.path0 is not None:
        return entry.path0
    return entry.directory or start.launch.cwd
