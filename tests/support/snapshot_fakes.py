"""Templates, judges and starts that do as they are told, for builds without any process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tests.support.snapshot_keys import BundleOnDisk

from roost.drivers.base import DriverProcess, SpawnSpec
from roost.errors import RoostError
from roost.models import Reason
from roost.models.snapshot import (
    GuardAction,
    GuardFinding,
    SnapshotBackend,
    SnapshotPhase,
    SnapshotPolicy,
)
from roost.snapshots.answers import digest_answers
from roost.snapshots.backend import (
    Answered,
    Built,
    EnvironmentRead,
    Template,
    TemplatePlan,
    TemplateReport,
    Trace,
    TracedCommand,
    TracedModule,
    Tracer,
    Verdict,
    Verifier,
)
from roost.snapshots.cold_start import ColdStart
from roost.snapshots.entry import Entry
from roost.snapshots.record import Attempt, Made


class FakeTemplate:
    """A template that lives until it is closed or killed."""

    def __init__(self, report: TemplateReport, size: int = 50_000_000) -> None:
        self._report = report
        self._gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.size = size
        self.is_closed = False
        self.is_spent = False
        self.is_lasting = False

    @property
    def report(self) -> TemplateReport:
        return self._report

    async def restore(self, spec: SpawnSpec) -> DriverProcess:
        raise NotImplementedError("nothing here starts a process")

    async def measure(self) -> int | None:
        return self.size

    async def close(self) -> None:
        self.is_closed = True
        self.kill("it was closed")

    async def wait_gone(self) -> str:
        return await asyncio.shield(self._gone)

    def kill(self, why: str) -> None:
        if not self._gone.done():
            self._gone.set_result(why)


Reported = Callable[[TemplatePlan], TemplateReport]


def all_loaded(plan: TemplatePlan) -> TemplateReport:
    return TemplateReport(loaded=len(plan.modules), reprs={} if plan.compare else None)


@dataclass
class FakeFactory:
    """Makes templates that report what `report` says."""

    report: Reported = all_loaded
    error: RoostError | None = None
    plans: list[TemplatePlan] = field(default_factory=list)
    opened: list[FakeTemplate] = field(default_factory=list)

    async def open(self, plan: TemplatePlan) -> Template:
        self.plans.append(plan)
        if self.error is not None:
            raise self.error
        template = FakeTemplate(self.report(plan))
        self.opened.append(template)
        return template

    @property
    def open_now(self) -> list[FakeTemplate]:
        return [template for template in self.opened if not template.is_closed]


def finding(guard: str, action: GuardAction, module: str = "git") -> GuardFinding:
    return GuardFinding(guard, action, f"`{module}` did it", module)


@dataclass
class FakeJudge:
    """Finds what it was told to find."""

    trace: Verdict = field(default_factory=Verdict)
    template: Callable[[TemplateReport], Verdict] = lambda _: Verdict()
    comparison: list[Verdict] = field(default_factory=list)
    """One for each comparison, then nothing."""
    credential_names: frozenset[str] = frozenset()
    copies: tuple[str, ...] = ()
    """Modules that were allowed to copy the environment and did."""

    def of_trace(self, trace: Trace, credential_names: frozenset[str]) -> Verdict:
        self.credential_names = credential_names
        return self.trace

    def of_template(self, trace: Trace, report: TemplateReport) -> Verdict:
        return self.template(report)

    def of_comparison(self, trace: Trace, first: TemplateReport, second: TemplateReport) -> Verdict:
        return self.comparison.pop(0) if self.comparison else Verdict()

    def allowed_copies(self, trace: Trace) -> tuple[str, ...]:
        return self.copies


class FakeTraceReader:
    """A trace that was written before it began."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self.is_closed = False

    @property
    def command(self) -> TracedCommand:
        return TracedCommand(("python", "launcher", "trace"), (7, 8))

    def read(self) -> Trace:
        assert not self.is_closed
        return self._trace

    def close(self) -> None:
        self.is_closed = True


@dataclass
class FakeStarts:
    """The engine's starts: traced and restored ones answer the same unless told otherwise."""

    answers: tuple[tuple[str, str], ...] = (("tools", '["now"]'),)
    restored: tuple[tuple[str, str], ...] | None = None
    error: RoostError | None = None
    """What a verification raises."""
    hold: asyncio.Event | None = None
    """What a verification waits for."""
    on_verify: Callable[[], object] | None = None
    traced: list[TracedCommand] = field(default_factory=list)
    verified: list[Template] = field(default_factory=list)
    verifying: asyncio.Event = field(default_factory=asyncio.Event)

    async def trace(self, command: TracedCommand) -> Answered:
        self.traced.append(command)
        return Answered(600, self.answers)

    async def verify(self, template: Template) -> Answered:
        self.verified.append(template)
        self.verifying.set()
        if self.hold is not None:
            await self.hold.wait()
        if self.on_verify is not None:
            self.on_verify()
        if self.error is not None:
            raise self.error
        return Answered(20, self.answers if self.restored is None else self.restored)


def trace_of(bundle: BundleOnDisk) -> Trace:
    """Return a trace in which `fetch` imports `git`, which imports `json`."""
    return Trace(
        modules=(
            TracedModule("json", str(bundle.root / "lib" / "json.py"), "git"),
            TracedModule("git", None, "fetch"),
            TracedModule("fetch", str(bundle.package)),
            TracedModule("__main__", str(bundle.script)),
        ),
        environment=(
            EnvironmentRead("fetch", "LOG_LEVEL"),
            EnvironmentRead("git", "GIT_DIR"),
            EnvironmentRead("fetch", "TOKEN"),
        ),
    )


@dataclass
class PhaseLog:
    """The phases that a build told."""

    told: list[SnapshotPhase] = field(default_factory=list)

    def __call__(self, phase: SnapshotPhase) -> None:
        self.told.append(phase)


class FakeBackend:
    """Makes what it is told to, of one bundle on disk."""

    kind = SnapshotBackend.ZYGOTE

    def __init__(self, bundle: BundleOnDisk) -> None:
        self.bundle = bundle
        self.ineligible: Reason | None = None
        self.changed: Reason | None = None
        self.attempt: Attempt | None = None
        self.hold: asyncio.Event | None = None
        """What a build waits for."""
        self.hold_open: asyncio.Event | None = None
        """What a template that is made again waits for."""
        self.open_error: Exception | None = None
        self.building = asyncio.Event()
        self.looked_inside = False
        self.looked_quickly = False
        self.opening = 0
        self.opened: list[FakeTemplate] = []

    @property
    def alive(self) -> list[FakeTemplate]:
        return [template for template in self.opened if not template.is_closed]

    def of(self, start: ColdStart) -> FakeBackend:
        return self

    def entry(self, start: ColdStart, *, quick: bool = False) -> Entry | Reason:
        self.looked_quickly = quick
        return self.ineligible or self.bundle.entry

    async def build(
        self,
        start: ColdStart,
        tracer: Tracer,
        verifier: Verifier,
        on_phase: Callable[[SnapshotPhase], None],
    ) -> Built | Attempt:
        on_phase(SnapshotPhase.TRACE)
        self.building.set()
        if self.hold is not None:
            await self.hold.wait()
        if self.attempt is not None:
            return self.attempt
        made = self.bundle.made(start.version)
        answered = await tracer.trace(TracedCommand((), ()))
        return Built(replace(made, answers=digest_answers(answered)), self._template())

    async def change(
        self, made: Made, start: ColdStart, *, contents: bool = False
    ) -> Reason | None:
        self.looked_inside = contents
        return self.changed

    async def open(self, made: Made, start: ColdStart) -> Template:
        self.opening += 1
        try:
            if self.hold_open is not None:
                await self.hold_open.wait()
            if self.open_error is not None:
                raise self.open_error
            return self._template()
        finally:
            self.opening -= 1

    def _template(self) -> FakeTemplate:
        template = FakeTemplate(TemplateReport(loaded=2))
        self.opened.append(template)
        return template


class FakeBundles:
    """The engine's side of bundles that are all the same one on disk."""

    def __init__(self, bundle: BundleOnDisk, starts: FakeStarts) -> None:
        self._bundle = bundle
        self._starts = starts
        self.policies: dict[str, SnapshotPolicy] = {}
        self.version = "1.0"
        self.error: RoostError | None = None
        self.resolved: list[str] = []

    def policy(self, workspace: str, name: str) -> SnapshotPolicy:
        return self.policies.get(name, SnapshotPolicy.AUTO)

    async def cold_start(self, workspace: str, name: str) -> ColdStart:
        self.resolved.append(name)
        if self.error is not None:
            raise self.error
        return replace(self.start(name), workspace=workspace)

    def start(self, name: str = "time") -> ColdStart:
        return replace(self._bundle.start(version=self.version), name=name)

    def tracer(self, start: ColdStart) -> Tracer:
        return self._starts

    def verifier(self, start: ColdStart) -> Verifier:
        return self._starts
