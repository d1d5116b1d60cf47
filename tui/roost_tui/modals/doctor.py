"""`DoctorModal`: what is wrong with what the daemon stands on, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from roost.client.amounts import clock_time, plural
from roost.models import DoctorReport, Finding, Severity
from roost_tui.modals.finding_row import FindingRow, copied_text
from roost_tui.modals.frame import Body, Frame
from roost_tui.modals.palette import ACCENT, BAD, GOOD, WARN

GROUPS = (Severity.PROBLEM, Severity.WARNING, Severity.OK)
"""What needs a hand comes first."""

LOOKING = "Checking directories, permissions, the socket, runtimes and disk; it takes seconds."

INSTEAD = "Run `roost doctor` in a shell: it looks without a daemon, too."


def grouped(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings by how much they matter, each group in the order of the checks."""
    return [finding for group in GROUPS for finding in findings if finding.severity is group]


def summary(findings: Sequence[Finding]) -> tuple[str, str]:
    """Return the findings in one sentence, and the style that it is said in."""
    problems, warnings = (
        sum(finding.severity is group for finding in findings) for group in GROUPS[:2]
    )
    if not problems and not warnings:
        return f"All is well: {plural(len(findings), 'check')}, nothing to mend.", GOOD
    counts = [(problems, "problem"), (warnings, "warning")]
    said = ", ".join(plural(count, noun) for count, noun in counts if count)
    return f"{said}; {len(findings) - problems - warnings} ok.", BAD if problems else WARN


class DoctorModal(Frame[None]):
    """The findings of the daemon's doctor.

    It asks for them by a message and is told by `show_report` and `show_error`. What was found
    stays in view while it asks again.
    """

    DEFAULT_CSS = """
    DoctorModal > .panel { width: 112; }
    DoctorModal .summary { width: 1fr; height: auto; margin-top: 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "step(-1)", "move", id="doctor.up", key_display="up/down"),
        Binding("down,j", "step(1)", "Down", id="doctor.down", show=False),
        Binding("y", "copy", "copy the command", id="doctor.copy", tooltip="Copy what mends it"),
        Binding("r", "check", "check again", id="doctor.check", tooltip="Look once more"),
        Binding("q,d", "close", "Close", id="doctor.close", show=False),
    ]

    class CheckRequested(Message):
        """The operator wants to know what is so now; `modal` is to be told."""

        def __init__(self, modal: DoctorModal) -> None:
            super().__init__()
            self.modal = modal

    def __init__(self) -> None:
        super().__init__("Doctor")
        self._report: DoctorReport | None = None
        self._is_busy = False
        self.add_class("-wide")

    def compose_head(self) -> Iterable[Widget]:
        """Yield the summary."""
        yield Static(classes="summary")

    def on_mount(self) -> None:
        """Begin to look, unless it was closed before it was laid out."""
        if self.query(".summary"):
            self.action_check()

    # Asking

    def action_check(self) -> None:
        """Ask for the findings, unless that is under way."""
        if self._is_busy:
            return
        self._is_busy = True
        self._say(f"{self.glyphs.run_active} {LOOKING}", ACCENT)
        self.post_message(self.CheckRequested(self))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done now."""
        if action == "check":
            return not self._is_busy
        if action in ("step", "copy"):
            return self._report is not None
        return True

    # Being told

    def show_report(self, report: DoctorReport) -> None:
        """Show these findings; told after it was closed, it does nothing."""
        if not self.is_attached:
            return
        self._is_busy = False
        self._report = report
        words, style = summary(report.findings)
        glyph = self.glyphs.run_done if style == GOOD else self.glyphs.attention
        self._say(f"{glyph} {words}", style)
        checked = f"checked at {clock_time(report.checked_at)}"
        self.query_one(".panel").border_subtitle = Content(checked)
        self.call_later(self._fill, grouped(report.findings))

    def show_error(self, sentence: str) -> None:
        """Say why nothing was found out; what was found before stays."""
        if not self.is_attached:
            return
        self._is_busy = False
        said = f"{sentence[:1].upper()}{sentence[1:]}"
        self._say(f"{self.glyphs.run_failed} {said}. {INSTEAD}", BAD)

    def _say(self, text: str, style: str) -> None:
        self.query_one(".summary", Static).update(Content.styled(text, style))
        self.refresh_bindings()

    async def _fill(self, findings: Sequence[Finding]) -> None:
        before = self._chosen
        body = self.query_one(Body)
        rows = [FindingRow(finding) for finding in findings]
        await body.remove_children()
        await body.mount_all(rows)
        same = (row for row in rows if before and row.finding.check == before.finding.check)
        chosen = next(same, rows[0] if rows else None)
        if chosen is not None:
            chosen.focus()

    # Moving and copying

    @property
    def _chosen(self) -> FindingRow | None:
        return self.focused if isinstance(self.focused, FindingRow) else None

    def action_step(self, by: int) -> None:
        """Go to a neighbour."""
        rows = list(self.query(FindingRow))
        at = rows.index(self._chosen) + by if self._chosen in rows else 0
        if rows:
            rows[max(0, min(at, len(rows) - 1))].focus()

    def action_copy(self) -> None:
        """Copy what mends the finding."""
        if (row := self._chosen) is not None:
            text = copied_text(row.finding)
            self.app.copy_to_clipboard(text)
            self.notify(f"Copied {text.partition(chr(10))[0]}", markup=False)
