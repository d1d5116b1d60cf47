"""`ArgumentsEditor`: the arguments of one tool as a form and as JSON, kept in step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static, TextArea

from roost.models import ToolView
from roost_tui.glyphs import glyphs_of
from roost_tui.modals.controls import Segments
from roost_tui.modals.form_row import FormRow
from roost_tui.modals.tool_arguments import (
    Arguments,
    BadJson,
    default_texts,
    read_json,
    read_texts,
    texts_of,
)
from roost_tui.modals.tool_choices import tool_heading
from roost_tui.modals.tool_row import ToolRow
from roost_tui.modals.tool_schema import ToolForm, read_schema

_FORM, _JSON = "form", "json"


class ArgumentsEditor(Vertical):
    """Edits the arguments of the tool that was loaded last."""

    DEFAULT_CSS = """
    ArgumentsEditor .heading-line { height: auto; margin-bottom: 1; }
    ArgumentsEditor .heading { width: 1fr; height: auto; }
    ArgumentsEditor .modes { width: 22; background: transparent; border: none; padding: 0; }
    ArgumentsEditor .form-pane {
        height: 1fr;
        padding-right: 1;
        scrollbar-size-vertical: 1;
        scrollbar-color: $foreground 30%;
        scrollbar-background: $foreground 5%;
    }
    ArgumentsEditor .json-pane { height: 1fr; display: none; }
    ArgumentsEditor.-json .json-pane { display: block; }
    ArgumentsEditor.-json .form-pane { display: none; }
    ArgumentsEditor .about { width: 1fr; height: auto; margin-bottom: 1; color: $text-muted; }
    ArgumentsEditor .json { height: 1fr; min-height: 3; }
    ArgumentsEditor .json-problem { height: auto; max-height: 4; color: $text-error; }
    ArgumentsEditor .extra { width: 1fr; height: auto; color: $text-muted; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._tool: ToolView | None = None
        self._tool_form = ToolForm()
        self._extra: dict[str, Any] = {}
        self._was_tried = False

    def compose(self) -> ComposeResult:
        """Yield the heading, the form's pane and the JSON's."""
        with Horizontal(classes="heading-line"):
            yield Static(classes="heading")
            modes = Segments([("form", _FORM), ("json", _JSON)], _FORM)
            modes.add_class("modes")
            modes.can_focus = False
            yield modes
        form_pane = VerticalScroll(classes="form-pane")
        form_pane.can_focus = False
        yield form_pane
        with Vertical(classes="json-pane"):
            yield TextArea(
                classes="field json", show_line_numbers=True, highlight_cursor_line=False
            )
            yield Static(classes="json-problem")

    @property
    def tool(self) -> ToolView | None:
        """The tool whose arguments are edited."""
        return self._tool

    @property
    def is_json(self) -> bool:
        """Whether the JSON is in view."""
        return self.has_class("-json")

    @property
    def _area(self) -> TextArea:
        return self.query_one(".json", TextArea)

    async def load(self, tool: ToolView) -> None:
        """Edit another tool's arguments; they start with the defaults."""
        self._tool = tool
        self._tool_form = read_schema(tool.input_schema)
        self._extra = {}
        self._was_tried = False
        self.query_one(".heading", Static).update(tool_heading(tool))
        self._set_mode(_FORM)
        await self._build(default_texts(self._tool_form))

    async def _build(self, texts: Mapping[str, str]) -> None:
        pane = self.query_one(".form-pane", VerticalScroll)
        rows = [ToolRow(entry, texts.get(entry.key, "")) for entry in self._tool_form.fields]
        await pane.remove_children()
        await pane.mount_all([*self._notes(), *rows])
        self._review()

    def _notes(self) -> list[Static]:
        about = self._tool.description.strip() if self._tool else ""
        notes = [Static(Content(about), classes="about")] if about else []
        if not self._tool_form.fields:
            notes.append(Static("It takes no arguments.", classes="about"))
        if self._extra:
            names = ", ".join(self._extra)
            notes.append(Static(Content(f"Set in the JSON and sent too: {names}"), classes="about"))
        return notes

    def focus_first(self) -> None:
        """Put the focus where editing goes on: the first field, or the JSON."""
        rows = list(self.query(ToolRow))
        if self.is_json or not rows:
            self._area.focus()
            return
        rows[0].control.focus()

    # Form and JSON

    async def switch(self) -> None:
        """Go to the other of form and JSON; invalid JSON stays in view and says where it is."""
        if not self.is_json:
            values = self._read_form().values
            self._area.load_text(json.dumps(values, indent=2, ensure_ascii=False))
            self._set_mode(_JSON)
        elif (arguments := self._read_area()) is not None:
            texts, self._extra = texts_of(self._tool_form, arguments.values)
            self._set_mode(_FORM)
            await self._build(texts)
        self.focus_first()

    def _set_mode(self, mode: str) -> None:
        self.set_class(mode == _JSON, "-json")
        self.query_one(".modes", Segments).set_reactive(Segments.text, mode)
        self.query_one(".modes", Segments).refresh()

    @on(Segments.Changed)
    async def _mode_clicked(self, message: Segments.Changed) -> None:
        message.stop()
        if self._tool is not None:
            await self.switch()

    # Reading and checking

    def read(self) -> dict[str, Any] | None:
        """Return the arguments, or None after saying what stands against them."""
        self._was_tried = True
        arguments = self._read_area() if self.is_json else self._read_form()
        if arguments is not None and not arguments.problems:
            return arguments.values
        self._review()
        self._focus_problem()
        return None

    def _read_form(self) -> Arguments:
        texts = {row.key: row.text for row in self.query(ToolRow)}
        return read_texts(self._tool_form, texts, self._extra)

    def _read_area(self) -> Arguments | None:
        """Return what the JSON says; None when it is no object, with the cursor on the place."""
        try:
            return read_json(self._tool_form, self._area.text)
        except BadJson as problem:
            self._area.move_cursor((problem.line - 1, problem.column - 1))
            return None

    def _focus_problem(self) -> None:
        bad = [row for row in self.query(ToolRow) if row.problem]
        (self._area if self.is_json or not bad else bad[0].control).focus()

    def _review(self) -> None:
        if self.is_json:
            self._say_json(self._json_problem())
            return
        problems = self._read_form().problems
        for row in self.query(ToolRow):
            is_untouched = row.text == "" and not self._was_tried
            row.say(problem="" if is_untouched else problems.get(row.key))

    def _json_problem(self) -> str:
        try:
            problems = read_json(self._tool_form, self._area.text).problems
        except BadJson as problem:
            return str(problem)
        return "; ".join(f"{key}: {problem}" for key, problem in problems.items())

    def _say_json(self, problem: str) -> None:
        glyph = glyphs_of(self.app).run_failed
        line = Content(f"{glyph} {problem}" if problem else "")
        self.query_one(".json-problem", Static).update(line)

    @on(FormRow.Edited)
    def _row_edited(self, message: FormRow.Edited) -> None:
        message.stop()
        self._review()

    @on(TextArea.Changed, ".json")
    def _json_edited(self, message: TextArea.Changed) -> None:
        message.stop()
        self._review()
