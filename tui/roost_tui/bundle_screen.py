"""`BundleScreen`: one bundle over the whole screen, live."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from textual import work
from textual.app import ComposeResult
from textual.getters import query_one
from textual.screen import Screen

from roost.contract import EngineAPI
from roost.errors import DaemonUnreachable, RoostError
from roost.models import BundleDetail, BundleView, FigureSample
from roost_tui import bundle_page, row_text
from roost_tui.actions import KeyAction, Place, footer_entries, key_sections, key_text
from roost_tui.bundle_page import Page, Presence
from roost_tui.dashboard import Dashboard
from roost_tui.notes import RowKey
from roost_tui.resizing import SteadySize
from roost_tui.selection import Selection
from roost_tui.spans import Tone
from roost_tui.state import LinkPhase
from roost_tui.usefulness import TOOL_KINDS, fits
from roost_tui.widgets.banner import Banner
from roost_tui.widgets.header_bar import HeaderBar
from roost_tui.widgets.key_footer import KeyFooter
from roost_tui.widgets.lines_view import LinesView
from roost_tui.widgets.panel_title import PanelTitle
from roost_tui.widgets.tones import Swatch

FIGURES_EVERY_S = 4.0
"""How often the figures are read again; the daemon takes them every two seconds or more."""

_COMMON = frozenset(
    {
        "screen.back",
        "screen.dashboard",
        "screen.help",
        "screen.palette",
        "screen.copy",
        "screen.pause",
        "screen.messages",
        "screen.detach",
        "link.retry",
        "bundle.logs",
        "daemon.doctor",
        "daemon.stop",
    }
)
"""Actions of every panel that this screen has, too."""

_ON_DASHBOARD = frozenset({"bundle.logs", "bundle.previous_logs", "run.list"})
"""Actions that show something on the dashboard."""


def entries_here(entries: Sequence[KeyAction]) -> tuple[KeyAction, ...]:
    """Return the entries of the table that this screen has, as entries of its one panel."""
    return tuple(
        replace(entry, places=(Place.BUNDLE,))
        for entry in entries
        if Place.BUNDLE in entry.places or entry.id in _COMMON
    )


class BundleScreen(SteadySize, Screen[str | None], inherit_bindings=False):
    """Everything about one bundle.

    It shows the dashboard's picture, so that a pause and a lost connection mean the same on both,
    and reads by itself what goes beyond a row. It is answered with the action that the dashboard
    is to go on with.

    Args:
        dashboard: where the picture comes from.
        engine: the engine, or None while there is no connection.
        bundle: the bundle as it is now.
    """

    AUTO_FOCUS = f"#{Place.BUNDLE}"
    DEFAULT_CSS = "BundleScreen { background: $background; }"

    page_view = query_one(f"#{Place.BUNDLE}", LinesView)

    def __init__(
        self, dashboard: Dashboard, engine: Callable[[], EngineAPI | None], bundle: BundleView
    ) -> None:
        super().__init__(id="bundle-screen")
        self.entries = entries_here(dashboard.entries)
        self._dashboard = dashboard
        self._engine = engine
        self._bundle = bundle
        self._detail: BundleDetail | None = None
        self._samples: tuple[FigureSample, ...] = ()
        self._problem = ""
        self._read_for: object = None
        self._is_reading = False

    @property
    def key(self) -> RowKey:
        """Workspace and name of the bundle."""
        return self._bundle.workspace, self._bundle.name

    @property
    def page(self) -> Page:
        """What is shown."""
        state = self._dashboard.shown
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
        )

    @property
    def _presence(self) -> Presence:
        if self._dashboard.shown.has_seen_engine and self.key not in self._dashboard.shown.bundles:
            return Presence.REMOVED
        is_reading = self._detail is None and not self._problem
        return Presence.READING if is_reading else Presence.KNOWN

    def compose(self) -> ComposeResult:
        dashboard = self._dashboard
        yield Swatch(id=Swatch.FRAME)
        yield Swatch(id=Swatch.PANELS)
        yield HeaderBar(dashboard.glyphs)
        keys = self._key_of("link.retry"), self._key_of("screen.detach")
        yield Banner(dashboard.glyphs, keys=keys, is_read_only=dashboard.is_read_only)
        yield PanelTitle("bundle-title", dashboard.glyphs)
        yield LinesView(self.entries, Place.BUNDLE, dashboard.glyphs)
        yield KeyFooter()

    def on_mount(self) -> None:
        for name in ("shown", "state", "now", "notes", "is_paused"):
            self.watch(self._dashboard, name, self.show, init=False)
        self.set_interval(FIGURES_EVERY_S, self._read_figures_again, name="figures")
        self.show()

    def _key_of(self, action_id: str) -> str:
        return next((key_text(entry.keys) for entry in self.entries if entry.id == action_id), "")

    # Showing

    def show(self) -> None:
        """Bring everything up to date with the dashboard's picture."""
        if not self.query(LinesView):
            return  # it was left before it was laid out
        dashboard = self._dashboard
        self._bundle = dashboard.shown.bundles.get(self.key, self._bundle)
        state = dashboard.state
        self.set_class(state.has_seen_engine and not state.link.is_live, "-greyed")
        header = self.query_one(HeaderBar)
        header.state, header.workspace = dashboard.shown, self._bundle.workspace
        header.now, header.marks = dashboard.now, dashboard.marks
        banner = self.query_one(Banner)
        banner.now, banner.state = dashboard.now, state
        self._show_title()
        self._show_page()
        self.query_one(KeyFooter).entries = self.footer()
        self._read_what_is_new()

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

    def _version(self) -> object:
        """Return what makes the generations and the settings that were read outdated."""
        bundle = self._bundle
        candidate = bundle.candidate.id if bundle.candidate else None
        return bundle.state, bundle.generation, candidate, bundle.credential_revision, bundle.stale

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
        self._samples = await engine.figures_history(*self.key)
        self._problem = ""

    # Actions

    def action_perform(self, action_id: str) -> None:
        """Do what an action of the table says, to this bundle."""
        if not self.can_perform(action_id):
            return
        if action_id in ("screen.back", "screen.dashboard"):
            self.dismiss(None)
        elif action_id in _ON_DASHBOARD:
            self.dismiss(action_id)
        elif action_id == "screen.help":
            self._help()
        elif action_id == "screen.copy":
            self._copy()
        elif action_id.startswith(("screen.", "link.")):
            self._dashboard.action_perform(action_id)
            self.show()
        else:
            selection = Selection(bundle=self._bundle)
            self.post_message(Dashboard.OperationRequested(action_id, selection))

    def can_perform(self, action_id: str) -> bool:
        """Say whether an action has something to act on."""
        phase = self._dashboard.state.link.phase
        match action_id:
            case "link.retry":
                return phase in (LinkPhase.LOST, LinkPhase.STOPPED)
            case "daemon.stop":
                return phase is LinkPhase.LIVE
            case "bundle.call":
                return self._bundle.kind in TOOL_KINDS and self._is_there
        is_of_bundle = action_id.startswith("bundle.") or action_id == "run.list"
        return self._is_there or not is_of_bundle

    @property
    def _is_there(self) -> bool:
        return self._presence is not Presence.REMOVED

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action != "perform":
            return True
        return self.can_perform(str(parameters[0]))

    def performable(self) -> tuple[KeyAction, ...]:
        """Return the actions that the palette offers now."""
        return tuple(
            entry for entry in self.entries if entry.in_palette and self.can_perform(entry.id)
        )

    def footer(self) -> tuple[KeyAction, ...]:
        """Return the keys to show."""
        is_live = self._dashboard.state.link.is_live
        useful = [
            entry
            for entry in self.entries
            if self.can_perform(entry.id)
            and fits(entry.id, self._bundle)
            and (is_live or not entry.risk)
        ]
        return footer_entries(useful, Place.BUNDLE)

    def _help(self) -> None:
        from roost_tui.modals import HelpModal  # modals load when they are first opened

        entries = [entry for entry in self.entries if entry.keys and self.can_perform(entry.id)]
        self.app.push_screen(HelpModal(key_sections(entries)))

    def _copy(self) -> None:
        self.app.copy_to_clipboard(self.page_view.text)
        self.notify(f"Copied everything about {self._bundle.name}", markup=False)
