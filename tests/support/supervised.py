"""A supervisor on a fake driver, clock and store: its processes are moved by hand."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from tests.support.fake.clock import FakeClock
from tests.support.fake_sessions import FakeSessions

from roost.drivers.base import (
    DriverProcess,
    Measurement,
    ProcessExit,
    SpawnSpec,
    StopReport,
    SweepReport,
    TreeFigures,
)
from roost.errors import CommandNotFound
from roost.models import (
    BundleKind,
    BundleRow,
    BundleSettings,
    ChangeBody,
    ConfigField,
    CredentialSet,
    Definition,
    FieldValue,
    GenerationView,
    Launch,
    LiveGeneration,
    PreparePlan,
    ResolvedCredentials,
    Runtime,
    SlotState,
    Source,
    SourceKind,
    Transition,
    Transitioned,
)
from roost.supervision import BundleSlot, LogFiles, Starter, Supervisor
from roost.supervision.ports import CredentialSource, SnapshotSource
from roost.supervision.prepare import Preparer

BOUND_S = 30.0

T = TypeVar("T")


class FakeProcess:
    """A process that ends when the test says so."""

    def __init__(self, pid: int, spec: SpawnSpec, *, refuses_to_die: bool = False) -> None:
        self.pid = pid
        self.spec = spec
        self.stdin: asyncio.StreamWriter | None = None
        if spec.wants_stdin:
            self.stdin = cast(asyncio.StreamWriter, object())  # the fake sessions never write
        self.stdout = asyncio.StreamReader()
        self.stderr = asyncio.StreamReader()
        self.stops = 0
        self.connected: int | None = 0
        """How many clients its port has."""
        self._refuses = refuses_to_die
        self._exit: ProcessExit | None = None
        self._ended = asyncio.Event()

    @property
    def handle(self) -> str:
        return f"fake-{self.pid}"

    @property
    def display_pid(self) -> int | None:
        return self.pid

    @property
    def exit(self) -> ProcessExit | None:
        return self._exit

    def end(self, code: int | None = None, signal: int | None = None) -> None:
        """End now, as a crash would."""
        if self._exit is None:
            self._exit = ProcessExit(code, signal)
            self.stdout.feed_eof()
            self.stderr.feed_eof()
            self._ended.set()

    async def wait(self) -> ProcessExit:
        await self._ended.wait()
        assert self._exit is not None
        return self._exit

    async def stop(self, grace_s: float, *, eof_first: bool) -> StopReport:
        self.stops += 1
        if self._refuses:
            return StopReport(None, survivors=(self.pid,))
        self.end(signal=15)
        return StopReport(self._exit)

    def is_at_rest(self) -> bool:
        return True

    async def clients(self) -> int | None:
        return self.connected

    def suspended(self) -> tuple[int, ...]:
        return ()

    def foreign_listener(self, host: str, port: int) -> str | None:
        return None


class FakeDriver:
    """Hands out fake processes and remembers them."""

    def __init__(self) -> None:
        self.processes: list[FakeProcess] = []
        self.on_spawn: Callable[[FakeProcess], None] = lambda process: None
        self.survivors_next = False
        self.figures: dict[str, TreeFigures] = {}
        """What `measure` finds, by handle."""
        self._pids = itertools.count(100)

    @property
    def alive(self) -> list[FakeProcess]:
        return [process for process in self.processes if process.exit is None]

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def connect(self, process: DriverProcess) -> None: ...

    def spawn(self, spec: SpawnSpec) -> FakeProcess:
        if spec.argv[0] == "missing":
            raise CommandNotFound("missing")
        process = FakeProcess(next(self._pids), spec, refuses_to_die=self.survivors_next)
        self.processes.append(process)
        self.on_spawn(process)
        return process

    async def measure(self) -> Measurement:
        return Measurement(self.figures)

    async def sweep(self, handles: tuple[str, ...]) -> SweepReport:
        return SweepReport(0)


class FakeRows:
    """The few rows supervision writes."""

    def __init__(self) -> None:
        self.should_run: dict[tuple[str, str], bool] = {}
        self.generations: dict[str, GenerationView] = {}

    async def set_should_run(self, workspace: str, name: str, should_run: bool) -> None:
        self.should_run[workspace, name] = should_run

    async def set_era(self, workspace: str, name: str, era: str) -> None: ...

    async def newest(self) -> dict[tuple[str, str], GenerationView]:
        return {}

    async def revisions(self) -> dict[tuple[str, str], int]:
        return {}

    async def add(self, workspace: str, bundle: str, view: GenerationView, handle: str) -> None:
        self.generations[view.id] = view

    async def set_ready(self, generation_id: str, ready_at: int, ready_ms: int) -> None: ...

    async def set_ended(self, generation_id: str, ended_at: int, exit: str) -> None:
        self.generations.pop(generation_id)

    async def live(self) -> tuple[LiveGeneration, ...]:
        return ()

    async def history(self, workspace: str, bundle: str, limit: int) -> tuple[GenerationView, ...]:
        return ()

    async def load(self, workspace: str, bundle: str) -> CredentialSet:
        return CredentialSet(0, (), has_previous=False)


class FakeStore:
    """As much of a store as supervision asks for."""

    def __init__(self) -> None:
        self.bundles = self.generations = self.credentials = FakeRows()


@dataclass
class FakeSecrets:
    """Credentials a test sets directly."""

    revision: int = 0
    values: dict[str, FieldValue] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()

    async def resolve(
        self, workspace: str, bundle: str, fields: tuple[ConfigField, ...]
    ) -> ResolvedCredentials:
        return ResolvedCredentials(self.revision, dict(self.values), self.secrets)


class FakeRecipes:
    """Renders every value into the environment."""

    def config_hash(self, definition: Definition) -> str:
        return "hash"

    def missing_fields(
        self, definition: Definition, values: dict[str, FieldValue]
    ) -> tuple[str, ...]:
        return tuple(f.key for f in definition.fields if f.required and f.key not in values)

    def plan_prepare(
        self, workspace: str, bundle: str, definition: Definition
    ) -> PreparePlan | None:
        return None

    def launch(
        self,
        workspace: str,
        bundle: str,
        definition: Definition,
        values: dict[str, FieldValue],
        *,
        prepared_dir: str | None,
        port: int | None,
    ) -> Launch:
        env = {key: str(value) for key, value in values.items()}
        return Launch((definition.command,), env, "/", tuple(env))


class Journal:
    """Remembers transitions."""

    def __init__(self) -> None:
        self.transitions: list[Transition] = []

    def record(self, transition: Transition) -> None:
        self.transitions.append(transition)


class World:
    """Everything a supervision test needs.

    Args:
        credentials: resolves credentials in place of `secrets`.
        snapshots: says which starts use a snapshot; None for none.
    """

    def __init__(
        self,
        tmp_path: Path,
        credentials: CredentialSource | None = None,
        snapshots: SnapshotSource | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.driver = FakeDriver()
        self.store = FakeStore()
        self.secrets = FakeSecrets()
        self.logs = LogFiles(tmp_path / "logs")
        self.journal = Journal()
        self.events: list[ChangeBody] = []
        starter = Starter(
            driver=self.driver,
            data_id="data",
            generations=self.store.generations,
            recipes=FakeRecipes(),
            credentials=credentials or self.secrets,
            logs=self.logs,
            clock=self.clock,
            version="0",
            starts_at_once=4,
            preparer=Preparer(self.driver),
            snapshots=snapshots,
        )
        self.sessions = starter._link_module = FakeSessions()  # type: ignore[assignment]
        self.supervisor = Supervisor(
            starter=starter,
            store=self.store,  # type: ignore[arg-type]
            recipes=FakeRecipes(),
            journal=self.journal,
            publish=self.events.append,
            clock=self.clock,
        )

    async def slot(
        self,
        name: str = "app",
        *,
        command: str = "run",
        settings: BundleSettings | None = None,
        fields: tuple[ConfigField, ...] = (),
        kind: BundleKind = BundleKind.COMMAND,
    ) -> BundleSlot:
        """Install a bundle without starting it."""
        definition = Definition(
            kind=kind,
            runtime=Runtime.BINARY,
            title=name,
            version="1",
            command=command,
            source=Source(SourceKind.COMMAND, command),
            fields=fields,
            settings=settings or BundleSettings(settle_s=1.0),
        )
        return await self.supervisor.load(BundleRow("w", name, definition, True, 0))

    async def running(
        self,
        name: str = "app",
        *,
        settings: BundleSettings | None = None,
        fields: tuple[ConfigField, ...] = (),
        kind: BundleKind = BundleKind.COMMAND,
    ) -> BundleSlot:
        """Install a bundle and bring it up."""
        slot = await self.slot(name, settings=settings, kind=kind, fields=fields)
        await self.until_done(self.supervisor.start("w", name, actor="ops"))
        assert slot.state is SlotState.RUNNING
        return slot

    async def until_done(self, work: Coroutine[Any, Any, T]) -> T:
        """Await something while the clock runs on for all who sleep on it."""
        task = asyncio.create_task(work)
        async with asyncio.timeout(BOUND_S):
            while not task.done():
                await self.tick(0.5)
        return task.result()

    async def tick(self, seconds: float) -> None:
        """Let the clock run and everything that is ready run too."""
        self.clock.advance(seconds)
        await asyncio.sleep(0.001)

    async def until(self, holds: Callable[[], object]) -> None:
        """Run on, with the clock standing still, until something holds."""
        async with asyncio.timeout(BOUND_S):
            while not holds():  # noqa: ASYNC110 - any condition, none with an event of its own
                await asyncio.sleep(0.001)

    def moves(self, name: str = "app") -> list[SlotState]:
        """States a slot went through, in order."""
        return [
            event.transition.after
            for event in self.events
            if isinstance(event, Transitioned) and event.transition.bundle == name
        ]


def failed_before(world: World, slot: BundleSlot) -> None:
    """Let the next failure of a bundle be its second, which waits."""
    slot.backoff.record_failure(world.clock.monotonic(), healthy_s=0.0)
