"""`CallToolModal`: choose a tool, fill in its arguments, ask for the call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from roost.client.amounts import plural
from roost.errors import RoostError
from roost.models import BundleView, CallRequest, ToolView
from roost_tui.modals.arguments_editor import ArgumentsEditor
from roost_tui.modals.choice_list import ChoiceList, FilterLine
from roost_tui.modals.frame import Frame, paragraph
from roost_tui.modals.palette import ACCENT, BAD, MUTED
from roost_tui.modals.tool_choices import tool_choices


class CallToolModal(Frame[None]):
    """Call one of a bundle's tools; the app opens the run and closes the modal.

    Args:
        bundle: The bundle that offers the tools.
        tools: The tools, in the order to list them.
    """

    DEFAULT_CSS = """
    CallToolModal > .panel { width: 120; height: 100%; max-height: 40; }
    CallToolModal .panes { height: 1fr; margin-top: 1; }
    CallToolModal .tools { width: 34; height: 1fr; margin-right: 3; }
    CallToolModal .tools ChoiceList { height: 1fr; margin-top: 1; }
    CallToolModal .unchosen { width: 1fr; color: $text-muted; }
    CallToolModal ArgumentsEditor { width: 1fr; height: 1fr; display: none; }
    CallToolModal.-chosen ArgumentsEditor { display: block; }
    CallToolModal.-chosen .unchosen { display: none; }
    CallToolModal.-narrow .tools { width: 1fr; margin-right: 0; }
    CallToolModal.-narrow .unchosen { display: none; }
    CallToolModal.-narrow.-chosen .tools { display: none; }
    CallToolModal .told { width: 1fr; height: auto; max-height: 4; display: none; }
    CallToolModal .told.-said { display: block; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "call", "call", id="call.call", tooltip="Call the tool"),
        Binding("ctrl+o", "switch", "form / json", id="call.switch", tooltip="Edit as JSON"),
        Binding("escape", "back", "tools", id="call.back", tooltip="Back to the tools"),
        Binding("escape", "close", "close", id="modal.close", tooltip="Close without a call"),
    ]

    AUTO_FOCUS = ".filter"

    class CallRequested(Message):
        """The operator wants this call. Its representation holds no argument."""

        def __init__(self, workspace: str, bundle: str, request: CallRequest) -> None:
            super().__init__()
            self.workspace = workspace
            self.bundle = bundle
            self.request = request

    def __init__(self, bundle: BundleView, tools: Sequence[ToolView]) -> None:
        super().__init__(
            f"Call a tool of {bundle.workspace}/{bundle.name}", plural(len(tools), "tool")
        )
        self._bundle = bundle
        self._tools = {tool.name: tool for tool in tools}
        self._is_busy = False
        self.add_class("-wide")

    def compose_main(self) -> Widget:
        """Return the tools and, beside them or in their place, the arguments."""
        tools = Vertical(
            FilterLine(),
            ChoiceList(tool_choices(tuple(self._tools.values()), self.glyphs)),
            classes="tools",
        )
        hint = "Choose a tool to see what it takes." if self._tools else ""
        unchosen = paragraph(hint, "unchosen")
        return Horizontal(tools, unchosen, ArgumentsEditor(), classes="panes")

    def compose_status(self) -> Iterable[Widget]:
        """Yield the line that says what came of the call."""
        yield Static(classes="told")

    def compose_buttons(self) -> Iterable[Button]:
        """Yield the buttons; each has its key too."""
        yield Button("Close", id="close", compact=True)
        yield Button("Call", id="call", variant="primary", compact=True, disabled=True)

    async def on_mount(self) -> None:
        """A lone tool needs no choice."""
        if not self._tools:
            self._tell(f"{self._bundle.name} offers no tools.", MUTED)
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
        """Go back to the tools; a narrow screen shows them in place of the form."""
        if self.has_class("-narrow"):
            self.remove_class("-chosen")
            self.query_one("#call").disabled = True
        self._filter.focus()

    async def action_switch(self) -> None:
        """Go to the other of form and JSON."""
        await self._editor.switch()

    # Calling

    def action_call(self) -> None:
        """Ask for the call, unless an argument stands against it."""
        tool = self._editor.tool
        arguments = self._editor.read()
        if tool is None or arguments is None:
            return
        self._set_busy(True)
        self._tell(f"{self.glyphs.run_active} calling {tool.name}", ACCENT)
        request = CallRequest(tool=tool.name, arguments=arguments)
        self.post_message(self.CallRequested(self._bundle.workspace, self._bundle.name, request))

    def show_error(self, error: RoostError) -> None:
        """Show why no run was begun; the arguments stay as they are."""
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
