"""`BundleScreen`: one bundle over the whole screen, live."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual import work
from textual.getters import query_one
from textual.widget import Widget

from roost.contract import ACTIONS, ActionScope, EngineAPI
from roost.errors import DaemonUnreachable, RoostError
from roost.models import (
    BundleDetail,
    BundleKind,
    BundleView,
    FigureSample,
    InstalledVersion,
    SnapshotDetail,
)
from roost_tui import bundle_page, row_text
from roost_tui.actions import KeyAction, Place
from roost_tui.bundle_page import Page, Presence
from roost_tui.dashboard import Dashboard
from roost_tui.notes import RowKey
from roost_tui.overlay import Overlay, entries_for
from roost_tui.rereading import Rereading
from roost_tui.selection import Selection
from roost_tui.snapshot_feed import SnapshotFeed
from roost_tui.spans import Tone
from roost_tui.usefulness import TOOL_KINDS, fits
from roost_tui.widgets.lines_view import LinesView
from roost_tui.widgets.panel_title import PanelTitle

if TYPE_CHECKING:
    from roost_tui.worker_tasks import WorkerTasks

FIGURES_EVERY_S = 4.0
"""How often the figures are read again; the daemon takes them every two seconds or more."""

_ON_DASHBOARD = frozenset({"bundle.logs", "bundle.previous_logs", "run.list", "snapshot.show"})
"""Actions that show something on the dashboard."""


def entries_here(entries: Sequence[KeyAction]) -> tuple[KeyAction, ...]:
    """Return the entries of the table that this screen has, as entries of its one panel."""
    return entries_for(entries, (Place.BUNDLE,), frozenset({"bundle.logs"}))


class BundleScreen(Overlay, inherit_bindings=False):
    """Everything about one bundle.

    It reads by itself what goes beyond a row.

    Args:
        dashboard: where the picture comes from.
        engine: the engine, or None while there is no connection.
        bundle: the bundle as it is now.
    """

    AUTO_FOCUS = f"#{Place.BUNDLE}"
    main_place = Place.BUNDLE

    page_view = query_one(f"#{Place.BUNDLE}", LinesView)

    def __init__(
        self, dashboard: Dashboard, engine: Callable[[], EngineAPI | None], bundle: BundleView
    ) -> None:
        super().__init__(dashboard, engine, entries_here(dashboard.entries), id="bundle-screen")
        self._bundle = bundle
        self._detail: BundleDetail | None = None
        self._samples: tuple[FigureSample, ...] = ()
        self._versions: tuple[InstalledVersion, ...] = ()
        self._problem = ""
        self._read_for: object = None
        self._is_reading = False
        self._snapshot = SnapshotFeed(engine, self.show)
        self._work: Rereading[RowKey, WorkerTasks] = Rereading(
            "read tasks", engine, self._read_tasks, self.show
        )

    @property
    def key(self) -> RowKey:
        """Workspace and name of the bundle."""
        return self._bundle.workspace, self._bundle.name

    @property
    def page(self) -> Page:
        """What is shown."""
        state = self._dashboard.shown
        known = self._snapshot.known_of(self.key)
        moves = row_text.transitions(
            Selection(bundle=self._bundle), self._detail, state.transitions
        )
        return Page(
            self._bundle,
            self._detail,
            self._samples,
            moves,
            self._dashboard.notes.get(self.key),
            self._presence,
            self._problem,
            self._versions,
            known.view if isinstance(known, SnapshotDetail) else None,
            self._work.known_of(self.key),
        )

    @property
    def _presence(self) -> Presence:
        if self._dashboard.shown.has_seen_engine and self.key not in self._dashboard.shown.bundles:
            return Presence.REMOVED
        is_reading = self._detail is None and not self._problem
        return Presence.READING if is_reading else Presence.KNOWN

    @property
    def selection(self) -> Selection:
        return Selection(bundle=self._bundle)

    @property
    def workspace_shown(self) -> str:
        return self._bundle.workspace

    def compose_panels(self) -> Iterable[Widget]:
        yield PanelTitle("bundle-title", self._dashboard.glyphs)
        yield LinesView(self.entries, Place.BUNDLE, self._dashboard.glyphs)

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(FIGURES_EVERY_S, self._read_figures_again, name="figures")

    # Showing

    def show_panels(self) -> None:
        self._bundle = self._dashboard.shown.bundles.get(self.key, self._bundle)
        self._show_title()
        self._show_page()
        self._read_what_is_new()
        if self._presence is not Presence.REMOVED:
            self._snapshot.follow(self, self.key, self._dashboard.shown)
            self._follow_tasks()

    def _show_title(self) -> None:
        title = self.query_one("#bundle-title", PanelTitle)
        title.tabs, title.active, title.is_focused = ((Place.BUNDLE, "Bundle"),), Place.BUNDLE, True
        title.remark = ((self._bundle.workspace, Tone.MUTED),)

    def _show_page(self) -> None:
        dashboard = self._dashboard
        build = partial(
            bundle_page.lines, self.page, now=dashboard.rows_at, glyphs=dashboard.glyphs
        )
        self.page_view.show(build, about=self.key)

    # Reading

    def _follow_tasks(self) -> None:
        """Read what a worker offers, and again whenever tasks or schedules have changed."""
        state = self._dashboard.shown
        if self._bundle.kind is not BundleKind.WORKER or not state.link.is_live:
            self._work.rest()
        else:
            known = self._work.known_of(self.key)
            ended = known.statuses(state.runs) if known is not None else ()
            self._work.follow(self, self.key, (state.task_mark(self.key[0]), ended))

    async def _read_tasks(self, engine: EngineAPI, key: RowKey) -> WorkerTasks:
        from roost_tui.worker_tasks import read  # loaded when a worker is first shown

        return await read(engine, key, self._dashboard.shown.runs)

    def _version(self) -> object:
        """Return what makes the generations and the settings that were read outdated."""
        bundle = self._bundle
        candidate = bundle.candidate.id if bundle.candidate else None
        process = (bundle.state, bundle.generation, candidate, bundle.stale)
        return process, bundle.credential_revision, bundle.version

    def _read_what_is_new(self) -> None:
        if not self._dashboard.state.link.is_live:
            self._read_for = None
        elif self._read_for != self._version() and self._presence is not Presence.REMOVED:
            self._read()

    def _read_figures_again(self) -> None:
        if self._dashboard.state.link.is_live and self._presence is Presence.KNOWN:
            self._read(is_detail_known=True)

    def _read(self, *, is_detail_known: bool = False) -> None:
        # One question at a time: a bundle that changes fast must not keep its answers from coming.
        if self._is_reading:
            return
        self._is_reading = True
        if not is_detail_known:
            self._read_for = self._version()
        self._read_once(is_detail_known)

    @work(group="bundle", name="read bundle")
    async def _read_once(self, is_detail_known: bool) -> None:
        """Read what goes beyond the row; what was known stays where that fails."""
        try:
            await self._ask(is_detail_known)
        except DaemonUnreachable:
            pass  # the banner says so, and it is read again once there is a connection
        except RoostError as error:
            self._problem = error.message
        finally:
            self._is_reading = False
        if self.is_attached:
            self.show()

    async def _ask(self, is_detail_known: bool) -> None:
        engine = self._engine()
        if engine is None:
            return
        if not is_detail_known:
            self._detail = await engine.bundle(*self.key)
            self._versions = await engine.versions(*self.key)
        self._samples = await engine.figures_history(*self.key)
        self._problem = ""

    # Actions

    def do(self, action_id: str) -> bool:
        if action_id in _ON_DASHBOARD:
            self.dismiss(action_id)
        elif action_id == "screen.copy":
            self.copy(self.page_view.text, f"everything about {self._bundle.name}")
        else:
            return False
        return True

    def can_perform(self, action_id: str) -> bool:
        if not super().can_perform(action_id):
            return False
        if action_id == "bundle.call":
            return self._bundle.kind in TOOL_KINDS and self._is_there
        known = ACTIONS.get(action_id)
        is_of_bundle = action_id.startswith(("bundle.", "snapshot.")) or action_id == "run.list"
        if known is not None and known.scope is not ActionScope.BUNDLE:
            is_of_bundle = action_id == "run.list"
        return self._is_there or not is_of_bundle

    @property
    def _is_there(self) -> bool:
        return self._presence is not Presence.REMOVED

    def is_useful(self, action_id: str) -> bool:
        return fits(action_id, self._bundle)
