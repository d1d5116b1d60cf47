"""`RoostApp`: themes, the connection to the engine, and what actions report."""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, cast

from rich.text import Text
from textual import on
from textual.app import App
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.reactive import reactive
from textual.screen import ModalScreen, Screen
from textual.worker import Worker, WorkerFailed

from roost.clock import Clock, SystemClock
from roost.contract import EngineAPI
from roost.models import BundleChanged, Change, EngineEvent, RunView, Snapshot
from roost_tui import crash
from roost_tui.actions import KEY_ACTIONS, KeyAction, allowed
from roost_tui.dashboard import Dashboard
from roost_tui.glyphs import ASCII, UNICODE
from roost_tui.keymap import remap
from roost_tui.link import Connect, EngineLink
from roost_tui.notes import Message, RowKey, RowNote, Severity
from roost_tui.operations import Operations
from roost_tui.selection import Selection
from roost_tui.state import Link, ScreenState, fold, with_link
from roost_tui.themes import DEFAULT_THEME, ROOST_THEMES, with_additions

if TYPE_CHECKING:
    from roost_tui.additions import ReadWords
    from roost_tui.modals import CallToolModal, CredentialsModal, DoctorModal, WhyModal
    from roost_tui.modals.add import AddModal
    from roost_tui.modals.task_request import TaskRequest

Answer = TypeVar("Answer")

FRAME_S = 0.05
"""Events fold at most this often: often enough to look immediate, rarely enough for floods."""

OVERLAYS = ("bundle-screen", "runs-screen", "run-screen", "snapshots-screen")
"""Ids of the screens over the dashboard."""

MANY_ROWS = 1000
"""From here on a full collection is felt at the keys."""

MESSAGE_LIMIT = 500
"""Messages kept for the list."""


_TOAST: Mapping[Severity, Literal["warning", "error"]] = {
    Severity.WARNING: "warning",
    Severity.ERROR: "error",
}


def _action_provider() -> type[Provider]:
    from roost_tui.palette import ActionProvider  # the palette loads when it is first opened

    return ActionProvider


class RoostApp(App[None], inherit_bindings=False):
    """The screen.

    Args:
        engine: a ready engine, or a coroutine function that brings up a connection. The latter is
            awaited after the first paint, and again after a loss.
        workspace: the workspace to show; None shows all.
        read_only: leave out every action that changes something.
        keymap: keys by action id, separated by commas; an empty text unbinds.
        ascii_only: use plain ASCII for glyphs and rules.
        clock: time for stamps and countdowns.
        crash_dir: where a fatal error leaves its report; None leaves none.
        theme: name of the theme to begin with.
        read_words: makes a request of what is to be added; None takes what the command line does.
    """

    CSS_PATH = "dashboard.tcss"
    TITLE = "roost"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_action_provider}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "detach", show=False, priority=True, id="app.detach"),
        Binding("ctrl+c", "explain_quit", show=False, system=True),
    ]

    state: reactive[ScreenState] = reactive(ScreenState(), init=False)
    """Everything known of the engine; screens are bound to it."""

    notes: reactive[Mapping[RowKey, RowNote]] = reactive({}, init=False)
    """What the operator did, by row."""

    def __init__(
        self,
        engine: EngineAPI | Connect,
        *,
        workspace: str | None = None,
        read_only: bool = False,
        keymap: Mapping[str, str] | None = None,
        ascii_only: bool = False,
        clock: Clock | None = None,
        crash_dir: Path | None = None,
        theme: str = DEFAULT_THEME,
        read_words: ReadWords | None = None,
    ) -> None:
        super().__init__()
        for own in ROOST_THEMES:
            self.register_theme(own)
        self.theme = theme
        self.clock: Clock = clock or SystemClock()
        self.engine: EngineAPI | None = None
        self.messages: deque[Message] = deque(maxlen=MESSAGE_LIMIT)
        self._workspace = workspace
        self._is_read_only = read_only
        self.glyphs = ASCII if ascii_only else UNICODE
        """The characters that every screen and modal draws with."""
        self._crash_dir = crash_dir
        entries, self._key_problems = remap(KEY_ACTIONS, keymap or {})
        self._entries: tuple[KeyAction, ...] = allowed(entries, read_only=read_only)
        self._operations = Operations(self, read_words)
        self._modal_about: RowKey | None = None
        self._arrived: list[EngineEvent] = []
        self._folded_at = 0.0
        self._is_fold_due = False
        self._link = EngineLink(
            _connector(engine),
            self.clock,
            on_engine=self._take_engine,
            on_event=self._take_event,
            on_link=self._take_link,
        )

    # Screens and themes

    def get_default_screen(self) -> Screen[Any]:
        """Return the dashboard."""
        return Dashboard(
            self._entries,
            lambda: self.engine,
            self.clock,
            glyphs=self.glyphs,
            workspace=self._workspace,
            is_read_only=self._is_read_only,
        )

    @property
    def dashboard(self) -> Dashboard:
        """The dashboard, whatever lies on it."""
        dashboard = self.screen_stack[0]
        assert isinstance(dashboard, Dashboard)
        return dashboard

    def get_css_variables(self) -> dict[str, str]:
        """Add the colours of Roost to those of the theme."""
        variables = with_additions(super().get_css_variables())
        self.theme_variables = variables
        return variables

    def on_mount(self) -> None:
        for problem in self._key_problems:
            self.say(Severity.WARNING, problem)
        # The first paint must not wait for imports and a daemon that starts.
        self.call_after_refresh(self._start_link)

    def _start_link(self) -> None:
        self.run_worker(self._link.run(), name="follow engine", group="engine-events")

    # The engine's side

    def _take_engine(self, engine: EngineAPI | None) -> None:
        self.engine = engine

    def _take_link(self, link: Link) -> None:
        self._fold_arrived()
        self.state = with_link(self.state, link)

    def _take_event(self, event: EngineEvent) -> None:
        """Keep an event for the next fold, which is at once when none was for a while."""
        self._arrived.append(event)
        if self._is_fold_due:
            return
        wait = self._folded_at + FRAME_S - time.perf_counter()
        if wait <= 0:
            self._fold_arrived()
        else:
            self._is_fold_due = True
            self.set_timer(wait, self._fold_arrived, name="fold")

    def _fold_arrived(self) -> None:
        arrived, self._arrived = self._arrived, []
        self._is_fold_due = False
        self._folded_at = time.perf_counter()
        if arrived and self._has_screen:
            self.state = fold(self.state, arrived)
            if any(isinstance(event, Snapshot) for event in arrived):
                self._spare_collector()
            self._say_missed(arrived)
            self._show_phases(arrived)

    def _spare_collector(self) -> None:
        """Take many rows out of what the collector walks through.

        A full collection over ten thousand runs takes a tenth of a second, in which no key is
        answered. Cycles of garbage that are there at this moment are never freed.
        """
        if len(self.state.runs) + len(self.state.bundles) >= MANY_ROWS:
            gc.freeze()

    def _say_missed(self, arrived: list[EngineEvent]) -> None:
        """Say how many changes were left out because the screen was behind."""
        missed = sum(event.missed for event in arrived if isinstance(event, Snapshot))
        if missed:
            changes = "1 change was" if missed == 1 else f"{missed} changes were"
            self.say(Severity.WARNING, f"{changes} missed; shown is the present state")
            self.dashboard.tell_missed(missed)

    def _show_phases(self, arrived: list[EngineEvent]) -> None:
        show = getattr(self.screen, "show_phases", None)
        if show is None:
            return
        for event in arrived:
            if isinstance(event, Change) and isinstance(event.body, BundleChanged):
                view = event.body.bundle
                if (view.workspace, view.name) == self._modal_about:
                    show(view)

    def watch_state(self, before: ScreenState, state: ScreenState) -> None:
        if self._has_screen:
            self.dashboard.state = state
        if before.link.phase is not state.link.phase:
            self._say_link(before, state)

    def _say_link(self, before: ScreenState, state: ScreenState) -> None:
        """Keep in the messages how the connection changed; who sees no banner is told at once."""
        from roost_tui.link_messages import message  # loaded after the first paint

        if (said := message(before, state.link)) is None:
            return
        severity, text = said
        self.messages.append(Message(self.clock.now(), severity, text))
        if self._has_screen and not self.screen.query("#banner"):
            self.notify(text, severity=_TOAST.get(severity, "information"), markup=False)

    def watch_notes(self, notes: Mapping[RowKey, RowNote]) -> None:
        if self._has_screen:
            self.dashboard.notes = notes

    @property
    def _has_screen(self) -> bool:
        """False while the app closes: its workers end a little later than its screens."""
        return bool(self.screen_stack)

    # Requests from the dashboard and from modals

    @on(Dashboard.OperationRequested)
    def do_operation(self, message: Dashboard.OperationRequested) -> None:
        message.stop()
        self.begin_operation(message.action_id, message.selection)

    def begin_operation(self, action_id: str, selection: Selection) -> None:
        """Do an action in a worker of its own."""
        self._begin(partial(self._operations.perform, action_id, selection), action_id)

    def _begin(
        self,
        work: Callable[[], Coroutine[Any, Any, None]],
        name: str,
        group: str = "operations",
        *,
        exclusive: bool = False,
    ) -> Worker[None]:
        """Do this in a worker of its own.

        It is given as a function: a worker that is cancelled before it begins must not leave a
        coroutine behind that nobody awaited.
        """
        return self.run_worker(work, name=name, group=group, exclusive=exclusive)

    @on(Dashboard.BundleOpened)
    def open_bundle(self, message: Dashboard.BundleOpened) -> None:
        from roost_tui.bundle_screen import BundleScreen  # loaded after the first paint

        message.stop()
        if not (self.is_running and self.screen_stack):
            return  # a screen pushed while the others are closed would stay open
        dashboard, key = self.dashboard, message.key
        bundle = dashboard.shown.bundles.get(key)
        if bundle is None or self.screen is not dashboard:
            return

        def go_on(action_id: str | None) -> None:
            if action_id is not None:
                dashboard.go_on_with(key, action_id)

        self.push_screen(BundleScreen(dashboard, lambda: self.engine, bundle), go_on)

    @on(Dashboard.RunOpened)
    def open_run_of(self, message: Dashboard.RunOpened) -> None:
        message.stop()
        self.open_run_page(message.run)

    @on(Dashboard.RunsRequested)
    def open_runs(self, message: Dashboard.RunsRequested) -> None:
        from roost_tui.runs_screen import RunsScreen  # loaded after the first paint

        message.stop()
        if not self._has_screen or self.screen is not self.dashboard:
            return
        if message.workspace is not None and self.dashboard.workspace is not None:
            self.dashboard.workspace = message.workspace
        runs = RunsScreen(self.dashboard, lambda: self.engine, message.filter)
        self.push_screen(runs, self._left_table)

    @on(Dashboard.SnapshotsRequested)
    def open_snapshots(self, message: Dashboard.SnapshotsRequested) -> None:
        from roost_tui.snapshots_screen import SnapshotsScreen  # loaded after the first paint

        message.stop()
        if not self._has_screen or self.screen is not self.dashboard:
            return
        screen = SnapshotsScreen(self.dashboard, lambda: self.engine, message.key)
        self.push_screen(screen, self._left_table)

    def _left_table(self, action_id: str | None) -> None:
        """Go on from one table over the dashboard to the next one."""
        if action_id in ("screen.runs", "screen.snapshots"):
            self.call_later(self._go_on_below, action_id)

    def open_run_page(self, run: RunView) -> None:
        """Show everything about a run, over the screen that is shown."""
        from roost_tui.run_screen import RunScreen  # loaded after the first paint

        if not (self.is_running and self.screen_stack):
            return  # a screen pushed while the others are closed would stay open
        if isinstance(self.screen, RunScreen):
            self.screen.take(run)
        else:
            self.push_screen(RunScreen(self.dashboard, lambda: self.engine, run), self._left_run)

    def _left_run(self, action_id: str | None) -> None:
        """Go on from the page of a run to the dashboard or to all runs."""
        if action_id is not None:
            self.call_later(self._go_on_below, action_id)

    def _go_on_below(self, action_id: str) -> None:
        is_on_runs = self.screen.id == "runs-screen"
        if is_on_runs and action_id != "screen.runs":
            self.screen.dismiss(action_id)
        elif not is_on_runs:
            self.dashboard.action_perform(action_id)

    def show_begun(self, run: RunView) -> None:
        """Go from a run to the one that was begun in its place."""
        show = getattr(self.screen, "show_run", None)
        if self.screen.id == "run-screen":
            self.open_run_page(run)
        elif show is not None:
            show(run)

    def unmark(self) -> None:
        """Take the marks away that an action was done for."""
        for screen in self.screen_stack:
            if (clear := getattr(screen, "clear_marks", None)) is not None:
                clear()

    @on(Dashboard.RetryRequested)
    def retry_link(self, message: Dashboard.RetryRequested) -> None:
        message.stop()
        self._link.retry_now()

    @on(Dashboard.MessagesRequested)
    def show_messages(self, message: Dashboard.MessagesRequested) -> None:
        from roost_tui.modals import MessagesModal  # loaded after the first paint
        from roost_tui.render import clock_time

        message.stop()
        lines = [
            (clock_time(entry.at), entry.severity.value, entry.text) for entry in self.messages
        ]
        self.push_screen(MessagesModal(lines))

    @on(Dashboard.Said)
    def take_words(self, message: Dashboard.Said) -> None:
        message.stop()
        self.say(message.severity, message.text)

    def on_credentials_modal_save_requested(self, message: CredentialsModal.SaveRequested) -> None:
        self._change_credentials(
            self._operations.save_credentials, message.workspace, message.bundle, message.write
        )

    def on_credentials_modal_restore_requested(
        self, message: CredentialsModal.RestoreRequested
    ) -> None:
        self._change_credentials(
            self._operations.restore_credentials,
            message.workspace,
            message.bundle,
            message.reason,
        )

    def _change_credentials(self, change: Callable[..., Any], *arguments: Any) -> None:
        self._begin(partial(change, self.screen, *arguments), "write credentials")

    def on_doctor_modal_check_requested(self, message: DoctorModal.CheckRequested) -> None:
        message.stop()
        work = partial(self._operations.examine, message.modal)
        self._begin(work, "doctor", "doctor", exclusive=True)

    def on_why_modal_check_requested(self, message: WhyModal.CheckRequested) -> None:
        message.stop()
        work = partial(self._operations.explain, message.modal, message.workspace, message.bundle)
        self._begin(work, "why", "why", exclusive=True)

    def on_add_modal_plan_requested(self, message: AddModal.PlanRequested) -> None:
        message.stop()
        work = partial(self._operations.plan_addition, message.modal, message.words)
        self._begin(work, "plan install", "add", exclusive=True)

    def on_add_modal_install_requested(self, message: AddModal.InstallRequested) -> None:
        message.stop()
        work = partial(self._operations.install_addition, message.modal, message.request)
        self._begin(work, "install")

    def on_task_request(self, message: TaskRequest) -> None:
        message.stop()
        self._begin(partial(self._operations.answer_task, message), message.action_id)

    def on_call_tool_modal_call_requested(self, message: CallToolModal.CallRequested) -> None:
        from roost_tui.modals import CallToolModal  # loaded by now: one is open

        modal = self.screen
        assert isinstance(modal, CallToolModal)
        work = partial(
            self._operations.call_tool, modal, message.workspace, message.bundle, message.request
        )
        self._begin(work, "call tool")

    # What operations need

    @property
    def entries(self) -> tuple[KeyAction, ...]:
        """The table of actions as allowed and remapped."""
        return self._entries

    @property
    def screen_state(self) -> ScreenState:
        """The present state."""
        return self.state

    @property
    def shown_workspace(self) -> str | None:
        """The workspace that is shown; None when all are."""
        return self.dashboard.workspace

    def begin(self, key: RowKey, words: str) -> None:
        """Mark a row as pending."""
        self._put_note(key, RowNote(words, self.clock.now(), is_pending=True))

    def end(self, key: RowKey, words: str, *, ok: bool) -> None:
        """Mark how it ended on the row."""
        self._put_note(key, RowNote(words, self.clock.now(), is_failure=not ok))

    def forget(self, key: RowKey) -> None:
        """Take the mark away: nothing was done."""
        self.notes = {known: note for known, note in self.notes.items() if known != key}

    def _put_note(self, key: RowKey, note: RowNote) -> None:
        now = self.clock.now()
        kept = {known: old for known, old in self.notes.items() if not old.is_over(now)}
        self.notes = kept | {key: note}

    def say(self, severity: Severity, text: str) -> None:
        """Add a message; warnings and errors are shown at once as well."""
        self.messages.append(Message(self.clock.now(), severity, text))
        if severity is not Severity.INFORMATION and self._has_screen:
            self.notify(text, severity=_TOAST[severity], markup=False)

    async def ask(self, question: ModalScreen[Answer]) -> Answer | None:
        """Show a question and wait for the answer."""
        if not self.is_running:
            return None
        return await self.push_screen_wait(question)

    def open_modal(
        self,
        modal: ModalScreen[Answer],
        about: RowKey | None,
        then: Callable[[Answer | None], None] | None = None,
    ) -> None:
        """Show a modal that goes on by messages; `about` is the bundle whose changes it shows."""
        if not self.is_running:
            return  # a screen pushed while the others are closed would stay open
        self._modal_about = about
        self.push_screen(modal, then)

    def open_run(self, run: RunView) -> None:
        """Put the cursor on a run, and come back to the dashboard for it."""
        self._leave_overlays()
        self.dashboard.show_run(run)

    def show_bundle(self, key: RowKey) -> None:
        """Put the cursor on a bundle, as soon as it is there."""
        if not self._has_screen:
            return
        self._leave_overlays()
        self.dashboard.show_bundle(key)

    def _leave_overlays(self) -> None:
        """Come back to the dashboard from what lies over it; questions stay."""
        while self.screen.id in OVERLAYS:
            self.pop_screen()

    # Ends

    def action_explain_quit(self) -> None:
        """Say how to leave: Ctrl+C is what hands try first."""
        self.notify("q leaves the screen; bundles and runs go on.")

    def _handle_exception(self, error: Exception) -> None:
        """End the screen. Textual would print a traceback with local variables, so it never gets
        to see the error; test frameworks still do."""
        self._return_code = 1
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self._fatal_error()

    def _fatal_error(self) -> None:
        error: BaseException = self._exception or RuntimeError("unknown")
        if isinstance(error, WorkerFailed):
            error = error.error
        self._exit_renderables[:] = [Text(crash.sentence(error, self._report(error)))]
        self._close_messages_no_wait()

    def _report(self, error: BaseException) -> Path | None:
        if self._crash_dir is None:
            return None
        try:
            return crash.write_report(error, self._crash_dir, self.clock.now())
        except OSError:
            return None


def _connector(engine: EngineAPI | Connect) -> Connect:
    """Make a connection of what was given: a ready engine is its own."""
    if not hasattr(engine, "events"):
        return engine

    async def connect() -> EngineAPI:
        return cast("EngineAPI", engine)

    return connect
