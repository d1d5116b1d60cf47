"""`SchedulesModal`: the schedules of a workspace, each with what can be done to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList, Static

from roost.client.amounts import plural
from roost.models import ScheduleView
from roost_tui import schedule_text
from roost_tui.modals.choice_list import Choice, ChoiceList
from roost_tui.modals.fact_lines import FactLines
from roost_tui.modals.frame import Frame
from roost_tui.modals.palette import BAD, MUTED, TONE_STYLES
from roost_tui.modals.task_request import TaskRequest
from roost_tui.schedule_text import Endings
from roost_tui.spans import Spans

if TYPE_CHECKING:
    from roost.clock import Clock

TICK_S = 1.0
"""Countdowns tell seconds."""

READ_EVERY_S = 5.0
"""How often the schedules are read again while they are looked at: they fire by themselves."""


class ScheduleList(ChoiceList):
    """The schedules; enter shows what the one under the cursor did last."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter",
            "screen.ask('run.show')",
            "last run",
            id="schedules.run",
            key_display="enter",
        ),
    ]


class SchedulesModal(Frame[None]):
    """Choose a schedule and pause it, let it go on, fire or remove it; countdowns are live.

    What an operator does is asked for by a message, and `show` tells what came of it.

    Args:
        workspace: whose they are.
        clock: time for the countdowns.
        allowed: ids of the actions that may be done.
    """

    DEFAULT_CSS = """
    SchedulesModal > .panel { width: 100; }
    SchedulesModal .schedules { height: auto; }
    SchedulesModal ChoiceList { margin-top: 1; max-height: 10; }
    SchedulesModal .facts { height: auto; max-height: 12; margin-top: 1; }
    SchedulesModal .nothing { margin: 1 0 0 1; display: none; color: $foreground 60%; }
    SchedulesModal.-empty .nothing { display: block; }
    SchedulesModal.-empty ChoiceList, SchedulesModal.-empty .facts { display: none; }
    SchedulesModal .told { width: 1fr; height: auto; max-height: 3; display: none; }
    SchedulesModal .told.-said { display: block; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "move('cursor_down')", "Down", id="schedules.down", show=False),
        Binding("k", "move('cursor_up')", "Up", id="schedules.up", show=False),
        Binding("f", "ask('schedule.fire')", "fire now", id="schedules.fire"),
        Binding("p", "ask('schedule.pause')", "pause", id="schedules.pause"),
        Binding("p", "ask('schedule.resume')", "let it fire", id="schedules.resume"),
        Binding("D", "ask('schedule.remove')", "remove", id="schedules.remove"),
        Binding("n", "ask('schedule.put')", "new", id="schedules.new"),
        Binding("q", "close", "Close", id="schedules.close", show=False),
    ]

    AUTO_FOCUS = "ChoiceList"

    def __init__(self, workspace: str, clock: Clock, allowed: frozenset[str]) -> None:
        super().__init__(f"Schedules of {workspace}")
        self._workspace = workspace
        self._clock = clock
        self._allowed = allowed
        self._schedules: dict[str, ScheduleView] = {}
        self._endings: Endings = {}
        self._is_known = False
        self.add_class("-wide")

    def compose_main(self) -> Widget:
        """Return the list with everything about the chosen one below."""
        return Vertical(
            ScheduleList([], takes_focus=True),
            Static("Reading the schedules", classes="nothing"),
            VerticalScroll(FactLines(), classes="facts", can_focus=False),
            classes="schedules",
        )

    def compose_status(self) -> Iterable[Widget]:
        """Yield the line that says what came of it."""
        yield Static(classes="told")

    def on_mount(self) -> None:
        """Ask for the schedules, and count down."""
        self.add_class("-empty")
        self.set_interval(TICK_S, self._draw, name="countdown")
        self.set_interval(READ_EVERY_S, self._read, name="read schedules")
        self._read()

    def _read(self) -> None:
        self.post_message(TaskRequest(self, self._workspace, "schedule.list"))

    # Showing

    @property
    def chosen(self) -> ScheduleView | None:
        """The schedule under the cursor."""
        return self._schedules.get(self.query_one(ChoiceList).current or "")

    def show(self, schedules: Sequence[ScheduleView], endings: Endings, said: str = "") -> None:
        """Show how the schedules are now, and what came of what was asked for."""
        if not self.is_attached:
            return
        is_first = not self._is_known
        self._schedules = {view.spec.name: view for view in schedules}
        self._endings, self._is_known = endings, True
        nothing = "There is no schedule; a worker declares them, or you make one."
        self.query_one(".nothing", Static).update(nothing)
        self.query_one(".panel").border_subtitle = plural(len(schedules), "schedule")
        self.set_class(not schedules, "-empty")
        if said:
            self._tell(said, MUTED)
        self._draw()
        if is_first:
            self.query_one(ChoiceList).focus()
        self.refresh_bindings()

    def show_error(self, message: str) -> None:
        """Say why it was not done."""
        if self.is_attached:
            self._tell(f"{self.glyphs.run_failed} {message}", BAD)

    def _tell(self, text: str, style: str) -> None:
        line = self.query_one(".told", Static)
        line.update(Content.styled(text, style))
        line.set_class(bool(text), "-said")

    def _draw(self) -> None:
        now = self._clock.now()
        rows = schedule_text.choice_rows(tuple(self._schedules.values()), now)
        self.query_one(ChoiceList).replace([_choice(name, row) for name, row in rows])
        self._show_facts(now)

    def _show_facts(self, now: int) -> None:
        view = self.chosen
        facts = schedule_text.facts(view, self._endings, now) if view else []
        self.query_one(FactLines).facts = tuple(facts)

    @on(OptionList.OptionHighlighted)
    def _cursor_moved(self, message: OptionList.OptionHighlighted) -> None:
        message.stop()
        self._show_facts(self._clock.now())
        self.refresh_bindings()

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what can be done to the schedule under the cursor."""
        if action != "ask":
            return True
        action_id = str(parameters[0])
        view = self.chosen if self._is_known else None
        fits: dict[str, Callable[[ScheduleView], bool]] = {
            "schedule.pause": lambda view: not can_resume(view),
            "schedule.resume": can_resume,
            "schedule.remove": lambda view: view.bundle is None,
            "run.show": lambda view: view.last_run is not None,
        }
        if action_id not in self._allowed:
            return False
        if action_id == "schedule.put":
            return self._is_known
        test = fits.get(action_id)
        return view is not None and (test is None or test(view))

    def action_ask(self, action_id: str) -> None:
        """Ask for what the key means for the schedule under the cursor."""
        view = self.chosen
        name = view.spec.name if view is not None else ""
        if action_id == "run.show":
            name = (view.last_run if view else None) or ""
        self.post_message(TaskRequest(self, self._workspace, action_id, name))

    def action_move(self, how: str) -> None:
        """Move the cursor."""
        getattr(self.query_one(ChoiceList), f"action_{how}")()

    @on(ChoiceList.Chosen)
    def _clicked(self, message: ChoiceList.Chosen) -> None:
        message.stop()  # a click only moves the cursor


def _choice(name: str, row: Spans) -> Choice:
    prompt = Content.assemble(*((text, TONE_STYLES.get(tone, "")) for text, tone in row))
    return Choice(name, prompt, name)


def can_resume(view: ScheduleView) -> bool:
    """Say whether a schedule fires no more until somebody lets it."""
    return view.is_paused or view.disabled is not None
