"""`Engine`: everything a daemon does, apart from being a process and answering on a socket."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from roost import __version__
from roost.bundles import BundleFolders
from roost.clock import Clock
from roost.drivers import LocalDriver, Watchdog
from roost.engine.calls import SupervisedCaller
from roost.engine.checkup import Checkup
from roost.engine.facade import Facade
from roost.engine.journal import StoredTransitions
from roost.engine.measure import Measurer
from roost.engine.recipes import BundleRecipes
from roost.errors import RoostError
from roost.events import EventBus
from roost.lifecycle import Lifecycle
from roost.models import (
    ChangeBody,
    DaemonChanged,
    DaemonView,
    EngineState,
    RunChanged,
    WorkspaceChanged,
    WorkspaceView,
)
from roost.runs import RunRecorder, ToolCalls
from roost.settings.daemon_settings import DaemonSettings
from roost.store import open_store
from roost.store.base import Store
from roost.supervision import LogFiles, Starter, Supervisor
from roost.vault import Vault, load_key

logger = logging.getLogger(__name__)

T = TypeVar("T")

RUN_SWEEP_INTERVAL_S = 15.0
"""How often ends of runs that the store did not take are offered again."""

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
        self.store: Store
        self.journal: StoredTransitions
        self.vault: Vault
        self.supervisor: Supervisor
        self.recorder: RunRecorder
        self.calls: ToolCalls

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
            "bundles",
            did_load=self._load_bundles,
            server_did_ready=self._start_bundles,
            before_close=self._close_bundles,
            waiting_for=self._bundles_waited_for,
        )
        add("runs", did_load=self._build_calls, before_close=self._close_calls)
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

    def _open_vault(self) -> None:
        given = self.settings.vault_key
        key = load_key(self.data_dir / "keys", given.get_secret_value() if given else None)
        self.vault = Vault(self.store.credentials, key, self.clock)

    async def _open_driver(self) -> None:
        self.driver = LocalDriver(self.store.data_id, watchdog=Watchdog(self.store.data_id))
        await self.driver.open()
        await self._sweep(self.driver)

    async def _close_driver(self) -> None:
        await self.driver.close()

    async def _load_bundles(self) -> None:
        self.workspaces = {view.id: view for view in await self.store.workspaces.list()}
        await asyncio.to_thread(BundleFolders(self.data_dir / "bundles").remove_partials)
        for row in await self.store.bundles.list():
            await self.supervisor.load(row)

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
            for generation in left:
                await self.store.generations.set_ended(
                    generation.id, self.clock.now(), "ended with its daemon"
                )
        except (RoostError, OSError):
            logger.exception("the boot sweep failed; orphans may be left")

    def _build_supervisor(self) -> None:
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
        )
        self.supervisor = Supervisor(
            starter=starter,
            store=self.store,
            recipes=self.recipes,
            journal=self.journal,
            publish=self.publish,
            clock=self.clock,
        )

    async def _build_runs(self) -> None:
        self.recorder = RunRecorder(
            self.store.runs,
            owner=self.start_id,
            clock=self.clock,
            publish=self.publish,
            redact=self.supervisor.scrub,
            endings_dir=self.data_dir / "endings",
        )
        swept = await self.recorder.boot_sweep()
        if swept:
            logger.warning("settled %d runs of an earlier daemon", swept)
        await self.recorder.load_recent()

    def _build_calls(self) -> None:
        self.calls = ToolCalls(
            self.recorder,
            SupervisedCaller(self.supervisor),
            clock=self.clock,
            settings=lambda ws, name: self.supervisor.slot(ws, name).definition.settings,
        )

    async def _close_calls(self) -> None:
        await self.calls.close(RUN_CLOSE_GRACE_S)

    async def _close_recorder(self) -> None:
        await self.recorder.close()

    def _start_measuring(self) -> None:
        self.measurer = Measurer(
            self.supervisor,
            measure=self.driver.measure,
            publish=self.publish,
            clock=self.clock,
            interval_s=self.settings.figures_interval_s,
        )
        tasks = [
            asyncio.create_task(self.measurer.run(), name="measurer"),
            asyncio.create_task(self._show_daemon(), name="daemon-view"),
            asyncio.create_task(self._sweep_runs(), name="run-sweep"),
        ]

        async def stop() -> None:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task

        self._lifecycle.on_close(stop)

    async def _show_daemon(self) -> None:
        shown: DaemonView | None = None
        while True:
            view = self.daemon_view()
            if view != shown:
                shown = view
                self.bus.publish(DaemonChanged(view))
            await self.clock.sleep(self.settings.figures_interval_s)

    async def _sweep_runs(self) -> None:
        while True:
            await self.clock.sleep(RUN_SWEEP_INTERVAL_S)
            await self.recorder.sweep()

    # What the facade and the daemon use ----------------------------------------------------------

    def publish(self, body: ChangeBody) -> None:
        """Publish a change; a run's change is also shown on its bundle."""
        self.bus.publish(body)
        if isinstance(body, RunChanged) and body.run.bundle is not None:
            run = body.run
            count = self.recorder.active_count(run.workspace, body.run.bundle)
            self.supervisor.set_active_runs(run.workspace, body.run.bundle, count)

    async def whole(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a verb of several writes to its end, even when its caller goes away."""
        task = asyncio.create_task(work)
        self._verbs.add(task)
        task.add_done_callback(self._verbs.discard)
        return await asyncio.shield(task)

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

    def which(self, program: str) -> str | None:
        """Find a program on the daemon's PATH."""
        return shutil.which(program, path=self._environ.get("PATH"))

    def facade(self, actor: str) -> Facade:
        """Return the verbs, bound to who asks."""
        return Facade(self, actor)

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
