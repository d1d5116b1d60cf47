"""`Engine`: everything a daemon does, apart from being a process and answering on a socket."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from roost import __version__
from roost.bundles import clear_strays
from roost.clock import Clock
from roost.drivers import LocalDriver, Watchdog
from roost.engine.calls import SupervisedCaller
from roost.engine.checkup import Checkup
from roost.engine.facade import Facade
from roost.engine.impact import impact_of
from roost.engine.journal import StoredTransitions
from roost.engine.measure import Measurer
from roost.engine.recipes import BundleRecipes
from roost.engine.rounds import Rounds
from roost.engine.snapshots import Snapshots, make_snapshots
from roost.engine.tokens import Grant, Tokens, end_unfinished
from roost.engine.vault_keys import VaultKeys, open_vault
from roost.engine.worker_ends import generation_number, was_asked
from roost.errors import BadInput, Conflict, RoostError
from roost.events import EventBus
from roost.lifecycle import Lifecycle
from roost.models import (
    BundleChanged,
    BundleRemoved,
    ChangeBody,
    DaemonChanged,
    DaemonView,
    EngineState,
    Impact,
    RunChanged,
    RunKind,
    RunView,
    SnapshotChanged,
    WorkerHello,
    WorkerView,
    WorkspaceChanged,
    WorkspaceView,
)
from roost.runs import (
    Commands,
    OutsideWork,
    RunControl,
    RunRecorder,
    Schedules,
    Tasks,
    ToolCalls,
)
from roost.runs.task_checks import fit_input
from roost.settings.daemon_settings import DaemonSettings
from roost.settings.locations import socket_path
from roost.store import open_store
from roost.store.base import Store
from roost.supervision import LogFiles, Starter, Supervisor
from roost.supervision.prepare import Preparer
from roost.vault import Scrubber, Vault

logger = logging.getLogger(__name__)

T = TypeVar("T")

RUN_CLOSE_GRACE_S = 5.0
"""Bound for settling runs at shutdown."""


class Engine:
    """Builds its parts as components of the daemon's lifecycle.

    They start in order and close in reverse: viewers are told, runs settled, bundles stopped, and
    the store is closed last.

    Args:
        settings: read once by the caller.
        environ: the daemon's environment; children get its allow-listed part.
        clock: source of time.
        lifecycle: carries the parts; the caller boots and closes it.
    """

    def __init__(
        self,
        settings: DaemonSettings,
        environ: Mapping[str, str],
        clock: Clock,
        lifecycle: Lifecycle,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.start_id = secrets.token_hex(6)
        self.bus = EventBus(self.start_id, self._state)
        self._on_shutdown_request: Callable[[], None] = lambda: None
        self.started_at = clock.now()
        self.is_stopping = False
        self.stop_deadline_at: int | None = None
        self.workspaces: dict[str, WorkspaceView] = {}
        self._environ = dict(environ)
        self._lifecycle = lifecycle
        self._verbs: set[asyncio.Task[Any]] = set()
        data_dir = self.data_dir = Path(settings.data_dir)
        self.logs = LogFiles(
            data_dir / "logs",
            max_bytes=settings.log_file_bytes,
            keep=settings.log_files_kept,
            keep_generations=settings.log_generations_kept,
            keep_bytes=settings.log_bundle_bytes,
        )
        self.checkup = Checkup(self)
        self.recipes = BundleRecipes(data_dir, environ)
        self.tokens = Tokens(socket_path(str(data_dir)), self._end_runs_of)
        self.store: Store
        self.journal: StoredTransitions
        self.vault: Vault
        self.vault_keys: VaultKeys
        self.supervisor: Supervisor
        self.snapshots: Snapshots
        self.recorder: RunRecorder
        self.calls: ToolCalls
        self._let_calls_go: Callable[[str, str], None] = lambda workspace, bundle: None
        self._firing: asyncio.Task[None] | None = None
        self._count_for_task: Callable[[RunView], None] = lambda run: None
        self._count_for_schedule: Callable[[RunView], None] = lambda run: None
        self.commands: Commands
        self.outside: OutsideWork
        self.run_control: RunControl
        self.tasks: Tasks
        self.schedules: Schedules

    def register(self) -> None:
        """Add every part to the lifecycle, in the order in which they start."""
        add = self._lifecycle.add
        add("store", config_did_load=self._open_store, before_close=self._close_store)
        add(
            "transition journal",
            config_did_load=self._open_journal,
            before_close=self._close_journal,
        )
        add("vault", config_did_load=self._open_vault)
        add("driver", config_did_load=self._open_driver, before_close=self._close_driver)
        add("supervision", config_did_load=self._build_supervisor)
        add("run ledger", did_load=self._build_runs, before_close=self._close_recorder)
        add("verbs under way", before_close=self._close_verbs)
        add(
            "snapshots",
            server_did_ready=self._open_snapshots,
            before_close=self._close_snapshots,
        )
        add(
            "bundles",
            did_load=self._load_bundles,
            server_did_ready=self._start_bundles,
            before_close=self._close_bundles,
            waiting_for=self._bundles_waited_for,
        )
        add("runs", did_load=self._build_calls, before_close=self._close_calls)
        add(
            "schedules",
            did_load=self._load_schedules,
            will_ready=self._start_schedules,
            before_close=self._stop_schedules,
        )
        add("log followers", before_close=self.logs.close)
        add("measurer", will_ready=self._start_measuring)
        add("viewers", before_close=self.announce_stop)

    async def _open_store(self) -> None:
        self.store = await open_store(self.data_dir)

    async def _close_store(self) -> None:
        await self.store.close()

    async def _open_journal(self) -> None:
        self.journal = StoredTransitions(self.store.transitions)
        await self.journal.open()

    async def _close_journal(self) -> None:
        await self.journal.close()

    async def _open_vault(self) -> None:
        self.vault_keys = await open_vault(
            self.settings, self.data_dir / "keys", self.store, self.clock, self._environ
        )
        self.vault = self.vault_keys.vault

    async def _open_driver(self) -> None:
        self.driver = LocalDriver(self.store.data_id, watchdog=Watchdog(self.store.data_id))
        await self.driver.open()
        await self._sweep(self.driver)

    async def _close_driver(self) -> None:
        await self.driver.close()

    async def _load_bundles(self) -> None:
        self.workspaces = {view.id: view for view in await self.store.workspaces.list()}
        await self._clean_up_installs()
        await self.supervisor.load_all(await self.store.bundles.list())

    async def _clean_up_installs(self) -> None:
        """Remove what interrupted installs, upgrades and removals left, and unused environments."""
        definitions = await self.store.bundles.kept_definitions()
        await asyncio.to_thread(clear_strays, self.data_dir, definitions)

    def _start_bundles(self) -> None:
        self.supervisor.start_all()

    async def _close_bundles(self) -> None:
        await self.supervisor.close()

    def _bundles_waited_for(self) -> tuple[str, ...]:
        return self.supervisor.busy

    async def _sweep(self, driver: LocalDriver) -> None:
        """End what an earlier daemon left; its failure never stops the boot."""
        try:
            left = await self.store.generations.live()
            report = await driver.sweep(tuple(generation.handle for generation in left))
            if report.ended:
                logger.warning("ended %d processes of an earlier daemon", report.ended)
            now, keep = self.clock.now(), self.store.generations.set_ended
            # All at once, so that they share a COMMIT.
            await asyncio.gather(*(keep(each.id, now, "ended with its daemon") for each in left))
        except (RoostError, OSError):
            logger.exception("the boot sweep failed; orphans may be left")

    async def _build_supervisor(self) -> None:
        preparer = Preparer(self.driver)
        self.snapshots = await self._build_snapshots(preparer)
        starter = Starter(
            driver=self.driver,
            data_id=self.store.data_id,
            generations=self.store.generations,
            recipes=self.recipes,
            credentials=self.vault,
            logs=self.logs,
            clock=self.clock,
            version=__version__,
            starts_at_once=self.settings.starts_at_once,
            preparer=preparer,
            tokens=self.tokens,
            snapshots=self.snapshots,
        )
        self.supervisor = Supervisor(
            starter=starter,
            store=self.store,
            recipes=self.recipes,
            journal=self.journal,
            publish=self.publish,
            clock=self.clock,
        )

    async def _build_snapshots(self, preparer: Preparer) -> Snapshots:
        return await make_snapshots(
            data_dir=self.data_dir,
            driver=self.driver,
            data_id=self.store.data_id,
            recipes=self.recipes,
            credentials=self.vault,
            clock=self.clock,
            preparer=preparer,
            installers=self.recipes.installers,
            environ=self._environ,
            tokens=self.tokens,
            store=self.store,
            find=lambda workspace, name: self.supervisor.slot(workspace, name),
            on_change=lambda workspace, name: self.bus.publish(SnapshotChanged(workspace, name)),
        )

    async def _open_snapshots(self) -> None:
        await self.snapshots.open(self.supervisor.slots)

    async def _close_snapshots(self) -> None:
        await self.snapshots.close()

    async def _build_runs(self) -> None:
        self.recorder = RunRecorder(
            self.store.runs,
            owner=self.start_id,
            clock=self.clock,
            publish=self.publish,
            redact=self.supervisor.scrub,
            endings_dir=self.data_dir / "endings",
            window_s=self.settings.run_window_s,
        )
        self.outside = OutsideWork(self.recorder)
        swept = await self.recorder.boot_sweep()
        if swept:
            logger.warning("settled %d runs of an earlier daemon", swept)
        self.tasks = Tasks(
            self.recorder,
            self.store.tasks,
            publish=self.publish,
            generation_of=partial(generation_number, self.supervisor),
        )
        self._count_for_task = self.tasks.run_changed
        recovered = await self.tasks.boot()
        if recovered:
            logger.warning("recovered %d runs of tasks of an earlier daemon", recovered)
        await self.recorder.load_recent()

    def _build_calls(self) -> None:
        self.calls = ToolCalls(
            self.recorder,
            SupervisedCaller(self.supervisor),
            clock=self.clock,
            settings=lambda ws, name: self.supervisor.slot(ws, name).definition.settings,
        )
        self._let_calls_go = self.calls.bundle_changed
        self.recorder.add_worker(RunKind.TOOL_CALL, self.calls.is_working)
        self.commands = Commands(
            self.recorder,
            self.driver,
            clock=self.clock,
            scrubber=Scrubber,
            base_env=self.recipes.base_env,
            state_dir=self.data_dir / "state",
            data_id=self.store.data_id,
        )
        self.recorder.add_worker(RunKind.COMMAND, self.commands.is_working)
        self.run_control = RunControl(
            self.recorder,
            calls=self.calls,
            commands=self.commands,
            tasks=self.tasks,
            clock=self.clock,
            impact=self._respawn_impact,
            generation=SupervisedCaller(self.supervisor).generation,
            stored=self.store.runs.list,
        )

    async def _respawn_impact(self, workspace: str, name: str) -> Impact | None:
        slot = self.supervisor.slot(workspace, name)
        if slot.definition.is_elsewhere:
            return None  # the server is somewhere else: no process of ours does its work
        run_ids = self.recorder.active_ids(workspace, name)
        return await impact_of(slot, self.supervisor.slots, run_ids, "bundle.respawn")

    async def _close_calls(self) -> None:
        self.tasks.refuse_claims()
        await asyncio.gather(
            self.calls.close(RUN_CLOSE_GRACE_S), self.commands.close(RUN_CLOSE_GRACE_S)
        )
        await self.run_control.close()

    async def _close_recorder(self) -> None:
        await self.tasks.close()
        await self.recorder.close()

    async def _load_schedules(self) -> None:
        self.schedules = Schedules(
            self.store.schedules,
            self.tasks,
            knows=self.tasks.knows,
            check_input=self._check_input,
            clock=self.clock,
            publish=self.publish,
        )
        await self.schedules.load()
        self._count_for_schedule = self.schedules.run_changed

    def _check_input(self, workspace: str, task: str, bundle: str | None, given: Any) -> None:
        """Refuse what could not be submitted; the bundle is the one that offers the task now."""
        offered = (view for view in self.tasks.views(workspace) if view.spec.name == task)
        owner = bundle or next((view.bundle for view in offered), "")
        fit_input(self.recorder.parts.payloads, workspace, owner, task, given)

    def _start_schedules(self) -> None:
        self._firing = asyncio.create_task(self.schedules.run(), name="schedules")

    async def _stop_schedules(self) -> None:
        if self._firing is not None:
            self._firing.cancel()
            await asyncio.gather(self._firing, return_exceptions=True)

    def _start_measuring(self) -> None:
        self.measurer = Measurer(
            self.supervisor,
            measure=self.driver.measure,
            publish=self.publish,
            clock=self.clock,
            interval_s=self.settings.figures_interval_s,
        )
        self._lifecycle.on_close(Rounds(self).stop)

    # What the facade and the daemon use ----------------------------------------------------------

    def publish(self, body: ChangeBody) -> None:
        """Publish a change; a run's is also shown on its bundle, whose changes let calls go on."""
        self.bus.publish(body)
        if isinstance(body, RunChanged):
            self._count_for_task(body.run)
            self._count_for_schedule(body.run)
        if isinstance(body, RunChanged) and body.run.bundle is not None:
            run = body.run
            count = self.recorder.active_count(run.workspace, body.run.bundle)
            self.supervisor.set_active_runs(run.workspace, body.run.bundle, count)
        elif isinstance(body, BundleChanged):
            self._let_calls_go(body.bundle.workspace, body.bundle.name)
            if not body.bundle.should_run:
                self.snapshots.rest(body.bundle.workspace, body.bundle.name)
        elif isinstance(body, BundleRemoved):
            self._let_calls_go(body.workspace, body.name)

    async def register_worker(
        self, workspace: str, bundle: str, generation_id: str, hello: WorkerHello
    ) -> WorkerView:
        """Take the tasks and schedules of a worker, which is ready by that.

        Raises:
            BadInput: a task or schedule does not fit.
            TaskTaken: another bundle offers one of its tasks. Nothing was taken over then.
        """
        offered = tuple(spec.name for spec in hello.tasks)
        try:
            self.schedules.check_declared(workspace, bundle, hello.schedules, offered)
            view = await self.tasks.register(workspace, bundle, generation_id, hello)
            await self.schedules.declare(workspace, bundle, hello.schedules)
        except (BadInput, Conflict) as refusal:
            self.supervisor.worker_refused(generation_id, refusal)
            raise
        self.supervisor.worker_ready(generation_id, offered)
        return view

    async def forget_bundle(self, workspace: str, bundle: str) -> None:
        """Let go of what a bundle that was removed has offered and declared."""
        await self.schedules.forget_bundle(workspace, bundle)
        await self.tasks.forget_bundle(workspace, bundle)

    async def whole(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a verb of several writes to its end, even when its caller goes away."""
        task = asyncio.create_task(work)
        self._verbs.add(task)
        task.add_done_callback(self._verbs.discard)
        return await asyncio.shield(task)

    def _end_runs_of(self, grant: Grant) -> None:
        """Settle what a program leaves that has ended; a verb, for the ledger outlives those."""
        asked = self.is_stopping or was_asked(self.supervisor, grant.workspace, grant.bundle)
        for work in (
            end_unfinished(grant, self.recorder),
            self.tasks.worker_gone(grant.generation_id, was_asked=asked),
        ):
            task = asyncio.create_task(work)
            self._verbs.add(task)
            task.add_done_callback(self._verbs.discard)

    async def _close_verbs(self) -> None:
        await asyncio.gather(*self._verbs, return_exceptions=True)

    async def add_workspace(self, workspace: str, label: str) -> WorkspaceView:
        """Create a workspace.

        Raises:
            AlreadyExists: there is one of this id.
        """
        view = WorkspaceView(workspace, label, self.clock.now())
        await self.store.workspaces.add(view)
        self.workspaces[workspace] = view
        self.bus.publish(WorkspaceChanged(view))
        return view

    @property
    def environ(self) -> Mapping[str, str]:
        """The daemon's own environment, which may hold secrets."""
        return self._environ

    def which(self, program: str) -> str | None:
        """Find a program on the daemon's PATH."""
        return shutil.which(program, path=self._environ.get("PATH"))

    def facade(self, actor: str, generation_id: str | None = None) -> Facade:
        """Return the verbs, bound to who asks."""
        return Facade(self, actor, generation_id)

    def on_shutdown_request(self, callback: Callable[[], None]) -> None:
        """Call this when a client asks the daemon to stop."""
        self._on_shutdown_request = callback

    def request_shutdown(self) -> None:
        """Refuse new work at once and pass the wish on to the process that runs this engine."""
        self.announce_stop()
        self._on_shutdown_request()

    @property
    def waiting_for(self) -> tuple[str, ...]:
        """What a shutdown still waits for, in words."""
        return self._lifecycle.waiting_for if self.is_stopping else ()

    def announce_stop(self) -> None:
        """Refuse new work and tell every viewer; safe to call again."""
        if self.is_stopping:
            return
        self.is_stopping = True
        self.stop_deadline_at = self.clock.now() + round(self.settings.shutdown_deadline_s * 1000)
        self.bus.publish(DaemonChanged(self.daemon_view()))
        self.bus.close("the daemon is shutting down")

    def daemon_view(self) -> DaemonView:
        """Return the daemon as clients see it."""
        measurer = getattr(self, "measurer", None)
        return DaemonView(
            start_id=self.start_id,
            version=__version__,
            pid=os.getpid(),
            data_dir=str(self.data_dir),
            started_at=self.started_at,
            orphans=len(measurer.orphans) if measurer else 0,
            viewers=self.bus.viewers,
            cpu_percent=round(measurer.cpu_percent, 1) if measurer else 0.0,
            rss_bytes=measurer.rss_bytes if measurer else 0,
            is_stopping=self.is_stopping,
            waiting_for=self.waiting_for,
            stop_deadline_at=self.stop_deadline_at,
        )

    def _state(self) -> EngineState:
        return EngineState(
            daemon=self.daemon_view(),
            workspaces=tuple(self.workspaces[key] for key in sorted(self.workspaces)),
            bundles=self.supervisor.views(),
            runs=self.recorder.view(),
            transitions=self.journal.recent,
        )
