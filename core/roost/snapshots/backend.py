"""What all ways to start from a snapshot have in common: values and interfaces.

A build knows four sides, each behind an interface of this module. The *tracer* and the *verifier*
start the bundle as the engine does, once through the launcher and once from the template, and tell
what it answered. The *factory* makes templates. The *judge* says what may not be in one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from roost.drivers.base import DriverProcess, SpawnSpec
from roost.models import Reason
from roost.models.snapshot import GuardAction, GuardFinding, SnapshotBackend, SnapshotPhase

if TYPE_CHECKING:
    from roost.snapshots.cold_start import ColdStart
    from roost.snapshots.entry import Entry
    from roost.snapshots.record import Attempt, Made

FORMAT = 2
"""Of the trace, of the specs that the launcher reads, and of the record on disk."""


@dataclass(frozen=True, slots=True)
class TracedModule:
    """A module that finished importing before the bundle was ready."""

    name: str
    file: str | None
    """None for built-in and frozen modules and for namespace packages."""
    parent: str | None = None
    """The innermost module that was executing when this one was loaded; None for the entry."""


@dataclass(frozen=True, slots=True)
class Hazard:
    """Something that must not happen while a template is loaded."""

    guard: str
    """Stable name of the guard, such as ``environ_copy``."""
    module: str | None
    """The innermost module that did it; None where it cannot be told."""
    what: str
    """Part of a sentence: ``read GITHUB_TOKEN``, ``started the thread worker``."""


@dataclass(frozen=True, slots=True)
class EnvironmentRead:
    """A variable that a module read while it was loaded."""

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class Trace:
    """What happened until the bundle was ready."""

    modules: tuple[TracedModule, ...]
    """In the order in which they finished, so leaves first."""
    imports: tuple[tuple[str, str], ...] = ()
    """``(importing module, imported module)``."""
    hazards: tuple[Hazard, ...] = ()
    environment: tuple[EnvironmentRead, ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """How a start of the bundle went that was made for a build."""

    ready_ms: int
    """From spawn to readiness."""
    answers: tuple[tuple[str, str], ...] = ()
    """What the bundle answered, by question, as canonical text: ``("tools/list", "[...]")``."""


@dataclass(frozen=True, slots=True)
class TemplatePlan:
    """One template to make. There is no credential in it, nor in `env`."""

    interpreter: str
    flags: tuple[str, ...]
    """The interpreter's own, as in the cold start: ``-X utf8``, ``-W error``."""
    kind: str
    """``script``, ``module`` or ``app``."""
    target: str
    modules: tuple[str, ...]
    """To load, in this order."""
    paths: tuple[str, ...]
    """`sys.path` of the cold start without `path0`."""
    path0: str | None
    """What the entry puts first in `sys.path`; None with ``-I`` and ``-P``."""
    own_argv: int
    """Index in a start's argument vector of the word that stands for `sys.argv[0]`: what is before
    it, the interpreter with its flags and ``-m``, is none of the program's. With ``-m`` the word is
    the module's name, in place of which a plain start has the module's file."""
    env: Mapping[str, str] = field(repr=False)
    """The template's whole environment."""
    cwd: str = "/"
    exclude: tuple[str, ...] = ()
    """Modules that are left to each start; loading one ends as `TemplateReport.poisoned`."""
    canary: tuple[str, str] | None = None
    """A made-up credential to put into the environment and to search for afterwards."""
    is_environ_copied: bool = False
    """Whether a module is allowed to copy `os.environ`. It is without the canary then, which is
    found by what reads below it, and without Roost's own variables, which are the template's."""
    compare: bool = False
    """Whether the report is to hold `reprs`; the hash seed is fixed then."""


@dataclass(frozen=True, slots=True)
class TemplateReport:
    """What a template tells once it is loaded."""

    loaded: int
    failed: tuple[tuple[str, str], ...] = ()
    """``(module, error)`` of modules that could not be imported."""
    poisoned: tuple[str, ...] = ()
    """Modules that imported an excluded one, so they have to be excluded too."""
    problems: tuple[Hazard, ...] = ()
    """What the checks after loading found."""
    import_ms: int = 0
    reprs: Mapping[str, str] | None = None
    """Simple values of modules and classes by dotted name, where the plan asked to compare."""
    reads: tuple[str, ...] = ()
    """Variables that were read while it was loaded, where it watches that itself."""


class Template(Protocol):
    """A living prepared process."""

    @property
    def report(self) -> TemplateReport: ...

    @property
    def is_spent(self) -> bool:
        """Whether nothing more is started from it, because its only start was made."""
        ...

    @property
    def is_lasting(self) -> bool:
        """Whether it is kept however long no start uses it."""
        ...

    async def restore(self, spec: SpawnSpec) -> DriverProcess:
        """Start a process from it; bounded to a second.

        Args:
            spec: what a cold start would be given, with nothing left out.

        Raises:
            RestoreFailed: it did not start one; the reason says why.
        """
        ...

    async def measure(self) -> int | None:
        """Return its memory in bytes with its share of common pages; None where nobody tells."""
        ...

    async def close(self) -> None:
        """End it; the processes started from it live on. Safe to call again."""
        ...

    async def wait_gone(self) -> str:
        """Wait until it has ended, for whatever reason, and return why; safe to cancel."""
        ...


class TemplateFactory(Protocol):
    """Makes templates."""

    async def open(self, plan: TemplatePlan) -> Template:
        """Start a template and wait until it is loaded.

        On failure, and when cancelled, nothing of it is left. Modules that fail or are poisoned are
        no failure of this: they stand in its report.

        Raises:
            TemplateFailed: it did not come up; the sentence says why.
        """
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge found, and what follows from it."""

    findings: tuple[GuardFinding, ...] = ()
    exclude: tuple[str, ...] = ()
    """Modules to leave to each start, with everything that imports them."""

    @property
    def refusal(self) -> GuardFinding | None:
        """The first finding for which there can be no snapshot."""
        refusing = (f for f in self.findings if f.action is GuardAction.REFUSE)
        return next(refusing, None)


class Judge(Protocol):
    """Says what may not be in a template; pure."""

    def of_trace(self, trace: Trace, credential_names: frozenset[str]) -> Verdict:
        """Judge what happened in the traced start.

        Args:
            trace: what happened.
            credential_names: variables that hold a credential.
        """
        ...

    def of_template(self, trace: Trace, report: TemplateReport) -> Verdict:
        """Judge what is in a loaded template that has no poisoned modules."""
        ...

    def of_comparison(self, trace: Trace, first: TemplateReport, second: TemplateReport) -> Verdict:
        """Judge what differs between two templates of the same plan."""
        ...

    def allowed_copies(self, trace: Trace) -> tuple[str, ...]:
        """Return the modules that copied the whole environment and were allowed to, sorted."""
        ...


@dataclass(frozen=True, slots=True)
class TracedCommand:
    """What is started for a trace in place of the bundle's own command."""

    argv: tuple[str, ...]
    inherited: tuple[int, ...]
    """Descriptors that the process must be given under the same numbers."""


class Tracer(Protocol):
    """The engine's side of a trace. What its errors say holds no credential."""

    async def trace(self, command: TracedCommand) -> Answered:
        """Start the bundle by `command` with its real environment until ready, then end it.

        Raises:
            RoostError: it did not become ready; the sentence says why.
        """
        ...


class Verifier(Protocol):
    """The engine's side of a verification. What its errors say holds no credential."""

    async def verify(self, template: Template) -> Answered:
        """Restore the bundle with its real environment until ready, then end it.

        Raises:
            RoostError: it did not become ready; the sentence says why.
        """
        ...


class TraceReader(Protocol):
    """The command of a trace, and what the traced process wrote."""

    @property
    def command(self) -> TracedCommand: ...

    def read(self) -> Trace:
        """Return what was traced; call it when the traced process has ended."""
        ...

    def close(self) -> None:
        """Close its descriptors and forget what was written. Safe to call again."""
        ...


@dataclass(frozen=True, slots=True)
class Built:
    """A snapshot that passed its verification, and its living template."""

    made: Made
    template: Template


class Backend(Protocol):
    """One way to start bundles from snapshots."""

    @property
    def kind(self) -> SnapshotBackend: ...

    def of(self, start: ColdStart) -> Backend:
        """Return the one that makes a bundle's snapshot; blocks for the look at one file."""
        ...

    def entry(self, start: ColdStart, *, quick: bool = False) -> Entry | Reason:
        """Return what it would start, or why it can make no snapshot of it; blocks shortly.

        Args:
            start: the bundle's cold start.
            quick: whether to do without running anything; what cannot be told then is eligible.
        """
        ...

    async def build(
        self,
        start: ColdStart,
        tracer: Tracer,
        verifier: Verifier,
        on_phase: Callable[[SnapshotPhase], None],
    ) -> Built | Attempt:
        """Make and verify a snapshot; nothing is left of one that ends otherwise."""
        ...

    async def change(
        self, made: Made, start: ColdStart, *, contents: bool = False
    ) -> Reason | None:
        """Return what has changed since a snapshot was made.

        Args:
            made: the snapshot.
            start: the start in question.
            contents: whether to read the bundle's own files too, which takes longer.
        """
        ...

    async def open(self, made: Made, start: ColdStart) -> Template:
        """Make a snapshot's template again.

        Raises:
            TemplateFailed: it did not come up, or is not what was verified.
        """
        ...
