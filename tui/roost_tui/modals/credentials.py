"""`CredentialsModal`: set, clear and restore a bundle's credentials and watch the respawn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import events, on
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, Static

from roost.clock import Clock, SystemClock
from roost.errors import BundleProtected, RoostError
from roost.models import (
    BundleView,
    CredentialForm,
    CredentialOutcome,
    CredentialWrite,
    Impact,
)
from roost_tui.modals.controls import LineInput
from roost_tui.modals.credential_row import CredentialRow
from roost_tui.modals.credential_values import (
    Change,
    build_write,
    change_of,
    clears_sensitive,
    form_after,
)
from roost_tui.modals.credential_wording import saving_sentence
from roost_tui.modals.form_row import FormRow
from roost_tui.modals.frame import Frame, paragraph
from roost_tui.modals.palette import ACCENT, BAD, GOOD, MUTED
from roost_tui.modals.phase_track import PhaseTrack
from roost_tui.modals.respawn_phases import (
    phases_after,
    phases_of,
    respawn_sentence,
    write_sentence,
)

RESTORE_REASON = (
    "the previous revision leaves a sensitive value unset, and the bundle is protected: give a "
    "reason, then restore again"
)


class CredentialsModal(Frame[None]):
    """The form of a bundle's credentials.

    It asks by messages and is told by `show_phases`, `show_outcome` and `show_error`; it stays open
    after a save, so that the respawn can be watched. Told after it was closed, it does nothing.

    Args:
        form: What is set and since when.
        bundle: The bundle as it is now.
        impact: What a respawn would cut.
        needs_reason: Whether clearing a sensitive field needs a reason.
        clock: Where the present comes from.
    """

    DEFAULT_CSS = """
    CredentialsModal > .panel { width: 92; }
    CredentialsModal .reason { display: none; }
    CredentialsModal .reason.-asked { display: block; }
    CredentialsModal .told { width: 1fr; height: auto; display: none; }
    CredentialsModal .told.-said { display: block; }
    CredentialsModal .cut { margin-top: 0; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "save", id="credentials.save", tooltip="Write what was changed"),
        Binding(
            "ctrl+l",
            "clear_field",
            "clear",
            id="credentials.clear",
            tooltip="Mark this field to be cleared, or keep it again",
        ),
        Binding(
            "ctrl+r",
            "restore",
            "restore",
            id="credentials.restore",
            tooltip="Bring the previous revision back",
        ),
    ]

    AUTO_FOCUS = "CredentialRow .field"

    class SaveRequested(Message):
        """The operator wants this write. Its representation holds no value."""

        def __init__(self, workspace: str, bundle: str, write: CredentialWrite) -> None:
            super().__init__()
            self.workspace = workspace
            self.bundle = bundle
            self.write = write

    class RestoreRequested(Message):
        """The operator wants the previous revision back, for this reason where one was asked."""

        def __init__(self, workspace: str, bundle: str, reason: str | None = None) -> None:
            super().__init__()
            self.workspace = workspace
            self.bundle = bundle
            self.reason = reason

    def __init__(
        self,
        form: CredentialForm,
        *,
        bundle: BundleView,
        impact: Impact,
        needs_reason: bool,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(f"Credentials of {form.workspace}/{form.bundle}", _revision(form))
        self._form = form
        # Kept apart from the tree: secrets are dropped from rows that have left it, too.
        self._rows: list[CredentialRow] = []
        self._view = bundle
        self._before = bundle
        self._impact = impact
        self._needs_reason = needs_reason
        self._clock = clock or SystemClock()
        self._asked: CredentialWrite | None = None
        self._outcome: CredentialOutcome | None = None
        self._is_busy = False
        self._restore_asks_reason = False
        self.add_class("-wide")

    # What stands in it

    def compose_body(self) -> Iterable[Widget]:
        """Yield a row per field, and the reason's that shows when it is asked for."""
        if not self._form.fields:
            yield paragraph("This bundle asks for no credentials.", "muted")
        self._rows = [CredentialRow(entry) for entry in self._form.fields]
        yield from self._rows
        reason = FormRow(
            "reason",
            "Reason",
            LineInput(),
            required=True,
            hint="Why a sensitive value is cleared; kept in the audit log",
        )
        reason.add_class("reason")
        yield reason

    def compose_status(self) -> Iterable[Widget]:
        """Yield what saving cuts, the respawn's phases and what came of it."""
        sentence = saving_sentence(self._view, self._impact) if self._form.fields else ""
        yield paragraph(sentence, "cut")
        yield Static(classes="told", id="written")
        yield PhaseTrack()
        yield Static(classes="told", id="respawned")

    def compose_buttons(self) -> Iterable[Button]:
        """Yield the buttons; restoring has its key only."""
        is_empty = not self._form.fields
        yield Button("Close", id="close", compact=True)
        yield Button("Save", id="save", variant="primary", compact=True, disabled=is_empty)

    def on_mount(self) -> None:
        """Say what is stored, unless it was closed before it was laid out."""
        if self.query(".reason"):
            self._refresh_rows()

    @property
    def _reason_row(self) -> FormRow:
        return self.query_one(".reason", FormRow)

    # Editing

    @on(FormRow.Edited)
    def _row_edited(self, message: FormRow.Edited) -> None:
        message.stop()
        if isinstance(message.row, CredentialRow):
            message.row.edited()
        self._refresh_rows()
        if not self._is_busy and (self._outcome is None or self._has_changes()):
            self._show_cut(True)

    def _refresh_rows(self) -> list[CredentialRow]:
        """Say anew what stands below each field and return the rows that have a problem."""
        now = self._clock.now()
        rows = [row for row in self._rows if not row.disabled]
        bad = [row for row in rows if row.review(now)]
        self._reason_row.set_class(self._asks_reason(), "-asked")
        if self._reason_row.text.strip():
            self._reason_row.say()
        return bad

    def _has_changes(self) -> bool:
        return any(change_of(r.entry, r.draft) is not Change.KEEP for r in self._rows)

    def _show_cut(self, is_shown: bool) -> None:
        self.query_one(".cut").display = is_shown

    def _asks_reason(self) -> bool:
        return self._restore_asks_reason or self._save_asks_reason()

    def _save_asks_reason(self) -> bool:
        drafts = {row.key: row.draft for row in self._rows}
        return self._needs_reason and clears_sensitive(self._form, drafts)

    def action_clear_field(self) -> None:
        """Mark the focused field to be cleared, or take the mark back."""
        if (row := self._focused_row()) is not None:
            row.toggle_clear()
            self._refresh_rows()

    def _focused_row(self) -> CredentialRow | None:
        if self.focused is None:
            return None
        return next((n for n in self.focused.ancestors if isinstance(n, CredentialRow)), None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done now."""
        if action == "save":
            return not self._is_busy and bool(self._form.fields)
        if action == "restore":
            return not self._is_busy and self._form.can_restore
        if action == "clear_field":
            return not self._is_busy and self._focused_row() is not None
        return True

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The field that has the focus decides which keys are offered."""
        self.refresh_bindings()

    # Asking

    def action_save(self) -> None:
        """Ask for the write, unless something stands against it."""
        if bad := self._refresh_rows():
            bad[0].control.focus()
            return
        if self._save_asks_reason() and not self._reason:
            return self._ask_reason("a reason is needed to clear a sensitive value")
        if not self._has_changes():
            text = f"{self.glyphs.todo} nothing was changed, so there is nothing to save"
            self._tell("written", text, MUTED)
            return
        write = self._write()
        self._begin(write)
        self.post_message(self.SaveRequested(self._form.workspace, self._form.bundle, write))

    def _write(self) -> CredentialWrite:
        drafts = {row.key: row.draft for row in self._rows}
        reason = self._reason if self._save_asks_reason() else None
        return build_write(self._form, drafts, reason)

    def action_restore(self) -> None:
        """Ask for the previous revision; the reason is asked for once the engine wants one."""
        if self._restore_asks_reason and not self._reason:
            return self._ask_reason(RESTORE_REASON)
        reason = self._reason if self._restore_asks_reason else None
        self._begin(None)
        request = self.RestoreRequested(self._form.workspace, self._form.bundle, reason)
        self.post_message(request)

    @property
    def _reason(self) -> str:
        return self._reason_row.text.strip()

    def _ask_reason(self, problem: str) -> None:
        self._reason_row.say(problem=problem)
        self._reason_row.control.focus()

    def _begin(self, write: CredentialWrite | None) -> None:
        self._asked = write
        self._before = self._view
        self._outcome = None
        self._set_busy(True)
        verb = "saving" if write else "restoring"
        self._tell("written", f"{self.glyphs.run_active} {verb} and respawning", ACCENT)
        self._tell("respawned", "", "")
        self.query_one(PhaseTrack).show(phases_of(self._view, self._before))

    def _set_busy(self, is_busy: bool) -> None:
        self._is_busy = is_busy
        for row in self.query(FormRow):
            row.disabled = is_busy
        self.query_one("#save").disabled = is_busy or not self._form.fields
        self._show_cut(not is_busy and self._outcome is None)
        self.refresh_bindings()

    @on(Button.Pressed)
    def _pressed(self, message: Button.Pressed) -> None:
        message.stop()
        if message.button.id == "save":
            self.action_save()
        else:
            self.action_close()

    # Being told

    def show_phases(self, view: BundleView) -> None:
        """Show how far the respawn is; called on each change of the bundle."""
        self._view = view
        if not self.is_attached:
            return
        if self._is_busy:
            self.query_one(PhaseTrack).show(phases_of(view, self._before))
        elif self._outcome is not None:
            self._show_respawn(self._outcome)

    def show_outcome(self, outcome: CredentialOutcome) -> None:
        """Show what was written and, apart from it, how the respawn ended."""
        if not self.is_attached:
            return
        was_restore = self._asked is None
        self._outcome = outcome
        self._restore_asks_reason = False
        self._set_busy(False)
        done = write_sentence(outcome, restored=was_restore)
        self._tell("written", f"{self.glyphs.run_done} {done}", GOOD)
        self._show_respawn(outcome)
        if self._asked is not None:
            self.show_form(form_after(self._form, self._asked, outcome, self._clock.now()))
        else:
            self._lock_restored(outcome)
        self._asked = None
        self.query_one("#close").focus()

    def _show_respawn(self, outcome: CredentialOutcome) -> None:
        track = self.query_one(PhaseTrack)
        if outcome.respawn is None:
            track.hide()
            self._tell("respawned", f"{self.glyphs.off} {respawn_sentence(outcome)}", MUTED)
            return
        phases = phases_after(outcome.respawn, self._view, self._before)
        track.show(phases, respawn_sentence(outcome))

    def show_form(self, form: CredentialForm) -> None:
        """Show the form as it is stored now; what was typed is dropped."""
        self._form = form
        entries = {entry.field.key: entry for entry in form.fields}
        for row in self._rows:
            row.load(entries.get(row.key, row.entry))
        self._reason_row.text = ""
        self.query_one(".panel").border_subtitle = Content(_revision(form))
        self._refresh_rows()
        self.refresh_bindings()

    def _lock_restored(self, outcome: CredentialOutcome) -> None:
        for row in self._rows:
            if row.key in outcome.changed:
                row.seal(f"restored by revision {outcome.revision}; open the form again to edit it")

    def show_error(self, error: RoostError) -> None:
        """Show why nothing was written; the problems of fields stand below them."""
        if not self.is_attached:
            return
        was_restore = self._asked is None
        self._asked = None
        self._set_busy(False)
        self.query_one(PhaseTrack).hide()
        if was_restore and error.code == BundleProtected.code:
            self._restore_asks_reason = True
            self._tell("written", "", "")
            self._refresh_rows()
            return self._ask_reason(RESTORE_REASON)
        unplaced = self._place_problems(error.details.get("fields"))
        words = error.message if unplaced else "nothing was written; correct the marked fields"
        self._tell("written", f"{self.glyphs.run_failed} {words}", BAD)
        bad = self._refresh_rows()
        (bad[0].control if bad else self.query_one("#close")).focus()

    def _place_problems(self, problems: object) -> bool:
        """Put the engine's problems below their fields; say whether one has no field here."""
        if not isinstance(problems, dict) or not problems:
            return True
        rows = {row.key: row for row in self._rows}
        for key, problem in problems.items():
            if key in rows:
                rows[key].tell_problem(str(problem))
        return any(key not in rows for key in problems)

    def _tell(self, where: str, text: str, style: str) -> None:
        line = self.query_one(f"#{where}", Static)
        line.update(Content.styled(text, style) if text else "")
        line.set_class(bool(text), "-said")

    # Leaving

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Drop what was typed and close."""
        self._drop_typed()
        return super().dismiss(result)

    def on_unmount(self) -> None:
        """Drop what was typed however the screen went away."""
        self._drop_typed()

    def _drop_typed(self) -> None:
        self._asked = None
        for row in self._rows:
            if row.entry.field.sensitive:
                row.drop()


def _revision(form: CredentialForm) -> str:
    return f"revision {form.revision}" if form.revision else "nothing written yet"
