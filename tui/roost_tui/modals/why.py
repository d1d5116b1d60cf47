"""`WhyModal`: why a bundle is down: every check in order, and the key that mends it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from roost.client.amounts import clock_time
from roost.models import BundleView, WhyReport, WhyStatus, WhyStep
from roost_tui.actions import KeyAction
from roost_tui.log_entries import harmless
from roost_tui.modals.frame import Body, Frame
from roost_tui.modals.palette import ACCENT, BAD, GOOD, WARN
from roost_tui.modals.why_row import WhyRow, copied_text

LOOKING = "Checking definition, runtime, install, credentials, process and answers."

Standing = tuple[object, ...]
"""What of a bundle makes an answer outdated when it changes."""


def standing_of(view: BundleView) -> Standing:
    """Return what the checks look at, as far as a row tells."""
    generation = view.generation.id if view.generation else None
    return view.state, view.step, generation, view.credential_revision, view.stale


def first_failing(report: WhyReport) -> WhyStep | None:
    """Return the answer: the first check that failed."""
    return next((step for step in report.steps if step.status is WhyStatus.FAILED), None)


class WhyModal(Frame[str]):
    """The ordered check of one bundle; answers with the id of the action that is to mend it.

    It asks for the check by a message and is told by `show_report` and `show_error`. What was
    found stays in view while it asks again.

    Args:
        bundle: the bundle as it is now.
        mends: the actions that can be begun from here, by id.
    """

    DEFAULT_CSS = """
    WhyModal > .panel { width: 112; }
    WhyModal .summary { width: 1fr; height: auto; margin-top: 1; }
    WhyModal .changed { width: 1fr; height: auto; color: $text-warning; display: none; }
    WhyModal .changed.-shown { display: block; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll(-1)", "scroll", id="why.up", key_display="up/down"),
        Binding("down,j", "scroll(1)", "Scroll down", id="why.down", show=False),
        Binding("y", "copy", "copy the command", id="why.copy", tooltip="Copy what mends it"),
        Binding("r", "check", "check again", id="why.check", tooltip="Look once more"),
        Binding("q,w", "close", "Close", id="why.close", show=False),
    ]

    class CheckRequested(Message):
        """The operator wants to know what is so now; `modal` is to be told."""

        def __init__(self, modal: WhyModal, workspace: str, bundle: str) -> None:
            super().__init__()
            self.modal = modal
            self.workspace = workspace
            self.bundle = bundle

    def __init__(self, bundle: BundleView, mends: Mapping[str, KeyAction]) -> None:
        super().__init__(f"Why {bundle.workspace}/{bundle.name}")
        self._bundle = bundle
        self._mends = {name: entry for name, entry in mends.items() if entry.keys}
        self._report: WhyReport | None = None
        self._is_busy = False
        self.add_class("-wide")
        for name, entry in self._mends.items():
            self._bindings.bind(entry.keys, f"mend('{name}')", entry.label)

    def compose_head(self) -> Iterable[Widget]:
        """Yield the answer, and a word when the bundle has moved since."""
        yield Static(classes="summary")
        yield Static(classes="changed")

    def on_mount(self) -> None:
        """Begin to look, unless it was closed before it was laid out."""
        if self.query(".summary"):
            self.action_check()

    # Asking

    def action_check(self) -> None:
        """Ask for the check, unless one is under way."""
        if self._is_busy:
            return
        self._is_busy = True
        self._say(f"{self.glyphs.run_active} {LOOKING}", ACCENT)
        self._mark_changed(is_changed=False)
        request = self.CheckRequested(self, self._bundle.workspace, self._bundle.name)
        self.post_message(request)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done now."""
        if action == "check":
            return not self._is_busy
        if action == "copy":
            return self._failing is not None
        if action == "mend":
            return str(parameters[0]) in self._mending
        return True

    # Being told

    def show_report(self, report: WhyReport) -> None:
        """Show this answer; told after it was closed, it does nothing."""
        if not self.is_attached:
            return
        self._is_busy = False
        self._report = report
        self._say(*self._summary(report))
        self.query_one(".panel").border_subtitle = Content(
            f"checked at {clock_time(report.checked_at)}"
        )
        self.call_later(self._fill, report)

    def show_error(self, sentence: str) -> None:
        """Say why nothing was found out; what was found before stays."""
        if not self.is_attached:
            return
        self._is_busy = False
        said = f"{sentence[:1].upper()}{sentence[1:]}"
        self._say(f"{self.glyphs.run_failed} {said}", BAD)

    def show_phases(self, view: BundleView) -> None:
        """Take the newest view of the bundle: an answer about how it was is not one any more."""
        if standing_of(view) != standing_of(self._bundle):
            self._mark_changed(is_changed=self._report is not None)
        self._bundle = view

    def _mark_changed(self, *, is_changed: bool) -> None:
        note = self.query_one(".changed", Static)
        note.set_class(is_changed, "-shown")
        note.update(Content(f"{self.glyphs.attention} It has changed since; r checks again."))

    def _summary(self, report: WhyReport) -> tuple[str, str]:
        sentence = harmless(report.sentence)
        if report.is_up:
            return f"{self.glyphs.run_done} {sentence}", GOOD
        if first_failing(report) is None:
            return f"{self.glyphs.run_pending} {sentence}", WARN
        return f"{self.glyphs.run_failed} {sentence}", f"bold {BAD}"

    def _say(self, text: str, style: str) -> None:
        self.query_one(".summary", Static).update(Content.styled(text, style))
        self.refresh_bindings()

    async def _fill(self, report: WhyReport) -> None:
        body = self.query_one(Body)
        rows = [WhyRow(step, self._mends.get(step.action or "")) for step in report.steps]
        await body.remove_children()
        await body.mount_all(rows)
        failing = first_failing(report)
        for row in rows:
            if row.step is failing:
                body.call_after_refresh(row.scroll_visible, animate=False)

    # Doing

    @property
    def _failing(self) -> WhyStep | None:
        return first_failing(self._report) if self._report is not None else None

    @property
    def _mending(self) -> frozenset[str]:
        """The actions that some check names."""
        steps = self._report.steps if self._report is not None else ()
        return frozenset(step.action for step in steps if step.action in self._mends)

    def action_mend(self, action_id: str) -> None:
        """Close, and let the action begin that mends it."""
        self.dismiss(action_id)

    def action_copy(self) -> None:
        """Copy what mends it."""
        if self._failing is not None:
            text = copied_text(self._failing)
            self.app.copy_to_clipboard(text)
            self.notify(f"Copied {text.partition(chr(10))[0]}", markup=False)

    def action_scroll(self, rows: int) -> None:
        """Scroll by rows."""
        self.query_one(Body).scroll_relative(y=rows, animate=False)
