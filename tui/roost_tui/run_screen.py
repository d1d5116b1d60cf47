"""`RunScreen`: one run over the whole screen, live: its page above, its events below."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

from textual import events, on, work
from textual.containers import Vertical
from textual.getters import query_one
from textual.reactive import reactive
from textual.widget import Widget

from roost.contract import EngineAPI
from roost.errors import DaemonUnreachable, RoostError
from roost.models import RunEvent, RunKind, RunView, TaskRunDetail
from roost_tui import remarks, render, run_page
from roost_tui.actions import KeyAction, Place
from roost_tui.dashboard import Dashboard
from roost_tui.filters import NO_FILTER
from roost_tui.log_entries import from_run_events
from roost_tui.notes import RowKey
from roost_tui.overlay import NOT_CONNECTED, Overlay, entries_for, without_link_key
from roost_tui.rereading import Rereading
from roost_tui.run_feed import RunFeed
from roost_tui.run_page import RunPage
from roost_tui.selection import Selection
from roost_tui.spans import Tone
from roost_tui.usefulness import run_fits
from roost_tui.widgets.lines_view import LinesView
from roost_tui.widgets.log_view import LogView
from roost_tui.widgets.panel_title import PanelTitle

FRAME_S = 0.05
"""Events are shown at most this often: it looks immediate, and a flood does not hold keys up."""

PANELS = (Place.RUN, Place.LOGS)

_OWN = frozenset(
    {
        "screen.next_panel",
        "screen.previous_panel",
        "screen.zoom",
        "logs.follow",
        "logs.wrap",
        "logs.stamps",
    }
)
"""Actions of the dashboard's panels that this screen has, too."""


def entries_here(entries: Sequence[KeyAction]) -> tuple[KeyAction, ...]:
    """Return the entries of the table that this screen has, as entries of its two panels."""
    here = without_link_key(entries_for(entries, PANELS, _OWN))
    sideways = [entry for entry in entries if entry.id in ("move.left", "move.right")]
    return (*here, *sideways)


async def _read_journal(engine: EngineAPI, key: RowKey) -> TaskRunDetail:
    return await engine.task_run(*key)


class RunScreen(Overlay, inherit_bindings=False):
    """Everything about one run.

    Args:
        dashboard: where the picture comes from.
        engine: the engine, or None while there is no connection.
        run: the run as it was last known.
    """

    AUTO_FOCUS = f"#{Place.RUN}"
    DEFAULT_CSS = """
    RunScreen #run { height: 3fr; }
    RunScreen #logs { height: 2fr; }
    RunScreen.-zoomed.-on-run #run-events { display: none; }
    RunScreen.-zoomed.-on-run #logs { display: none; }
    RunScreen.-zoomed.-on-logs #run { display: none; }
    RunScreen.-zoomed.-on-logs #run-title { display: none; }
    """
    main_place = Place.RUN

    is_zoomed: reactive[bool] = reactive(False, init=False)

    page_view = query_one(f"#{Place.RUN}", LinesView)
    log_view = query_one(f"#{Place.LOGS}", LogView)

    def __init__(
        self, dashboard: Dashboard, engine: Callable[[], EngineAPI | None], run: RunView
    ) -> None:
        super().__init__(dashboard, engine, entries_here(dashboard.entries), id="run-screen")
        self._run = run
        self._place = Place.RUN
        self._feed = self._feed_of(run)
        self._problem = ""
        self._was_live = False
        self._arrived: list[RunEvent] = []
        self._is_anew = False
        self._is_frame_due = False
        self._journal = Rereading("read journal", engine, _read_journal, self.show)

    def _feed_of(self, run: RunView) -> RunFeed:
        return RunFeed((run.workspace, run.id), self._take_events, self.show)

    @property
    def key(self) -> RowKey:
        """Workspace and id of the run."""
        return self._feed.key

    @property
    def run_shown(self) -> RunView:
        """The run as it is now: of what was read and what came as a change, the newer one."""
        live = self._dashboard.shown.runs.get(self.key[1])
        read = self._feed.detail.run if self._feed.detail else None
        known = [run for run in (live, read, self._run) if run is not None]
        return max(known, key=lambda run: (not run.status.is_active, run.last_seq))

    @property
    def selection(self) -> Selection:
        return Selection(run=self.run_shown)

    @property
    def workspace_shown(self) -> str:
        return self.key[0]

    def take(self, run: RunView) -> None:
        """Show another run from its beginning."""
        self._run, self._problem = run, ""
        self._arrived.clear()
        self._feed = self._feed_of(run)
        if self.is_mounted:
            self.log_view.reset()
            self._follow()
            self.show()

    def compose_panels(self) -> Iterable[Widget]:
        glyphs = self._dashboard.glyphs
        yield Vertical(
            PanelTitle("run-title", glyphs),
            LinesView(self.entries, Place.RUN, glyphs),
            PanelTitle("run-events", glyphs),
            LogView(self.entries, glyphs),
        )

    # Showing

    @property
    def page(self) -> RunPage:
        """What is shown."""
        run, feed = self.run_shown, self._feed
        detail = replace(feed.detail, run=run) if feed.detail else None
        newest = self._dashboard.shown.runs
        children = {child.id: newest.get(child.id, child) for child in feed.children}
        children |= {child.id: child for child in newest.values() if child.parent == run.id}
        others = [
            other
            for other in newest.values()
            if (other.workspace, other.bundle) == (run.workspace, run.bundle)
            and other.status.is_active
            and other.id != run.id
        ]
        return RunPage(
            run,
            detail,
            feed.steps,
            tuple(children.values()),
            len(others) if run.bundle else 0,
            self._dashboard.notes.get(self.key),
            self._problem,
            self._remark(),
            self._journal.known_of(self.key),
        )

    def _remark(self) -> str:
        feed = self._feed
        dropped = feed.detail.events_dropped if feed.detail else 0
        again = " This run was read anew." if feed.has_reloaded else ""
        if dropped:
            return f"The first {render.plural(dropped, 'event')} are not kept any more.{again}"
        if feed.first_seq > 1:
            return f"Shown are the newest events, from number {feed.first_seq} on.{again}"
        return again.strip()

    def show_panels(self) -> None:
        if not self.query(LogView):
            return
        self._follow_the_link()
        self._follow_the_journal()
        dashboard = self._dashboard
        build = partial(run_page.lines, self.page, now=dashboard.rows_at, glyphs=dashboard.glyphs)
        self.page_view.show(build, about=self.key)
        self._show_titles()

    def _show_titles(self) -> None:
        run = self.run_shown
        title = self.query_one("#run-title", PanelTitle)
        title.tabs, title.active = ((Place.RUN, "Run"),), Place.RUN
        title.is_focused = self._place is Place.RUN
        title.remark = ((run.workspace, Tone.MUTED),)
        log = self.log_view
        below = self.query_one("#run-events", PanelTitle)
        below.tabs, below.active = ((Place.LOGS, "Events"),), Place.LOGS
        below.is_focused = self._place is Place.LOGS
        below.remark = remarks.log_remark(
            run.id,
            past="",
            is_live=self._dashboard.state.link.is_live,
            is_complete=not run.status.is_active,
            shown=log.shown,
            total=log.total,
            dropped=log.dropped,
            new_lines=log.new_lines,
            is_following=log.is_following,
            wanted=NO_FILTER,
        )

    # Reading

    def _follow_the_link(self) -> None:
        """Read with each new connection, behind what was read before."""
        is_live = self._dashboard.state.link.is_live
        if is_live and not self._was_live:
            self._follow()
        self._was_live = is_live

    def _follow_the_journal(self) -> None:
        """Read journal and attempts of a task's run whenever it changes: no event tells of them."""
        if self.run_shown.kind is not RunKind.TASK:
            return
        dashboard = self._dashboard
        if dashboard.state.link.is_live:
            told = dashboard.shown.runs.get(self.key[1])
            self._journal.follow(self, self.key, (told, self._feed.detail is not None))
        else:
            self._journal.rest()

    @work(group="run", name="follow run", exclusive=True)
    async def _follow(self) -> None:
        engine, feed = self._engine(), self._feed
        if engine is None:
            return
        try:
            await feed.follow(engine)
        except DaemonUnreachable:
            return  # the banner says so, and it goes on once there is a connection
        except RoostError as error:
            self._problem = error.message
        if self.is_attached and feed is self._feed:
            self.show()

    def _take_events(self, is_anew: bool, run_events: Sequence[RunEvent]) -> None:
        """Keep events for the next frame: a flood must not draw the page once for each."""
        if is_anew:
            self._arrived.clear()
            self._is_anew = True
        self._arrived += run_events
        if not self._is_frame_due:
            self._is_frame_due = True
            self.set_timer(FRAME_S, self._show_arrived, name="run events")

    @property
    def is_caught_up(self) -> bool:
        """Whether every event that was read is shown."""
        return not self._is_frame_due

    def _show_arrived(self) -> None:
        arrived, self._arrived = self._arrived, []
        is_anew, self._is_anew, self._is_frame_due = self._is_anew, False, False
        if not self.query(LogView):
            return
        log = self.log_view
        if is_anew:
            yet = " yet" if self.run_shown.status.is_active else ""
            nothing = f"{self.key[1]} has reported nothing{yet}."
            log.reset(((nothing, Tone.MUTED),))
        log.append(from_run_events(arrived), self._dashboard.now)
        self.show()

    @on(LogView.Changed)
    def log_changed(self, message: LogView.Changed) -> None:
        message.stop()
        self._show_titles()

    @on(LogView.TailWanted)
    def read_again(self, message: LogView.TailWanted) -> None:
        message.stop()
        self.take(self.run_shown)

    # Panels

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        for place in PANELS:
            if event.widget.id == place:
                self._place = place
        self._lay_out()

    def watch_is_zoomed(self) -> None:
        self._lay_out()

    def _lay_out(self) -> None:
        self.set_class(self.is_zoomed, "-zoomed")
        for place in PANELS:
            self.set_class(place is self._place, f"-on-{place}")
        self.show()

    def _go_to(self, place: Place) -> None:
        self._place = place
        self._lay_out()
        self.query_one(f"#{place}").focus()

    # Actions

    def do(self, action_id: str) -> bool:
        other = Place.LOGS if self._place is Place.RUN else Place.RUN
        log = self.log_view
        handlers: dict[str, Callable[[], object]] = {
            "screen.back": self._back,
            "screen.next_panel": lambda: self._go_to(other),
            "screen.previous_panel": lambda: self._go_to(other),
            "screen.zoom": self._zoom,
            "logs.follow": lambda: log.follow(not log.is_following),
            "logs.wrap": log.toggle_wrap,
            "logs.stamps": log.toggle_stamps,
            "screen.copy": self._copy,
            "run.retry": self._retry,
        }
        handler = handlers.get(action_id)
        if handler is None:
            return False
        handler()
        return True

    def can_perform(self, action_id: str) -> bool:
        if action_id == "run.retry" and self._dashboard.state.link.phase in NOT_CONNECTED:
            return True  # the key connects again
        if action_id in ("run.retry", "run.replace", "run.resume"):
            return run_fits(action_id, self.run_shown)
        return super().can_perform(action_id)

    def is_useful(self, action_id: str) -> bool:
        return run_fits(action_id, self.run_shown)

    def _back(self) -> None:
        if self.is_zoomed:
            self.is_zoomed = False
        else:
            self.dismiss(None)

    def _zoom(self) -> None:
        self.is_zoomed = not self.is_zoomed

    def _retry(self) -> None:
        if self._dashboard.state.link.phase in NOT_CONNECTED:
            self._dashboard.action_perform("link.retry")
        else:
            self.post_message(Dashboard.OperationRequested("run.retry", self.selection))

    def _copy(self) -> None:
        line = self.log_view.cursor_line
        if self._place is Place.LOGS and line is not None:
            self.copy(line.text, line.text)
        else:
            self.copy(self.page_view.text, f"everything about {self.key[1]}")
