"""`PickerModal`: choose one of several named things, narrowed by typing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from textual import on
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input

from roost_tui.glyphs import UNICODE, Glyphs
from roost_tui.modals.choice_list import Choice, ChoiceList, FilterLine
from roost_tui.modals.frame import Frame
from roost_tui.modals.palette import GOOD, MUTED

PickerEntry = tuple[str, str, str]
"""A value, its label and a hint beside it."""


def picker_choices(
    entries: Sequence[PickerEntry], selected: str | None, glyphs: Glyphs = UNICODE
) -> list[Choice]:
    """Return the entries with labels and hints in columns and the selected one marked."""
    width = max((cell_len(label) for _, label, _ in entries), default=0)
    return [
        _choice(entry, width, f"{glyphs.chosen} " if entry[0] == selected else "  ")
        for entry in entries
    ]


def _choice(entry: PickerEntry, width: int, mark: str) -> Choice:
    value, label, hint = entry
    padding = " " * (width - cell_len(label) + 3)
    prompt = Content.assemble((mark, GOOD), label, padding if hint else "", (hint, MUTED))
    return Choice(value, prompt, f"{label} {hint}")


class PickerModal(Frame[str | None]):
    """Choose one of several; the present one is marked and under the cursor.

    Args:
        title: What is chosen.
        entries: Value, label and hint of each.
        selected: The present value.
    """

    AUTO_FOCUS = "Input"

    def __init__(
        self, title: str, entries: Sequence[PickerEntry], selected: str | None = None
    ) -> None:
        super().__init__(title)
        self._entries = tuple(entries)
        self._selected = selected

    def compose_head(self) -> Iterable[Widget]:
        """Yield the line to filter by."""
        yield FilterLine()

    def compose_main(self) -> ChoiceList:
        """Return the list."""
        choices = picker_choices(self._entries, self._selected, self.glyphs)
        return ChoiceList(choices, selected=self._selected)

    @on(Input.Changed)
    def _filter_changed(self, message: Input.Changed) -> None:
        message.stop()
        self.query_one(ChoiceList).narrow(message.value)

    @on(Input.Submitted)
    def _filter_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self.query_one(ChoiceList).choose()

    @on(ChoiceList.Chosen)
    def _chosen(self, message: ChoiceList.Chosen) -> None:
        message.stop()
        self.dismiss(message.value)

    def action_move(self, how: str) -> None:
        """Move the cursor of the list."""
        getattr(self.query_one(ChoiceList), f"action_{how}")()
