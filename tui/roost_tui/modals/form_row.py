"""`FormRow`: a label, its control and the lines below it; labels of all rows align."""

from __future__ import annotations

from typing import cast

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Select, Static, TextArea

from roost_tui.glyphs import glyphs_of
from roost_tui.modals.controls import HasText, LineInput, Segments
from roost_tui.modals.palette import WARN
from roost_tui.modals.secret_input import SecretInput


class FormRow(Horizontal):
    """One field of a form.

    Args:
        key: Name of the field, as the form's owner knows it.
        label: What stands beside the control.
        control: What the value is typed in.
        required: Whether the label is marked.
        hint: What the field is for; may be empty.
    """

    DEFAULT_CSS = """
    FormRow { height: auto; margin-bottom: 1; }
    FormRow .marker { width: 2; visibility: hidden; color: $text-accent; text-style: bold; }
    FormRow.-focused .marker { visibility: visible; }
    FormRow .label { width: 20; height: auto; padding-right: 2; }
    FormRow.-focused .label { text-style: bold; }
    FormRow .value { width: 1fr; height: auto; }
    FormRow .value > Static { width: 1fr; height: auto; padding-left: 2; display: none; }
    FormRow .value > Static.-said { display: block; }
    FormRow .hint, FormRow .status { color: $text-muted; }
    FormRow .warning { color: $text-warning; }
    FormRow .problem { color: $text-error; }
    FormRow Select.field { height: 1; padding: 0; }
    FormRow Select.field > SelectCurrent { padding: 0 1; background: transparent; }
    FormRow .lines { height: auto; min-height: 3; max-height: 8; }
    FormRow.-bad .field { border-left: vkey $error; border-right: vkey $error; }
    """

    class Edited(Message):
        """What stands in the row was changed."""

        def __init__(self, row: FormRow) -> None:
            super().__init__()
            self.row = row

    def __init__(
        self, key: str, label: str, control: Widget, *, required: bool = False, hint: str = ""
    ) -> None:
        super().__init__()
        self.key = key
        self.control = control
        self._notice = ""
        self._label = Content.assemble(label, (" *", f"bold {WARN}") if required else "")
        self._lines = {"hint": hint, "status": "", "warning": "", "problem": ""}

    def compose(self) -> ComposeResult:
        """Lay out marker, label and the control with its lines."""
        yield Static(glyphs_of(self.app).cursor, classes="marker")
        yield Static(self._label, classes="label")
        with Vertical(classes="value"):
            yield self.control
            for name, text in self._lines.items():
                yield Static(self._line(name, text), classes=f"{name}{' -said' * bool(text)}")

    @property
    def text(self) -> str:
        """What stands in the control."""
        return cast(HasText, self.control).text

    @text.setter
    def text(self, text: str) -> None:
        cast(HasText, self.control).text = text

    def say(
        self, *, status: str = "", warning: str | None = None, problem: str | None = None
    ) -> None:
        """Set the lines below the control; a problem stands alone."""
        shown = (
            {"problem": problem}
            if problem
            else {"status": status, "warning": warning or self._notice}
        )
        for name in ("status", "warning", "problem"):
            self._set_line(name, shown.get(name) or "")
        self.set_class(bool(problem), "-bad")

    def _set_line(self, name: str, text: str) -> None:
        if self._lines[name] != text:
            self._lines[name] = text
            for line in self.query(f".{name}").results(Static):  # none before it is laid out
                line.update(self._line(name, text))
                line.set_class(bool(text), "-said")

    @property
    def problem(self) -> str:
        """The problem that is shown, or nothing."""
        return self._lines["problem"]

    def _line(self, name: str, text: str) -> Content:
        glyphs = glyphs_of(self.app)
        glyph = {"warning": glyphs.attention, "problem": glyphs.run_failed}.get(name)
        return Content(f"{glyph} {text}" if glyph and text else text)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Mark the row and bring it into view, its lines included."""
        self.add_class("-focused")
        # Its lines may have been set a moment ago: only what is laid out has a place.
        self.call_after_refresh(self.scroll_visible, animate=False)

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        """Take the mark away."""
        self.remove_class("-focused")

    @on(Input.Changed)
    @on(TextArea.Changed)
    @on(Select.Changed)
    @on(Segments.Changed)
    @on(SecretInput.Edited)
    def _control_changed(self, message: Message) -> None:
        message.stop()
        self._notice = ""
        self.post_message(self.Edited(self))

    @on(LineInput.Trimmed)
    def _paste_trimmed(self, message: LineInput.Trimmed) -> None:
        message.stop()
        self._notice = message.sentence
        self.post_message(self.Edited(self))
