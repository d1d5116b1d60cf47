"""What actions do: ask where the rules say so, call the engine, and report how it went."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from textual.screen import ModalScreen

from roost.clock import Clock
from roost.contract import EngineAPI
from roost.errors import RoostError, Unavailable
from roost.models import (
    BundleView,
    CallRequest,
    CredentialOutcome,
    CredentialWrite,
    RunView,
)
from roost_tui.actions import KeyAction
from roost_tui.cut_text import cut_text, daemon_cut
from roost_tui.notes import RowKey, Severity
from roost_tui.selection import Selection
from roost_tui.state import ScreenState

if TYPE_CHECKING:
    from roost.models import InstallRequest
    from roost_tui.additions import Additions, ReadWords
    from roost_tui.modals import CallToolModal, CredentialsModal, DoctorModal, WhyModal
    from roost_tui.modals.add import AddModal
    from roost_tui.modals.task_request import TaskRequest
    from roost_tui.version_changes import VersionChanges

Answer = TypeVar("Answer")

OPENERS = (
    "bundle.credentials",
    "bundle.call",
    "bundle.why",
    "bundle.add",
    "bundle.import",
    "bundle.upgrade",
    "vault.show",
    "vault.rotate",
    "run.exec",
    "task.submit",
    "schedule.list",
    "schedule.put",
    "schedule.pause",
    "schedule.resume",
    "schedule.fire",
    "schedule.remove",
)
"""Actions that nothing has happened to the row by when they fail."""

DEFAULT_WORKSPACE = "default"
"""The workspace that every daemon begins with."""

MENDS = ("bundle.respawn", "bundle.start", "bundle.stop", "bundle.credentials")
"""Actions that can be begun from where it is said why a bundle is down."""


class Desk(Protocol):
    """What operations need of the app."""

    @property
    def clock(self) -> Clock: ...

    @property
    def engine(self) -> EngineAPI | None: ...

    @property
    def entries(self) -> tuple[KeyAction, ...]: ...

    @property
    def screen_state(self) -> ScreenState: ...

    @property
    def shown_workspace(self) -> str | None:
        """The workspace that is shown; None when all are."""

    def begin(self, key: RowKey, words: str) -> None:
        """Mark a row as pending."""

    def end(self, key: RowKey, words: str, *, ok: bool) -> None:
        """Mark how it ended on the row."""

    def forget(self, key: RowKey) -> None:
        """Take the mark away: nothing was done."""

    def say(self, severity: Severity, text: str) -> None:
        """Add a message; warnings and errors are shown at once as well."""

    async def ask(self, question: ModalScreen[Answer]) -> Answer | None:
        """Show a question and wait for the answer."""

    def open_modal(
        self,
        modal: ModalScreen[Answer],
        about: RowKey | None,
        then: Callable[[Answer | None], None] | None = None,
    ) -> None:
        """Show a modal that goes on by messages.

        Args:
            modal: the modal.
            about: the bundle whose changes it shows.
            then: told the answer.
        """

    def begin_operation(self, action_id: str, selection: Selection) -> None:
        """Do an action in a worker of its own."""

    def open_run(self, run: RunView) -> None:
        """Put the cursor on a run."""

    def show_begun(self, run: RunView) -> None:
        """Go from a run to the one that was begun in its place."""

    def open_run_page(self, run: RunView) -> None:
        """Show everything about a run."""

    def unmark(self) -> None:
        """Take the marks away that an action was done for."""

    def show_bundle(self, key: RowKey) -> None:
        """Put the cursor on a bundle, as soon as it is there."""


@dataclass(frozen=True, slots=True)
class Consent:
    """A yes, with the reason where one had to be given."""

    reason: str | None = None


class Operations:
    """Every action that reaches the engine. Each method is the body of one named worker.

    Args:
        desk: what it needs of the app.
        read_words: makes a request of what is to be added; None takes what the command line does.
    """

    def __init__(self, desk: Desk, read_words: ReadWords | None = None) -> None:
        self._desk = desk
        self._given_reader = read_words
        self._adding: Additions | VersionChanges | None = None

    async def perform(self, action_id: str, selection: Selection) -> None:
        """Do an action; what the engine refuses becomes a message."""
        key = selection.row_key
        try:
            await self._dispatch(action_id, selection)
        except RoostError as error:
            if key is not None and action_id not in OPENERS:
                self._desk.end(key, f"{action_id.rpartition('.')[2]} failed", ok=False)
            self._desk.say(Severity.ERROR, error.message)

    async def _dispatch(self, action_id: str, selection: Selection) -> None:
        if action_id == "daemon.stop":
            await self._stop_daemon()
        elif action_id == "daemon.doctor":
            self._open_doctor()
        elif action_id in ("bundle.add", "bundle.import"):
            await self._add(action_id, selection)
        elif action_id.startswith("vault."):
            await self._vault_action(action_id)
        elif action_id.startswith("run."):
            await self._run_action(action_id, selection)
        elif action_id.startswith(("task.", "schedule.")):
            await self._task_action(action_id, selection)
        elif action_id.startswith("snapshot.") and selection.bundle is not None:
            await self._snapshot_action(action_id, selection.bundle)
        elif selection.bundle is not None:
            await self._bundle_action(action_id)(selection.bundle)

    def _bundle_action(self, action_id: str) -> Callable[[BundleView], Awaitable[None]]:
        return {
            "bundle.respawn": self._respawn,
            "bundle.start": self._start,
            "bundle.stop": self._stop,
            "bundle.remove": self._remove,
            "bundle.credentials": self._open_credentials,
            "bundle.call": self._open_call,
            "bundle.why": self._open_why,
            "bundle.upgrade": self._open_upgrade,
            "bundle.rollback": lambda bundle: self._versions_of(bundle).roll_back(),
            "bundle.pin": lambda bundle: self._versions_of(bundle).pin(),
        }[action_id]

    @property
    def _engine(self) -> EngineAPI:
        engine = self._desk.engine
        if engine is None:
            raise Unavailable("nothing was done: the daemon is not connected; try again when it is")
        return engine

    # Bundles

    async def _respawn(self, bundle: BundleView) -> None:
        key = _key(bundle)
        self._desk.begin(key, "respawn")
        consent = await self._consent(
            "Respawn", "Replace its process now?", bundle, "bundle.respawn"
        )
        if consent is None:
            return self._desk.forget(key)
        result = await self._engine.respawn(*key, reason=consent.reason)
        self._finish(
            key, "respawned" if result.ok else "respawn failed", result.ok, result.sentence
        )

    async def _start(self, bundle: BundleView) -> None:
        key = _key(bundle)
        self._desk.begin(key, "start")
        result = await self._engine.start(*key)
        self._finish(key, "started" if result.ok else "start failed", result.ok, result.sentence)

    async def _stop(self, bundle: BundleView) -> None:
        key = _key(bundle)
        self._desk.begin(key, "stop")
        consent = await self._consent(
            "Stop", "Stop it and everything it started?", bundle, "bundle.stop"
        )
        if consent is None:
            return self._desk.forget(key)
        result = await self._engine.stop(*key, reason=consent.reason)
        self._finish(key, "stopped" if result.ok else "stop failed", result.ok, result.sentence)

    async def _remove(self, bundle: BundleView) -> None:
        from roost_tui.modals import TypeNameModal  # modals load after the first paint

        key = _key(bundle)
        self._desk.begin(key, "remove")
        impact = await self._engine.impact(*key, action="bundle.remove")
        cut = cut_text(bundle, impact)
        question = f"It is stopped and taken out with its credentials. {cut}".strip()
        title = f"Remove {bundle.workspace}/{bundle.name}"
        if not await self._desk.ask(TypeNameModal(title, question, bundle.name)):
            return self._desk.forget(key)
        reason = await self._reason(title, bundle) if bundle.protected else ""
        if reason is None:
            return self._desk.forget(key)
        result = await self._engine.remove(*key, reason=reason or None)
        self._finish(key, "removed" if result.ok else "remove failed", result.ok, result.sentence)

    async def _consent(
        self, verb: str, question: str, bundle: BundleView, action: str
    ) -> Consent | None:
        """Ask as the rules want it, and return None for a no.

        Nothing in flight: no question. Something, or something that cannot be seen: a question
        that says what is cut. A protected bundle: its name is typed and a reason given.
        """
        from roost_tui.modals import ConfirmModal, TypeNameModal  # loaded after the first paint

        impact = await self._engine.impact(*_key(bundle), action=action)
        cut = cut_text(bundle, impact)
        title = f"{verb} {bundle.workspace}/{bundle.name}"
        if bundle.protected or impact.protected:
            asked = f"This bundle is protected. {question} {cut}".strip()
            if not await self._desk.ask(TypeNameModal(title, asked, bundle.name)):
                return None
            reason = await self._reason(title, bundle)
            return None if reason is None else Consent(reason)
        if cut and not await self._desk.ask(ConfirmModal(title, question, cut, yes_label=verb)):
            return None
        return Consent()

    async def _reason(self, title: str, bundle: BundleView) -> str | None:
        from roost_tui.modals import ReasonModal  # loaded after the first paint

        question = f"{bundle.name} is protected. Why is this done? It goes into the audit log."
        return await self._desk.ask(ReasonModal(title, question)) or None

    # Runs

    async def _run_action(self, action_id: str, selection: Selection) -> None:
        from roost_tui.run_operations import RunOperations  # loaded when it is first needed

        workspace = self._workspace_for(selection)
        await RunOperations(self._desk).perform(action_id, selection, workspace)

    # Tasks and schedules

    async def _task_action(self, action_id: str, selection: Selection) -> None:
        from roost_tui.task_operations import TaskOperations  # loaded when it is first needed

        workspace = self._workspace_for(selection)
        await TaskOperations(self._desk, workspace).perform(action_id, selection)

    async def answer_task(self, request: TaskRequest) -> None:
        """Do what an open form of a task or the open list of schedules asks for."""
        from roost_tui.task_operations import TaskOperations  # loaded when it is first needed

        await TaskOperations(self._desk, request.workspace).answer(request)

    # Snapshots

    async def _snapshot_action(self, action_id: str, bundle: BundleView) -> None:
        from roost_tui.snapshot_operations import SnapshotOperations  # loaded when first needed

        await SnapshotOperations(self._desk, _key(bundle)).perform(action_id)

    # The daemon

    async def _stop_daemon(self) -> None:
        from roost_tui.modals import ConfirmModal  # loaded after the first paint

        viewers = (await self._engine.status()).viewers
        cut = daemon_cut(self._desk.screen_state, others=max(viewers - 1, 0))
        asked = ConfirmModal("Stop the daemon", "Stop it with everything?", cut, yes_label="Stop")
        if await self._desk.ask(asked):
            await self._engine.shutdown()
            self._desk.say(Severity.INFORMATION, "the daemon was asked to stop")

    def _open_doctor(self) -> None:
        from roost_tui.modals import DoctorModal  # loaded after the first paint

        self._desk.open_modal(DoctorModal(), None)

    async def examine(self, modal: DoctorModal) -> None:
        """Have the daemon's surroundings checked for the findings that are open."""
        engine = self._desk.engine
        if engine is None:
            return modal.show_error("the daemon is not connected")
        try:
            modal.show_report(await engine.doctor())
        except RoostError as error:
            modal.show_error(error.message)

    # Adding, importing and other versions

    async def _add(self, action_id: str, selection: Selection) -> None:
        workspace = self._workspace_for(selection)
        if action_id == "bundle.import":
            from roost_tui.imports import Imports  # loaded when something is first imported

            return await Imports(self._desk, workspace).run()
        from roost_tui.additions import Additions  # loaded when something is first added

        self._adding = additions = Additions(self._desk, workspace, self._read_words)
        additions.open()

    def _workspace_for(self, selection: Selection) -> str:
        """Return where new bundles go: what is shown, or else where the selected row is."""
        known = sorted(self._desk.screen_state.workspaces)
        selected = selection.row_key[0] if selection.row_key else None
        first = DEFAULT_WORKSPACE if DEFAULT_WORKSPACE in known or not known else known[0]
        return self._desk.shown_workspace or selected or first

    @property
    def _read_words(self) -> ReadWords:
        from roost_tui.additions import read_words  # loaded when something is first added

        return self._given_reader or read_words

    async def _open_upgrade(self, bundle: BundleView) -> None:
        self._adding = versions = self._versions_of(bundle)
        versions.open()

    def _versions_of(self, bundle: BundleView) -> VersionChanges:
        from roost_tui.version_changes import VersionChanges  # loaded when it is first needed

        return VersionChanges(self._desk, bundle, self._consent, self._read_words)

    async def plan_addition(self, modal: AddModal, words: str) -> None:
        """Find out what these words would install, for the modal that is open."""
        if self._adding is not None:
            await self._adding.plan(modal, words)

    async def install_addition(self, modal: AddModal, request: InstallRequest) -> None:
        """Install what was reviewed in the modal that is open."""
        if self._adding is not None:
            await self._adding.install(modal, request)

    async def _vault_action(self, action_id: str) -> None:
        from roost_tui import vault_actions  # loaded when it is first needed

        act = vault_actions.rotate if action_id == "vault.rotate" else vault_actions.show
        await act(self._desk)

    # Why a bundle is down

    async def _open_why(self, bundle: BundleView) -> None:
        from roost_tui.modals import WhyModal  # loaded after the first paint

        def mend(action_id: str | None) -> None:
            newest = self._desk.screen_state.bundles.get(_key(bundle))
            if action_id is not None and newest is not None:
                self._desk.begin_operation(action_id, Selection(bundle=newest))

        mends = {entry.id: entry for entry in self._desk.entries if entry.id in MENDS}
        self._desk.open_modal(WhyModal(bundle, mends), _key(bundle), mend)

    async def explain(self, modal: WhyModal, workspace: str, bundle: str) -> None:
        """Have a bundle checked for the answer that is open."""
        engine = self._desk.engine
        if engine is None:
            return modal.show_error("the daemon is not connected; check again when it is")
        try:
            modal.show_report(await engine.why(workspace, bundle))
        except RoostError as error:
            modal.show_error(error.message)

    # Credentials and tools

    async def _open_credentials(self, bundle: BundleView) -> None:
        from roost_tui.modals import CredentialsModal  # loaded after the first paint

        form = await self._engine.credential_form(*_key(bundle))
        if not form.fields:
            text = f"{bundle.name} asks for no credentials, so there is nothing to set"
            return self._desk.say(Severity.WARNING, text)
        impact = await self._engine.impact(*_key(bundle), action="bundle.credentials")
        modal = CredentialsModal(
            form,
            bundle=bundle,
            impact=impact,
            needs_reason=bundle.protected,
            clock=self._desk.clock,
        )
        self._desk.open_modal(modal, _key(bundle))

    async def save_credentials(
        self, modal: CredentialsModal, workspace: str, bundle: str, write: CredentialWrite
    ) -> None:
        """Write credentials for the form that is open."""
        await self._change_credentials(
            modal,
            (workspace, bundle),
            ("save", "saved"),
            lambda: self._engine.write_credentials(workspace, bundle, write),
        )

    async def restore_credentials(
        self, modal: CredentialsModal, workspace: str, bundle: str, reason: str | None = None
    ) -> None:
        """Bring the previous revision back for the form that is open."""
        restored = await self._change_credentials(
            modal,
            (workspace, bundle),
            ("restore", "saved"),
            lambda: self._engine.restore_credentials(workspace, bundle, reason=reason),
        )
        if restored and modal.is_attached:
            modal.show_form(await self._engine.credential_form(workspace, bundle))

    async def _change_credentials(
        self,
        modal: CredentialsModal,
        key: RowKey,
        verb: tuple[str, str],
        change: Callable[[], Awaitable[CredentialOutcome]],
    ) -> bool:
        present, past = verb
        self._desk.begin(key, present)
        try:
            outcome = await change()
        except RoostError as error:
            self._desk.end(key, f"{present} failed", ok=False)
            self._desk.say(Severity.ERROR, error.message)
            if modal.is_attached:
                modal.show_error(error)
            return False
        if modal.is_attached:
            modal.show_outcome(outcome)
        ok = outcome.respawn is None or outcome.respawn.ok
        self._desk.end(key, past if ok else "respawn failed", ok=ok)
        self._desk.say(Severity.INFORMATION if ok else Severity.ERROR, outcome.sentence)
        return True

    async def _open_call(self, bundle: BundleView) -> None:
        from roost_tui.modals import CallToolModal  # loaded after the first paint

        tools = await self._engine.tools(*_key(bundle))
        if not tools:
            return self._desk.say(Severity.WARNING, f"{bundle.name} offers no tools")
        self._desk.open_modal(CallToolModal(bundle, tools), _key(bundle))

    async def call_tool(
        self, modal: CallToolModal, workspace: str, bundle: str, request: CallRequest
    ) -> None:
        """Begin the call that the open form asks for, then go to its run."""
        try:
            run = await self._engine.call_tool(workspace, bundle, request)
        except RoostError as error:
            if modal.is_attached:
                modal.show_error(error)
            return self._desk.say(Severity.ERROR, error.message)
        if modal.is_attached:
            modal.dismiss(None)
        self._desk.say(Severity.INFORMATION, f"{run.title} was called as {run.id}")
        self._desk.open_run(run)

    def _finish(self, key: RowKey, words: str, ok: bool, sentence: str) -> None:
        self._desk.end(key, words, ok=ok)
        self._desk.say(Severity.INFORMATION if ok else Severity.ERROR, sentence)


def _key(bundle: BundleView) -> RowKey:
    return bundle.workspace, bundle.name
