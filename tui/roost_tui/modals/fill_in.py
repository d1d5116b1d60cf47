"""`FillInModal`: choose what is to be done, fill in what it takes, ask for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from roost.client.amounts import plural
from roost.errors import RoostError
from roost.models import ToolView
from roost_tui.modals.arguments_editor import ArgumentsEditor
from roost_tui.modals.choice_list import ChoiceList, FilterLine
from roost_tui.modals.frame import Frame, paragraph
from roost_tui.modals.palette import ACCENT, BAD, MUTED
from roost_tui.modals.tool_choices import tool_choices


class FillInModal(Frame[None]):
    """Fill in what one of several things takes; whoever does it closes the modal.

    Args:
        title: What is done, and where.
        tools: What there is to choose from, in the order to list it.
        noun: What one of them is called; empty where there is nothing to choose.
        nothing: What is said when there is none.
    """

    DEFAULT_CSS = """
    FillInModal > .panel { width: 120; height: 100%; max-height: 40; }
    FillInModal .panes { height: 1fr; margin-top: 1; }
    FillInModal .tools { width: 34; height: 1fr; margin-right: 3; }
    FillInModal .tools ChoiceList { height: 1fr; margin-top: 1; }
    FillInModal .unchosen { width: 1fr; color: $text-muted; }
    FillInModal ArgumentsEditor { width: 1fr; height: 1fr; display: none; }
    FillInModal.-chosen ArgumentsEditor { display: block; }
    FillInModal.-chosen .unchosen { display: none; }
    FillInModal.-narrow .tools { width: 1fr; margin-right: 0; }
    FillInModal.-narrow .unchosen { display: none; }
    FillInModal.-narrow.-chosen .tools { display: none; }
    FillInModal.-lone .tools, FillInModal.-lone .unchosen { display: none; }
    FillInModal .told { width: 1fr; height: auto; max-height: 4; display: none; }
    FillInModal .told.-said { display: block; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "call", "do it", id="call.call", tooltip="Do it"),
        Binding("ctrl+o", "switch", "form / json", id="call.switch", tooltip="Edit as JSON"),
        Binding("escape", "back", "back", id="call.back", tooltip="Back to the list"),
        Binding("escape", "close", "close", id="modal.close", tooltip="Close without doing it"),
    ]

    AUTO_FOCUS = ".filter"

    verb: ClassVar[str] = "Call"
    """What the button says."""
    under_way: ClassVar[str] = "calling"
    """What is said, before the name, while it is done."""

    def __init__(self, title: str, tools: Sequence[ToolView], *, noun: str, nothing: str) -> None:
        super().__init__(title, plural(len(tools), noun) if noun else "")
        self._tools = {tool.name: tool for tool in tools}
        self._noun = noun
        self._nothing = nothing
        self._is_busy = False
        self.add_class("-wide")

    def asked(self, tool: ToolView, arguments: dict[str, Any]) -> Message:
        """Return the message that asks for it."""
        raise NotImplementedError

    def compose_main(self) -> Widget:
        """Return the list and, beside it or in its place, the form."""
        tools = Vertical(
            FilterLine(),
            ChoiceList(tool_choices(tuple(self._tools.values()), self.glyphs)),
            classes="tools",
        )
        hint = f"Choose a {self._noun} to see what it takes." if self._tools else ""
        unchosen = paragraph(hint, "unchosen")
        return Horizontal(tools, unchosen, ArgumentsEditor(), classes="panes")

    def compose_status(self) -> Iterable[Widget]:
        """Yield the line that says what came of it."""
        yield Static(classes="told")

    def compose_buttons(self) -> Iterable[Button]:
        """Yield the buttons; each has its key too."""
        yield Button("Close", id="close", compact=True)
        yield Button(self.verb, id="call", variant="primary", compact=True, disabled=True)

    async def on_mount(self) -> None:
        """A lone one needs no choice."""
        if not self._tools:
            self._tell(self._nothing, MUTED)
        if len(self._tools) == 1:
            await self._open(*self._tools.values())

    @property
    def _editor(self) -> ArgumentsEditor:
        return self.query_one(ArgumentsEditor)

    @property
    def _filter(self) -> Input:
        return self.query_one(".filter", Input)

    # Choosing

    @on(Input.Changed, ".filter")
    def _filter_changed(self, message: Input.Changed) -> None:
        message.stop()
        self.query_one(ChoiceList).narrow(message.value)

    @on(Input.Submitted, ".filter")
    def _filter_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self.query_one(ChoiceList).choose()

    @on(ChoiceList.Chosen)
    async def _tool_chosen(self, message: ChoiceList.Chosen) -> None:
        message.stop()
        await self._open(self._tools[message.value])

    async def _open(self, tool: ToolView) -> None:
        if self._editor.tool is not tool:
            await self._editor.load(tool)
        button = self.query_one("#call", Button)
        button.disabled = False
        button.variant = "error" if tool.is_destructive else "primary"
        self._tell("", "")
        self.add_class("-chosen")
        self.call_after_refresh(self._editor.focus_first)

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done where the focus is."""
        is_choosing = self.focused is not None and self.focused.has_class("filter")
        if action == "move":
            return is_choosing and bool(self._tools)
        if action == "back":
            return not is_choosing and len(self._tools) > 1
        if action in ("call", "switch"):
            return not is_choosing and not self._is_busy and self.has_class("-chosen")
        return True

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """What has the focus decides which keys are offered."""
        self.refresh_bindings()

    def action_move(self, how: str) -> None:
        """Move the cursor of the list."""
        getattr(self.query_one(ChoiceList), f"action_{how}")()

    def action_back(self) -> None:
        """Go back to the list; a narrow screen shows it in place of the form."""
        if self.has_class("-narrow"):
            self.remove_class("-chosen")
            self.query_one("#call").disabled = True
        self._filter.focus()

    async def action_switch(self) -> None:
        """Go to the other of form and JSON."""
        await self._editor.switch()

    # Doing it

    def action_call(self) -> None:
        """Ask for it, unless something typed stands against it."""
        tool = self._editor.tool
        arguments = self._editor.read()
        if tool is None or arguments is None:
            return
        self._set_busy(True)
        self._tell(f"{self.glyphs.run_active} {self.under_way} {tool.name}", ACCENT)
        self.post_message(self.asked(tool, arguments))

    def show_error(self, error: RoostError) -> None:
        """Show why it was not done; what was typed stays as it is."""
        if not self.is_attached:
            return
        self._set_busy(False)
        self._tell(f"{self.glyphs.run_failed} {error.message}", BAD)
        self._editor.focus_first()

    def _set_busy(self, is_busy: bool) -> None:
        self._is_busy = is_busy
        self.query_one("#call").disabled = is_busy
        self._editor.disabled = is_busy
        self.refresh_bindings()

    def _tell(self, text: str, style: str) -> None:
        line = self.query_one(".told", Static)
        line.update(Content.styled(text, style) if text else "")
        line.set_class(bool(text), "-said")

    @on(Button.Pressed)
    def _pressed(self, message: Button.Pressed) -> None:
        message.stop()
        if message.button.id == "call":
            self.action_call()
        else:
            self.dismiss(None)
