"""`Overlay`: what the screens over the dashboard share: its picture, its frame and its keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget

from roost.contract import EngineAPI
from roost_tui.actions import KeyAction, Place, footer_entries, key_sections, key_text
from roost_tui.dashboard import Dashboard
from roost_tui.resizing import SteadySize
from roost_tui.selection import Selection
from roost_tui.state import LinkPhase
from roost_tui.widgets.banner import Banner
from roost_tui.widgets.header_bar import HeaderBar
from roost_tui.widgets.key_footer import KeyFooter
from roost_tui.widgets.tones import Swatch

COMMON = frozenset(
    {
        "screen.back",
        "screen.dashboard",
        "screen.help",
        "screen.palette",
        "screen.copy",
        "screen.pause",
        "screen.messages",
        "screen.detach",
        "screen.runs",
        "screen.snapshots",
        "link.retry",
        "daemon.doctor",
        "daemon.stop",
        "bundle.add",
        "bundle.import",
        "run.exec",
        "vault.show",
        "vault.rotate",
    }
)
"""Actions of every panel that these screens have, too."""

_LEAVING = ("screen.back", "screen.dashboard", "screen.runs", "screen.snapshots")
"""Actions that lead away from here: back, or on to what the dashboard opens."""

NOT_CONNECTED = (LinkPhase.LOST, LinkPhase.STOPPED)


def entries_for(
    entries: Sequence[KeyAction], places: tuple[Place, ...], more: frozenset[str] = frozenset()
) -> tuple[KeyAction, ...]:
    """Return the entries of the table that a screen has, as entries of its panels.

    Args:
        entries: the table.
        places: the panels; entries of the first one are those of the screen.
        more: further actions it has.
    """
    return tuple(
        replace(entry, places=places)
        for entry in entries
        if places[0] in entry.places or entry.id in COMMON or entry.id in more
    )


def without_link_key(entries: tuple[KeyAction, ...]) -> tuple[KeyAction, ...]:
    """Leave out the key that connects again where it is the one that retries a run."""
    keys = {key for entry in entries if entry.id == "run.retry" for key in entry.keys.split(",")}
    return tuple(
        replace(entry, keys="")
        if entry.id == "link.retry" and keys & set(entry.keys.split(","))
        else entry
        for entry in entries
    )


class Overlay(SteadySize, Screen[str | None], inherit_bindings=False):
    """Shows the dashboard's picture, so that a pause and a lost connection mean the same on both.

    It is answered with the action that the dashboard is to go on with.

    Args:
        dashboard: where the picture comes from.
        engine: the engine, or None while there is no connection.
        entries: the entries of the table that it has.
        id: of the screen.
    """

    DEFAULT_CSS = "Overlay { background: $background; }"

    main_place: ClassVar[Place]
    """The panel that its footer is for."""

    def __init__(
        self,
        dashboard: Dashboard,
        engine: Callable[[], EngineAPI | None],
        entries: tuple[KeyAction, ...],
        *,
        id: str,
    ) -> None:
        super().__init__(id=id)
        self.entries = entries
        self._dashboard = dashboard
        self._engine = engine

    @property
    def selection(self) -> Selection:
        """What actions act on."""
        raise NotImplementedError

    @property
    def workspace_shown(self) -> str | None:
        """The workspace that the header counts over; None counts over all."""
        raise NotImplementedError

    def compose_panels(self) -> Iterable[Widget]:
        """Yield what stands between the banner and the footer."""
        raise NotImplementedError

    def show_panels(self) -> None:
        """Bring the panels up to date with the dashboard's picture."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        dashboard = self._dashboard
        yield Swatch(id=Swatch.FRAME)
        yield Swatch(id=Swatch.PANELS)
        yield HeaderBar(dashboard.glyphs)
        keys = self._key_of("link.retry"), self._key_of("screen.detach")
        yield Banner(dashboard.glyphs, keys=keys, is_read_only=dashboard.is_read_only)
        yield from self.compose_panels()
        yield KeyFooter()

    def on_mount(self) -> None:
        for name in ("shown", "state", "now", "notes", "is_paused", "is_faults_only", "workspace"):
            self.watch(self._dashboard, name, self.show, init=False)
        self.show()

    def _key_of(self, action_id: str) -> str:
        known = self._dashboard.entries
        return next((key_text(entry.keys) for entry in known if entry.id == action_id), "")

    def show(self) -> None:
        """Bring everything up to date with the dashboard's picture."""
        if not self.query(KeyFooter):
            return  # it was left before it was laid out
        dashboard, state = self._dashboard, self._dashboard.state
        self.set_class(state.has_seen_engine and not state.link.is_live, "-greyed")
        self.show_panels()
        header = self.query_one(HeaderBar)
        header.state, header.workspace = dashboard.shown, self.workspace_shown
        header.now, header.marks = dashboard.now, dashboard.marks
        banner = self.query_one(Banner)
        banner.now, banner.state = dashboard.now, state
        self.query_one(KeyFooter).entries = self.footer()

    # Actions

    def action_perform(self, action_id: str) -> None:
        """Do what an action of the table says."""
        if not self.can_perform(action_id):
            return
        if not self.do(action_id):
            self._do_for_all(action_id)
        if self.is_current:
            self.show()

    def do(self, action_id: str) -> bool:
        """Do what this screen does itself; false for what is done alike on all of them."""
        raise NotImplementedError

    def _do_for_all(self, action_id: str) -> None:
        if action_id in _LEAVING:
            self.dismiss(None if action_id == "screen.back" else action_id)
        elif action_id == "screen.help":
            self._help()
        elif action_id.startswith(("screen.", "link.")):
            self._dashboard.action_perform(action_id)
        else:
            self.post_message(Dashboard.OperationRequested(action_id, self.selection))

    def can_perform(self, action_id: str) -> bool:
        """Say whether an action has something to act on."""
        phase = self._dashboard.state.link.phase
        match action_id:
            case "link.retry":
                return phase in NOT_CONNECTED
            case "daemon.stop":
                return phase is LinkPhase.LIVE
        return True

    def is_useful(self, action_id: str) -> bool:
        """Say whether the footer should offer an action that can be done."""
        raise NotImplementedError

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
            and self.is_useful(entry.id)
            and (is_live or not entry.risk)
        ]
        return footer_entries(useful, self.main_place)

    def _help(self) -> None:
        from roost_tui.modals import HelpModal  # modals load when they are first opened

        entries = [entry for entry in self.entries if entry.keys and self.can_perform(entry.id)]
        self.app.push_screen(HelpModal(key_sections(entries)))

    def copy(self, text: str, what: str) -> None:
        """Put a text on the clipboard and say what it is."""
        self.app.copy_to_clipboard(text)
        self.notify(f"Copied {what}", markup=False)
