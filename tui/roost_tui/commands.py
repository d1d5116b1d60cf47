"""`Commands`: what each action of the table does on the dashboard, and when it can be done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from textual.message import Message

from roost.contract import ACTIONS, ActionScope
from roost_tui import first_run_text
from roost_tui.actions import (
    BOTTOM,
    EVERYWHERE,
    FILTERED,
    TABLES,
    KeyAction,
    Place,
    key_sections,
    key_text,
)
from roost_tui.row_model import sorted_by_next
from roost_tui.state import LinkPhase
from roost_tui.usefulness import TOOL_KINDS, fits, run_fits

if TYPE_CHECKING:
    from roost_tui.dashboard import Dashboard

Item = TypeVar("Item")

_OF_BUNDLE = ("screen.bundle", "bundle.previous_logs", "run.list")
"""Actions of the screen alone that need a bundle."""


class Commands:
    """Does screen actions itself and asks the app for those that reach the engine."""

    def __init__(self, dashboard: Dashboard) -> None:
        self._dashboard = dashboard
        self._handlers: dict[str, Callable[[], None]] = {
            "screen.open": self._open,
            "screen.bundle": self._open_bundle,
            "screen.back": self._back,
            "screen.next_panel": lambda: self._step_panel(1),
            "screen.previous_panel": lambda: self._step_panel(-1),
            "screen.next_tab": lambda: self._step_tab(1),
            "screen.previous_tab": lambda: self._step_tab(-1),
            "screen.dashboard": self._whole,
            "screen.zoom": self._zoom,
            "screen.help": self._help,
            "screen.palette": lambda: dashboard.app.action_command_palette(),
            "screen.filter": self._filter,
            "screen.next_match": lambda: self._step_match(1),
            "screen.previous_match": lambda: self._step_match(-1),
            "screen.faults": self._faults,
            "screen.sort_left": lambda: self._sort(-1),
            "screen.sort_right": lambda: self._sort(1),
            "screen.sort_order": self._reverse,
            "bundle.logs": self._logs,
            "bundle.previous_logs": self._previous_log,
            "run.list": self._runs_of_bundle,
            "screen.runs": lambda: self._post(dashboard.RunsRequested()),
            "screen.snapshots": lambda: self._post(dashboard.SnapshotsRequested()),
            "snapshot.show": self._snapshot_of_bundle,
            "logs.follow": self._follow,
            "logs.wrap": lambda: dashboard.log_view.toggle_wrap(),
            "logs.stamps": lambda: dashboard.log_view.toggle_stamps(),
            "screen.copy": self._copy,
            "screen.menu": self._menu,
            "screen.workspace": self._pick_workspace,
            "screen.all_workspaces": lambda: self._show_workspace(None),
            "screen.pause": self._pause,
            "screen.messages": lambda: self._post(dashboard.MessagesRequested()),
            "link.retry": lambda: self._post(dashboard.RetryRequested()),
            "screen.detach": lambda: dashboard.app.exit(),
        }

    def perform(self, action_id: str) -> None:
        """Do an action; one that cannot be done now does nothing."""
        if not self.can_perform(action_id):
            return
        handler = self._handlers.get(action_id)
        if handler is not None:
            handler()
            return
        dashboard = self._dashboard
        self._post(dashboard.OperationRequested(action_id, dashboard.selection))

    def can_perform(self, action_id: str) -> bool:
        """Say whether an action has something to act on."""
        dashboard = self._dashboard
        selection = dashboard.selection
        if dashboard.is_first_run and action_id not in first_run_text.OFFERED:
            return False
        match action_id:
            case "link.retry":
                return dashboard.state.link.phase in (LinkPhase.LOST, LinkPhase.STOPPED)
            case "daemon.stop":
                return dashboard.state.link.phase is LinkPhase.LIVE
            case "screen.filter":
                return dashboard.place in FILTERED
            case "screen.sort_left" | "screen.sort_right" | "screen.sort_order":
                return dashboard.place in TABLES
            case "logs.follow" | "logs.wrap" | "logs.stamps":
                return dashboard.visible_bottom is Place.LOGS
            case "screen.next_match" | "screen.previous_match":
                return bool(dashboard.filter_text(dashboard.place))
            case "screen.open" | "screen.menu":
                return selection.key is not None
            case "bundle.logs":
                is_here = dashboard.place is Place.LOGS and not dashboard.log_view.past
                return selection.key is not None and not is_here
            case "screen.copy":
                return bool(self._copied())
            case "screen.zoom":
                return not dashboard.is_cramped
            case "screen.workspace":
                return bool(dashboard.shown.workspaces)
            case "screen.all_workspaces":
                return dashboard.workspace is not None
            case "run.stop":
                return selection.run is not None
            case "run.retry" | "run.replace" | "run.resume":
                return selection.run is not None and run_fits(action_id, selection.run)
            case "screen.mark" | "screen.mark_range" | "screen.stop_shown":
                return False  # they are of the runs screen
            case "bundle.call":
                return selection.bundle is not None and selection.bundle.kind in TOOL_KINDS
        if action_id in _OF_BUNDLE or self._is_of_bundle(action_id):
            return selection.bundle is not None
        return True

    def _is_of_bundle(self, action_id: str) -> bool:
        known = ACTIONS.get(action_id)
        return known is not None and known.scope is ActionScope.BUNDLE

    def is_useful(self, action_id: str) -> bool:
        """Say whether the footer should offer an action that can be done."""
        dashboard = self._dashboard
        selection = dashboard.selection
        known = ACTIONS.get(action_id)
        is_beyond_reach = known is not None and known.risk and not dashboard.state.link.is_live
        if is_beyond_reach or not self.can_perform(action_id):
            return False
        if selection.bundle is not None and not fits(action_id, selection.bundle):
            return False
        if selection.run is not None and not run_fits(action_id, selection.run):
            return False
        if action_id == "screen.back":
            return dashboard.place in BOTTOM or bool(dashboard.filter_text(dashboard.place))
        return True

    def _post(self, message: Message) -> None:
        self._dashboard.post_message(message)

    def _say(self, text: str) -> None:
        self._dashboard.notify(text, markup=False)

    # Moving about

    def _open(self) -> None:
        run = self._dashboard.selection.run
        if run is not None:
            self._post(self._dashboard.RunOpened(run))
        else:
            self._open_bundle()

    def _open_bundle(self) -> None:
        bundle = self._dashboard.selection.bundle
        if bundle is not None:
            self._post(self._dashboard.BundleOpened((bundle.workspace, bundle.name)))

    def _back(self) -> None:
        dashboard = self._dashboard
        if dashboard.filter_text(dashboard.place):
            dashboard.set_filter(dashboard.place, "")
        elif dashboard.is_zoomed:
            dashboard.is_zoomed = False
        elif dashboard.place in BOTTOM:
            dashboard.go_to(dashboard.lead)
        elif dashboard.is_faults_only:
            dashboard.is_faults_only = False

    def _step_panel(self, by: int) -> None:
        dashboard = self._dashboard
        panels = EVERYWHERE if dashboard.is_single else (*TABLES, dashboard.tab)
        dashboard.go_to(_next(panels, dashboard.place, by))

    def _step_tab(self, by: int) -> None:
        dashboard = self._dashboard
        if dashboard.is_single:
            dashboard.go_to(_next(EVERYWHERE, dashboard.place, by))
            return
        tab = _next(BOTTOM, dashboard.tab, by)
        if dashboard.place in BOTTOM:
            dashboard.go_to(tab)
        else:
            dashboard.show_tab(tab)

    def _whole(self) -> None:
        self._dashboard.is_zoomed = False
        self._dashboard.go_to(Place.BUNDLES)

    def _zoom(self) -> None:
        self._dashboard.is_zoomed = not self._dashboard.is_zoomed

    # Finding

    def _filter(self) -> None:
        place = self._dashboard.place
        self._dashboard.filter_bar.open(place, self._dashboard.filter_text(place))

    def _step_match(self, by: int) -> None:
        place = self._dashboard.place
        if place is Place.LOGS:
            self._dashboard.log_view.step(by, wraps=True)
        elif place is Place.BUNDLES:
            self._dashboard.bundle_table.step(by)
        elif place is Place.RUNS:
            self._dashboard.run_table.step(by)

    def _faults(self) -> None:
        self._dashboard.is_faults_only = not self._dashboard.is_faults_only

    def _sort(self, by: int) -> None:
        dashboard = self._dashboard
        place = dashboard.place
        is_runs = place is Place.RUNS
        table = dashboard.run_table if is_runs else dashboard.bundle_table
        titles = (*([""] if is_runs else []), *table.shown_titles())
        dashboard.choices[place] = sorted_by_next(dashboard.choices[place], titles, by)
        dashboard.show_rows()

    def _reverse(self) -> None:
        dashboard = self._dashboard
        choice = dashboard.choices[dashboard.place]
        turned = replace(choice, is_descending=not choice.is_descending)
        dashboard.choices[dashboard.place] = turned
        dashboard.show_rows()

    def _runs_of_bundle(self) -> None:
        bundle = self._dashboard.selection.bundle
        if bundle is not None:
            self._post(self._dashboard.RunsRequested(f"bundle:{bundle.name}", bundle.workspace))

    def _snapshot_of_bundle(self) -> None:
        bundle = self._dashboard.selection.bundle
        if bundle is not None:
            key = bundle.workspace, bundle.name
            self._post(self._dashboard.SnapshotsRequested(key))

    # Logs

    def _follow(self) -> None:
        log = self._dashboard.log_view
        log.follow(not log.is_following)

    def _logs(self) -> None:
        dashboard = self._dashboard
        dashboard.go_to(Place.LOGS)
        if dashboard.log_view.past:
            dashboard.follow_log(dashboard.selection)

    def _previous_log(self) -> None:
        bundle = self._dashboard.selection.bundle
        if bundle is None:
            return
        if bundle.generation is None or bundle.generation.number <= 1:
            self._say(f"{bundle.name} has had no generation before this one.")
            return
        self._dashboard.go_to(Place.LOGS)
        self._dashboard.show_previous_log(bundle)

    # Row and screen

    def _copied(self) -> str:
        dashboard = self._dashboard
        if dashboard.place is Place.LOGS:
            line = dashboard.log_view.cursor_line
            return line.text if line else ""
        if dashboard.place is Place.DETAIL:
            return dashboard.detail_view.text
        if dashboard.place is Place.EVENTS:
            return dashboard.events_view.text
        if dashboard.place is Place.SNAPSHOT:
            return dashboard.snapshot_view.text
        return dashboard.selection.label

    def _copy(self) -> None:
        text = self._copied()
        self._dashboard.app.copy_to_clipboard(text)
        first, _, rest = text.partition("\n")
        self._say(f"Copied {first.strip()}{' and what follows' if rest else ''}")

    def _menu(self) -> None:
        from roost_tui.modals import ActionMenu  # modals load after the first paint

        dashboard = self._dashboard
        group = "Bundle" if dashboard.lead is Place.BUNDLES else "Run"
        entries = [
            (entry.id, key_text(entry.keys), entry.label)
            for entry in dashboard.entries
            if _is_on_menu(entry, group, dashboard.lead) and self.is_useful(entry.id)
        ]
        dashboard.app.push_screen(ActionMenu(dashboard.selection.label, entries), self._chosen)

    def _chosen(self, action_id: str | None) -> None:
        if action_id is not None:
            self.perform(action_id)

    def _help(self) -> None:
        from roost_tui.modals import HelpModal  # modals load after the first paint

        entries = [
            entry
            for entry in self._dashboard.entries
            if entry.keys and self._dashboard.place in entry.places and self.can_perform(entry.id)
        ]
        self._dashboard.app.push_screen(HelpModal(key_sections(entries)))

    def _pick_workspace(self) -> None:
        from roost_tui.modals import PickerModal  # modals load after the first paint

        dashboard = self._dashboard
        entries = [
            (view.id, view.id, view.label if view.label != view.id else "")
            for view in sorted(dashboard.shown.workspaces.values(), key=lambda view: view.id)
        ]
        picker = PickerModal("Workspace", entries, dashboard.workspace)
        dashboard.app.push_screen(picker, self._picked)

    def _picked(self, workspace: str | None) -> None:
        if workspace is not None:
            self._show_workspace(workspace)

    def _show_workspace(self, workspace: str | None) -> None:
        self._dashboard.workspace = workspace

    def _pause(self) -> None:
        self._dashboard.is_paused = not self._dashboard.is_paused


def _next(items: Sequence[Item], current: Item, by: int) -> Item:
    return items[(items.index(current) + by) % len(items)]


def _is_on_menu(entry: KeyAction, group: str, lead: Place) -> bool:
    return entry.group in (group, "Row") and entry.id != "screen.menu" and lead in entry.places
