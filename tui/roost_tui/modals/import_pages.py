"""The pages of the import: what was found, which of it, what it asks, the yes and the outcome.

Each page answers with the step to take; what is chosen so far is kept in one `Draft`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Static

from roost.client.amounts import plural
from roost.models import (
    FieldValue,
    ImportChoice,
    ImportedFile,
    ImportEntry,
    ImportOutcome,
    ImportPlan,
    ImportResult,
)
from roost_tui.glyphs import glyphs_of
from roost_tui.import_text import (
    adding_sentence,
    entry_facts,
    file_line,
    files_sentence,
    is_marked_first,
    outcome_sentence,
    vault_sentence,
    what_runs,
)
from roost_tui.log_entries import harmless
from roost_tui.modals.controls import Segments
from roost_tui.modals.fact_row import FactRow
from roost_tui.modals.form_row import FormRow
from roost_tui.modals.frame import Frame, paragraph
from roost_tui.modals.import_list import EntryList
from roost_tui.modals.palette import ACCENT, BAD, GOOD, TONE_STYLES, WARN
from roost_tui.spans import Tone


class Step(Enum):
    """Where a page goes on to."""

    NEXT = auto()
    BACK = auto()


@dataclass
class Draft:
    """What was found and what is chosen of it so far."""

    workspace: str
    plan: ImportPlan
    marked: set[str] = field(default_factory=set)
    pinned: set[str] = field(default_factory=set)
    allowed: set[str] = field(default_factory=set)
    """Entries whose secrets may stand in their command line."""
    answers: dict[str, dict[str, FieldValue]] = field(default_factory=dict, repr=False)
    """By entry and question; dropped once they were sent."""
    starts: bool = False

    @classmethod
    def of(cls, workspace: str, plan: ImportPlan) -> Draft:
        """Begin with what is marked before the operator has chosen."""
        marked = {entry.id for entry in plan.entries if is_marked_first(entry)}
        return cls(workspace, plan, marked)

    @property
    def chosen(self) -> tuple[ImportEntry, ...]:
        """The marked entries, in the order of the plan."""
        return tuple(entry for entry in self.plan.entries if entry.id in self.marked)

    @property
    def asking(self) -> tuple[ImportEntry, ...]:
        """The marked entries that ask for something."""
        return tuple(entry for entry in self.chosen if entry.questions or entry.secret_arguments)

    def choices(self) -> tuple[ImportChoice, ...]:
        """Return what is to be imported."""
        return tuple(
            ImportChoice(
                entry.id,
                answers=dict(self.answers.get(entry.id, {})),
                resolve=entry.id in self.pinned,
                secret_arguments=entry.id in self.allowed,
            )
            for entry in self.chosen
        )

    def forget_answers(self) -> None:
        """Drop what was typed."""
        self.answers.clear()


class Page(Frame[Step | None]):
    """A page of the wizard; escape goes back, and closes on the first one."""

    DEFAULT_CSS = """
    Page > .panel { width: 112; }
    Page .summary { width: 1fr; height: auto; margin-top: 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "back", id="modal.close", tooltip="To the page before"),
        Binding("ctrl+c", "quit_wizard", "Close", id="import.quit", show=False),
    ]

    go_label: ClassVar[str] = "Next"
    back_label: ClassVar[str] = "Back"

    def __init__(self, title: str, subtitle: str = "") -> None:
        super().__init__(title, subtitle)
        self.add_class("-wide")

    def compose_buttons(self) -> Iterable[Button]:
        """Yield the way back and the way on."""
        yield Button(self.back_label, id="back", compact=True)
        yield Button(self.go_label, id="go", variant="primary", compact=True)

    @on(Button.Pressed)
    def _pressed(self, message: Button.Pressed) -> None:
        message.stop()
        if message.button.id == "go":
            self.action_go()
        else:
            self.action_close()

    def action_go(self) -> None:
        """Go on."""
        self.dismiss(Step.NEXT)

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(Step.BACK)

    def action_quit_wizard(self) -> None:
        """Leave all of it; nothing was changed."""
        self.dismiss(None)


class ScanModal(Frame[None]):
    """Says that configurations are looked for; closing it gives up."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "close", "Close", id="import.close", show=False),
    ]

    def __init__(self) -> None:
        super().__init__("Import")
        self._problem = ""

    def compose_body(self) -> Iterable[Widget]:
        """Yield what is under way, or how it ended where that was told before this was laid out."""
        yield Static(self._words, classes="told")

    @property
    def _words(self) -> Content:
        if self._problem:
            return Content.styled(f"{self.glyphs.run_failed} {self._problem}", BAD)
        words = "Looking for the configurations of MCP clients. Nothing is written or run."
        return Content.styled(f"{self.glyphs.run_active} {words}", ACCENT)

    def show_error(self, sentence: str) -> None:
        """Say why nothing was found out."""
        self._problem = f"{sentence[:1].upper()}{sentence[1:]}"
        for line in self.query(".told").results(Static):
            line.update(self._words)


class _FileRow(Horizontal):
    """One configuration: its client, its path and what was found in it."""

    DEFAULT_CSS = """
    _FileRow { height: auto; }
    _FileRow .glyph { width: 3; }
    _FileRow .client { width: 20; height: auto; padding-right: 2; text-style: bold; }
    _FileRow .path { width: 2fr; height: auto; padding-right: 2; color: $foreground 60%; }
    _FileRow .found { width: 1fr; height: auto; }
    """

    def __init__(self, file: ImportedFile) -> None:
        super().__init__()
        self._file = file

    def compose(self) -> ComposeResult:
        glyphs = glyphs_of(self.app)
        words, tone = file_line(self._file)
        glyph = glyphs.run_failed if self._file.problem else glyphs.run_done
        style = BAD if self._file.problem else GOOD
        yield Static(Content.styled(glyph, style), classes="glyph")
        yield Static(Content(harmless(self._file.client)), classes="client")
        yield Static(Content(harmless(self._file.path)), classes="path")
        yield Static(Content.styled(words, TONE_STYLES.get(tone, "")), classes="found")


class FilesPage(Page):
    """The configurations that were found."""

    back_label = "Close"
    body_takes_focus = True

    AUTO_FOCUS = "#go"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "close", id="modal.close", tooltip="Leave; nothing was changed"),
        Binding("q", "close", "Close", id="import.close", show=False),
        Binding("enter", "go", "next", id="import.go", key_display="enter", show=False),
    ]

    def __init__(self, draft: Draft) -> None:
        super().__init__(f"Import into {draft.workspace}", "1 of 3: what was found")
        self._draft = draft

    def compose_head(self) -> Iterable[Widget]:
        """Yield what was found, in a sentence."""
        yield paragraph(files_sentence(self._draft.plan), "summary")

    def compose_body(self) -> Iterable[Widget]:
        """Yield a row per configuration."""
        if not self._draft.plan.files:
            words = "a adds a bundle by hand; `roost import --help` tells how to name other files."
            yield paragraph(words, "muted")
        for file in self._draft.plan.files:
            yield _FileRow(file)

    def on_mount(self) -> None:
        """There is nothing to go on to where no server was found."""
        for button in self.query("#go").results(Button):
            button.disabled = not self._draft.plan.entries
        if not self._draft.plan.entries:
            for button in self.query("#back").results(Button):
                button.focus()

    def action_go(self) -> None:
        """Go on, where there is something to choose from."""
        if self._draft.plan.entries:
            super().action_go()

    def action_close(self) -> None:
        """Leave."""
        self.dismiss(None)


class EntriesPage(Page):
    """The servers that were found, of which some are chosen."""

    DEFAULT_CSS = """
    EntriesPage .about { height: 6; }
    EntriesPage.-tall .about { height: 11; }
    EntriesPage .about FactRow { padding-left: 1; }
    EntriesPage .about FactRow .label { width: 14; }
    EntriesPage .about FactRow .fact { padding-left: 0; }
    """

    AUTO_FOCUS = "#entries"

    def __init__(self, draft: Draft) -> None:
        super().__init__(f"Import into {draft.workspace}", "2 of 3: which of it")
        self._draft = draft
        self._known = {entry.id: entry for entry in draft.plan.entries}
        self._about: object = None

    def compose_head(self) -> Iterable[Widget]:
        """Yield how many are marked."""
        yield Static(classes="summary")

    def compose_main(self) -> Widget:
        """Return the list."""
        return EntryList(self._draft.plan.entries, self._draft.marked, self._draft.pinned)

    def compose_status(self) -> Iterable[Widget]:
        """Yield the place for what is known of the entry under the cursor."""
        yield Vertical(classes="about")

    @on(EntryList.Moved)
    def _moved(self, message: EntryList.Moved) -> None:
        message.stop()
        self._show_count()
        self.refresh_bindings()
        self.call_later(self._show_about)

    def _show_count(self) -> None:
        count = len(self._draft.chosen)
        words = f"{count} of {plural(len(self._known), 'server')} marked; what is not stays out."
        for line in self.query(".summary").results(Static):
            line.update(Content(words))
        for button in self.query("#go").results(Button):
            button.disabled = not count

    async def _show_about(self) -> None:
        entry = self.query_one(EntryList).current if self.query(EntryList) else None
        if entry is None or entry.id == self._about:
            return
        self._about = entry.id
        place = self.query_one(".about")
        await place.remove_children()
        await place.mount_all(FactRow(fact) for fact in entry_facts(entry, self._known))

    def action_go(self) -> None:
        """Go on, where something is marked."""
        if self._draft.chosen:
            super().action_go()


class ConfirmPage(Page):
    """Says exactly what a yes does."""

    DEFAULT_CSS = """
    ConfirmPage .adding { height: auto; }
    ConfirmPage .adding .name { width: 28; height: auto; padding-right: 2; text-style: bold; }
    ConfirmPage .adding .runs { width: 1fr; height: auto; color: $foreground 60%; }
    ConfirmPage .start { margin-top: 1; margin-bottom: 0; }
    ConfirmPage .vault { color: $text-success; }
    """

    AUTO_FOCUS = "#go"
    go_label = "Import"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "go", "import", id="import.do", tooltip="Add these bundles"),
    ]

    def __init__(self, draft: Draft) -> None:
        super().__init__(f"Import into {draft.workspace}", "3 of 3: confirm")
        self._draft = draft

    def compose_head(self) -> Iterable[Widget]:
        """Yield what a yes does, in a sentence."""
        yield paragraph(self._sentence, "summary")
        if said := vault_sentence(self._draft.chosen):
            yield paragraph(said, "vault")

    def compose_body(self) -> Iterable[Widget]:
        """Yield what would be added."""
        for entry in self._draft.chosen:
            how = "pinned copy of " if entry.id in self._draft.pinned else ""
            yield Horizontal(
                Static(Content(entry.name), classes="name"),
                Static(Content(f"{how}{what_runs(entry)}"), classes="runs"),
                classes="adding",
            )

    def compose_status(self) -> Iterable[Widget]:
        """Yield whether they are started."""
        starts = "true" if self._draft.starts else ""
        row = FormRow("start", "Start them", Segments((("no", ""), ("yes", "true")), starts))
        row.add_class("start")
        yield row

    @property
    def _sentence(self) -> str:
        draft = self._draft
        return adding_sentence(draft.chosen, draft.workspace, starts=draft.starts)

    @on(FormRow.Edited)
    def _start_changed(self, message: FormRow.Edited) -> None:
        message.stop()
        self._draft.starts = message.row.text == "true"
        self.query_one(".summary", Static).update(Content(self._sentence))


class _ResultRow(Horizontal):
    """What became of one choice."""

    DEFAULT_CSS = """
    _ResultRow { height: auto; }
    _ResultRow .result { width: 13; }
    _ResultRow .name { width: 26; height: auto; padding-right: 2; text-style: bold; }
    _ResultRow .sentence { width: 1fr; height: auto; }
    """

    def __init__(self, name: str, result: ImportResult) -> None:
        super().__init__()
        self._bundle, self._result = name, result

    def compose(self) -> ComposeResult:
        glyphs = glyphs_of(self.app)
        ok = self._result.ok
        mark = f"{glyphs.run_done} added" if ok else f"{glyphs.run_failed} not added"
        yield Static(Content.styled(mark, GOOD if ok else BAD), classes="result")
        yield Static(Content(self._bundle), classes="name")
        yield Static(Content(harmless(self._result.sentence)), classes="sentence")


class OutcomePage(Page):
    """What became of every choice."""

    AUTO_FOCUS = "#back"
    back_label = "Close"
    body_takes_focus = True

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "close", id="modal.close", key_display="esc"),
    ]

    def __init__(self, draft: Draft, outcome: ImportOutcome) -> None:
        super().__init__(f"Import into {draft.workspace}", "done")
        self._draft = draft
        self._outcome = outcome

    def compose_head(self) -> Iterable[Widget]:
        """Yield how it ended, in a sentence."""
        words, tone = outcome_sentence(self._outcome)
        glyph = self.glyphs.run_done if tone is Tone.OK else self.glyphs.attention
        style = {Tone.OK: GOOD, Tone.WARN: WARN}.get(tone, BAD)
        yield Static(Content.styled(f"{glyph} {words}", style), classes="summary")

    def compose_body(self) -> Iterable[Widget]:
        """Yield a row per choice, what failed first."""
        known = {entry.id: entry.name for entry in self._draft.plan.entries}
        for result in sorted(self._outcome.results, key=lambda result: result.ok):
            yield _ResultRow(result.bundle or known.get(result.id, result.id), result)

    def compose_buttons(self) -> Iterable[Button]:
        """Yield the way out."""
        yield Button(self.back_label, id="back", variant="primary", compact=True)

    def action_close(self) -> None:
        """Close."""
        self.dismiss(None)
