"""`Engine`: everything a daemon does, apart from being a process and answering on a socket."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

from roost import __version__
from roost.bundles import BundleFolders
from roost.clock import Clock
from roost.drivers import LocalDriver, Watchdog
from roost.engine.calls import SupervisedCaller
from roost.engine.facade import Facade
from roost.engine.journal import StoredTransitions
from roost.engine.measure import Measurer
from roost.engine.recipes import BundleRecipes
from roost.errors import RoostError
from roost.events import EventBus
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
    """Builds its parts, starts them in order and stops them in reverse.

    Use it as ``async with``. Leaving it settles the runs, stops every bundle and closes the store.

    Args:
        settings: read once by the caller.
        environ: the daemon's environment; children get its allow-listed part.
        clock: source of time.
    """

    def __init__(self, settings: DaemonSettings, environ: Mapping[str, str], clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.start_id = secrets.token_hex(6)
        self.bus = EventBus(self.start_id, self._state)
        self._on_shutdown_request: Callable[[], None] = lambda: None
        self.started_at = clock.now()
        self.is_stopping = False
        self.workspaces: dict[str, WorkspaceView] = {}
        self._environ = dict(environ)
        self._stack = AsyncExitStack()
        self._verbs: set[asyncio.Task[Any]] = set()
        self._closing_part = ""
        data_dir = self.data_dir = Path(settings.data_dir)
        self.logs = LogFiles(
            data_dir / "logs", max_bytes=settings.log_file_bytes, keep=settings.log_files_kept
        )
        self.recipes = BundleRecipes(data_dir, environ)
        self.store: Store
        self.journal: StoredTransitions
        self.vault: Vault
        self.supervisor: Supervisor
        self.recorder: RunRecorder
        self.calls: ToolCalls

    async def __aenter__(self) -> Self:
        """Start every part in order; a failing one undoes those before it."""
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Settle runs, stop bundles, flush and close, whatever fails on the way."""
        self.announce_stop()
        await self._stack.aclose()

    async def _start(self) -> None:
        self.store = await open_store(self.data_dir)
        self._stack.push_async_callback(self._close_part, "store", self.store.close)
        self.journal = StoredTransitions(self.store.transitions)
        await self.journal.open()
        self._stack.push_async_callback(self._close_part, "transition journal", self.journal.close)
        given = self.settings.vault_key
        key = load_key(self.data_dir / "keys", given.get_secret_value() if given else None)
        self.vault = Vault(self.store.credentials, key, self.clock)
        self._driver = await self._open_driver()
        self._build_supervisor(self._driver)
        await self._build_runs()
        self.workspaces = {view.id: view for view in await self.store.workspaces.list()}
        await asyncio.to_thread(BundleFolders(self.data_dir / "bundles").remove_partials)
        for row in await self.store.bundles.list():
            await self.supervisor.load(row)
        self._stack.push_async_callback(self._close_part, "verbs under way", self._close_verbs)
        self._stack.push_async_callback(self._close_part, "bundles", self.supervisor.close)
        self._stack.push_async_callback(self._close_part, "runs", self._close_runs)
        self._stack.push_async_callback(self._close_part, "log followers", self._close_logs)
        self._start_measuring()
        self.supervisor.start_all()

    async def _open_driver(self) -> LocalDriver:
        driver = LocalDriver(self.store.data_id, watchdog=Watchdog(self.store.data_id))
        await driver.open()
        self._stack.push_async_callback(self._close_part, "driver", driver.close)
        await self._sweep(driver)
        return driver

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

    def _build_supervisor(self, driver: LocalDriver) -> None:
        starter = Starter(
            driver=driver,
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
        self.calls = ToolCalls(
            self.recorder,
            SupervisedCaller(self.supervisor),
            clock=self.clock,
            settings=lambda ws, name: self.supervisor.slot(ws, name).definition.settings,
        )
        swept = await self.recorder.boot_sweep()
        if swept:
            logger.warning("settled %d runs of an earlier daemon", swept)
        await self.recorder.load_recent()

    async def _close_runs(self) -> None:
        await self.calls.close(RUN_CLOSE_GRACE_S)
        await self.recorder.close()

    def _start_measuring(self) -> None:
        self.measurer = Measurer(
            self.supervisor,
            orphans=self._driver.orphans,
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

        self._stack.push_async_callback(self._close_part, "measurer", stop)

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

    async def _close_logs(self) -> None:
        self.logs.close()

    async def _close_part(self, part: str, close: Callable[[], Awaitable[None]]) -> None:
        """Close one part; its failure must not keep the others from closing."""
        self._closing_part = part
        try:
            await close()
        except Exception:
            logger.exception("closing the %s failed", part)

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
        return self.supervisor.busy or ((self._closing_part,) if self._closing_part else ())

    def announce_stop(self) -> None:
        """Refuse new work and tell every viewer; safe to call again."""
        if self.is_stopping:
            return
        self.is_stopping = True
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
            waiting_for=self.waiting_for if self.is_stopping else (),
        )

    def _state(self) -> EngineState:
        return EngineState(
            daemon=self.daemon_view(),
            workspaces=tuple(self.workspaces[key] for key in sorted(self.workspaces)),
            bundles=self.supervisor.views(),
            runs=self.recorder.view(),
            transitions=self.journal.recent,
        )
