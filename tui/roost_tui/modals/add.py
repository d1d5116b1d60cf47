"""`AddModal`: say what is to be added, review what that would do, then have it done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from roost.models import InstallPlan, InstallRequest, is_valid_name
from roost_tui.modals.controls import LineInput, Segments
from roost_tui.modals.fact_row import FactRow
from roost_tui.modals.form_row import FormRow
from roost_tui.modals.frame import Body, Frame, paragraph
from roost_tui.modals.palette import ACCENT, BAD, MUTED
from roost_tui.modals.typed_answer import AnswerLine
from roost_tui.plan_text import needs_consent, plan_facts, warnings_of

EXAMPLES = (
    ("./server.mcpb", "a bundle file, or a folder that holds one"),
    ("npx -y @scope/server /srv/docs", "a command as documentation shows it"),
    ("pypi:mcp-server-time", "a package; it is installed and pinned"),
    ("npm:@scope/server", "the same from npm"),
    ("https://mcp.example.com/mcp", "a server that runs elsewhere"),
)
"""What can be typed, with what it means."""

_YES_NO = (("no", ""), ("yes", "true"))


@dataclass(frozen=True, slots=True)
class Purpose:
    """What the reviewed thing is for."""

    title: str
    verb: str
    """What the button says."""
    is_upgrade: bool = False
    """Whether it takes the place of a bundle, whose name and settings stay."""


class AddModal(Frame[None]):
    """What is to be added, in a line; then a review; nothing runs before the second yes.

    It asks by messages and is told by `show_plan`, `show_error` and `show_done`.

    Args:
        purpose: what it is for.
    """

    DEFAULT_CSS = """
    AddModal > .panel { width: 100; }
    AddModal .told { width: 1fr; height: auto; display: none; }
    AddModal .told.-said { display: block; }
    AddModal .example { height: 1; padding-left: 2; }
    AddModal .example .typed { width: 33; }
    AddModal .example .meaning { width: 1fr; color: $foreground 60%; }
    AddModal .examples { margin-top: 1; color: $foreground 60%; }
    AddModal FactRow.-last { margin-bottom: 1; }
    AddModal #words { margin-top: 1; }
    AddModal Buttons Button.-style-default { min-width: 13; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "back", id="modal.close", tooltip="To the line, or out"),
        Binding("ctrl+s", "go", "install", id="add.go", tooltip="Do what was reviewed"),
    ]

    AUTO_FOCUS = "#words"

    class PlanRequested(Message):
        """The operator wants to know what these words would install; `modal` is to be told."""

        def __init__(self, modal: AddModal, words: str) -> None:
            super().__init__()
            self.modal = modal
            self.words = words

    class InstallRequested(Message):
        """The operator has reviewed it and wants it done; `modal` is to be told."""

        def __init__(self, modal: AddModal, request: InstallRequest) -> None:
            super().__init__()
            self.modal = modal
            self.request = request

    def __init__(self, purpose: Purpose) -> None:
        super().__init__(purpose.title)
        self._purpose = purpose
        self._words = ""
        self._plan: InstallPlan | None = None
        self._request: InstallRequest | None = None
        self._is_busy = False
        self.add_class("-wide")

    @property
    def plan(self) -> InstallPlan | None:
        """What is under review."""
        return self._plan

    # What stands in it

    def compose_body(self) -> Iterable[Widget]:
        """Yield the line and what can be typed in it."""
        yield from self._question()

    def _question(self) -> Sequence[Widget]:
        words = AnswerLine(self._words, id="words", classes="field", select_on_focus=False)
        words.is_ready = bool(self._words.strip())
        return (
            paragraph("A file, a folder, a package, an address or a command."),
            words,
            paragraph("For example", "examples"),
            *(
                Horizontal(
                    Static(Content(typed), classes="typed"),
                    Static(Content(meaning), classes="meaning"),
                    classes="example",
                )
                for typed, meaning in EXAMPLES
            ),
        )

    def compose_status(self) -> Iterable[Widget]:
        """Yield what is under way or went wrong."""
        yield Static(classes="told")

    def compose_buttons(self) -> Iterable[Button]:
        """Yield the way back and the way on."""
        yield Button("Cancel", id="back", compact=True)
        yield Button("Review", id="go", variant="primary", compact=True)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done now."""
        if action == "go":
            return self._plan is not None and not self._is_busy
        return True

    # Asking

    @on(Input.Changed, "#words")
    def _words_changed(self, message: Input.Changed) -> None:
        message.stop()
        self._words = message.value
        self.query_one("#words", AnswerLine).is_ready = bool(message.value.strip())
        self._tell("", "")

    @on(Input.Submitted, "#words")
    def _words_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self._ask_plan()

    @on(Button.Pressed)
    def _pressed(self, message: Button.Pressed) -> None:
        message.stop()
        if message.button.id == "back":
            self.action_close()
        elif self._plan is None:
            self._ask_plan()
        else:
            self.action_go()

    def _ask_plan(self) -> None:
        if self._is_busy or not self._words.strip():
            return
        self._set_busy("finding out what that would do")
        self.post_message(self.PlanRequested(self, self._words.strip()))

    def action_go(self) -> None:
        """Have done what was reviewed, unless something stands against it."""
        if self._is_busy or self._plan is None or self._request is None:
            return
        if (bad := self._problem_row()) is not None:
            bad.control.focus()
            return
        request = self._reviewed(self._plan, self._request)
        self._set_busy("upgrading" if self._purpose.is_upgrade else "installing")
        self.post_message(self.InstallRequested(self, request))

    def action_close(self) -> None:
        """Go back to the line, or close where that is what is shown."""
        if self._plan is None or self._is_busy:
            self.dismiss(None)
            return
        self._plan = self._request = None
        self._tell("", "")
        self.call_later(self._show_question)

    # Being told

    def show_plan(self, request: InstallRequest, plan: InstallPlan) -> None:
        """Show what a request would do; told after it was closed, it does nothing."""
        if not self.is_attached:
            return
        self._request, self._plan = request, plan
        self._set_busy("")
        self.call_later(self._show_review, plan)

    def show_error(self, sentence: str) -> None:
        """Say why it was not done; what was typed stays."""
        if not self.is_attached:
            return
        self._set_busy("")
        said = f"{sentence[:1].upper()}{sentence[1:]}"
        self._tell(f"{self.glyphs.run_failed} {said}", BAD)
        words = self.query("#words")
        (words.first() if words else self.query_one("#go")).focus()

    def show_done(self) -> None:
        """Close: it was done."""
        if self.is_attached:
            self.dismiss(None)

    # The two pages

    async def _show_question(self) -> None:
        await self._fill(self._question())
        self._label_buttons("Cancel", "Review")
        self.query_one("#words").focus()

    async def _show_review(self, plan: InstallPlan) -> None:
        await self._fill(self._review(plan))
        self._label_buttons("Back", self._purpose.verb)
        if self.query(FormRow):
            self.query(FormRow).first().control.focus()
        else:
            self.query_one("#go").focus()

    async def _fill(self, widgets: Sequence[Widget]) -> None:
        body = self.query_one(Body)
        await body.remove_children()
        await body.mount_all(widgets)
        body.scroll_home(animate=False)
        self.refresh_bindings()

    def _label_buttons(self, back: str, go: str) -> None:
        self.query_one("#back", Button).label = Content(back)
        self.query_one("#go", Button).label = Content(go)

    def _review(self, plan: InstallPlan) -> Sequence[Widget]:
        facts = [FactRow(fact) for fact in (*warnings_of(plan.notes), *plan_facts(plan))]
        facts[-1].add_class("-last")
        name = () if self._purpose.is_upgrade else (_name_row(plan.name),)
        return (*name, *facts, *self._switches(plan))

    def _switches(self, plan: InstallPlan) -> Iterable[Widget]:
        if plan.copy is not None:
            yield _switch("resolve", "Pinned copy", plan.copy.sentence)
        if needs_consent(plan):
            hint = "Every user of this machine can read a command line"
            yield _switch("secret_arguments", "Show secret", hint)
        if not self._purpose.is_upgrade:
            yield _switch("protected", "Protected", "Stop and respawn ask for a reason")
            yield _switch("start", "Start", "", text="true")

    def _row(self, key: str) -> FormRow | None:
        return next((row for row in self.query(FormRow) if row.key == key), None)

    def _is_on(self, key: str) -> bool:
        row = self._row(key)
        return row is not None and row.text == "true"

    def _problem_row(self) -> FormRow | None:
        """Say below the row what stands against it, and return that row."""
        name, shown = self._row("name"), self._row("secret_arguments")
        if name is not None and not is_valid_name(name.text.strip()):
            name.say(problem="1 to 63 of a-z, 0-9 and -, beginning with a letter or digit")
            return name
        if shown is not None and not self._is_on("secret_arguments"):
            shown.say(problem="it cannot run without this; say yes, or go back")
            return shown
        return None

    def _reviewed(self, plan: InstallPlan, request: InstallRequest) -> InstallRequest:
        name = self._row("name")
        taken = replace(
            request,
            name=name.text.strip() if name is not None else request.name,
            sha256=plan.sha256 or request.sha256,
            resolve=self._is_on("resolve"),
            secret_arguments=self._is_on("secret_arguments"),
        )
        if self._purpose.is_upgrade:
            return taken
        settings = replace(taken.settings, protected=self._is_on("protected"))
        return replace(taken, settings=settings, start=self._is_on("start"))

    @on(FormRow.Edited)
    def _row_edited(self, message: FormRow.Edited) -> None:
        message.stop()
        message.row.say()

    # Saying

    def _set_busy(self, words: str) -> None:
        self._is_busy = bool(words)
        self._tell(f"{self.glyphs.run_active} {words}" if words else "", ACCENT)
        for control in self.query("FormRow, #words, #go"):
            control.disabled = self._is_busy
        self.refresh_bindings()

    def _tell(self, text: str, style: str) -> None:
        line = self.query_one(".told", Static)
        line.update(Content.styled(text, style or MUTED) if text else "")
        line.set_class(bool(text), "-said")


def _name_row(name: str) -> FormRow:
    return FormRow("name", "Name", LineInput(name), required=True)


def _switch(key: str, label: str, hint: str, *, text: str = "") -> FormRow:
    return FormRow(key, label, Segments(_YES_NO, text), hint=hint)
