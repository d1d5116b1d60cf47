"""What upgrade, roll back and pin do: ask, have another version made current, report."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from roost.contract import EngineAPI
from roost.errors import RoostError, Unavailable
from roost.models import BundleView, InstallRequest, UpgradeOutcome, UpgradeRequest
from roost_tui.additions import ReadWords, plan_for
from roost_tui.notes import RowKey, Severity
from roost_tui.version_text import choice_of

if TYPE_CHECKING:
    from roost_tui.modals.add import AddModal
    from roost_tui.operations import Consent, Desk

AskConsent = Callable[[str, str, BundleView, str], Awaitable["Consent | None"]]
"""Asks as the rules want it; given the verb, the question, the bundle and the action."""

REPLACES = "bundle.respawn"
"""The action whose impact is that of another version: the process is replaced."""


class VersionChanges:
    """Changes the version of one bundle. Each coroutine is the body of one named worker.

    Args:
        desk: what it needs of the app.
        bundle: the bundle as it is now.
        consent: asks before a process is replaced.
        read: makes a request of what was typed.
    """

    def __init__(
        self, desk: Desk, bundle: BundleView, consent: AskConsent, read: ReadWords
    ) -> None:
        self._desk = desk
        self._bundle = bundle
        self._key: RowKey = (bundle.workspace, bundle.name)
        self._consent = consent
        self._read = read

    # Upgrade

    def open(self) -> None:
        """Show the line to type in: what the bundle is to become."""
        from roost_tui.modals.add import AddModal, Purpose  # loaded after the first paint

        title = f"Upgrade {self._bundle.workspace}/{self._bundle.name}"
        self._desk.open_modal(AddModal(Purpose(title, "Upgrade", is_upgrade=True)), None)

    async def plan(self, modal: AddModal, words: str) -> None:
        """Find out what these words would install beside what there is."""
        try:
            request = self._read(words)
            modal.show_plan(*await plan_for(self._engine, self._bundle.workspace, request))
        except RoostError as error:
            modal.show_error(error.message)

    async def install(self, modal: AddModal, request: InstallRequest) -> None:
        """Upgrade to what was reviewed, once it is known what that cuts."""
        try:
            consent = await self._consent("Upgrade", QUESTION, self._bundle, REPLACES)
            if consent is None:
                return modal.show_error("nothing was changed; the review still stands")
            asked = UpgradeRequest(request, consent.reason)
            self._desk.begin(self._key, "upgrade")
            outcome = await self._engine.upgrade(*self._key, asked)
        except RoostError as error:
            self._desk.forget(self._key)
            self._desk.say(Severity.INFORMATION, f"nothing was upgraded: {error.message}")
            return modal.show_error(error.message)
        modal.show_done()
        self._report("upgraded", outcome)

    # Roll back and pin

    async def roll_back(self) -> None:
        """Let the operator choose a version that is kept, and make it the current one again."""
        from roost_tui.modals import PickerModal  # loaded after the first paint

        kept = await self._engine.versions(*self._key)
        if len(kept) < 2:
            text = (
                f"only one version of {self._bundle.name} is kept, so there is none to go back to"
            )
            return self._desk.say(Severity.WARNING, text)
        current = next((str(entry.number) for entry in kept if entry.is_current), None)
        picker = PickerModal(
            f"Roll back {self._bundle.workspace}/{self._bundle.name}",
            [choice_of(entry) for entry in kept],
            current,
        )
        chosen = await self._desk.ask(picker)
        if chosen is None or chosen == current:
            return
        number = int(chosen)
        await self._change(
            ("Roll back", "rolled back"),
            f"Make version {number} the current one and respawn into it?",
            lambda reason: self._engine.rollback(*self._key, number=number, reason=reason),
        )

    async def pin(self) -> None:
        """Replace a command that fetches its package by an installed copy."""
        await self._change(
            ("Pin", "pinned"),
            "Install its package as it is now and respawn into that copy? The former version is "
            "kept.",
            lambda reason: self._engine.pin(*self._key, reason=reason),
        )

    async def _change(
        self,
        verb: tuple[str, str],
        question: str,
        change: Callable[[str | None], Awaitable[UpgradeOutcome]],
    ) -> None:
        present, past = verb
        self._desk.begin(self._key, present.lower())
        consent = await self._consent(present, question, self._bundle, REPLACES)
        if consent is None:
            return self._desk.forget(self._key)
        self._report(past, await change(consent.reason))

    def _report(self, words: str, outcome: UpgradeOutcome) -> None:
        respawn = outcome.respawn
        ok = respawn is None or respawn.ok
        self._desk.end(self._key, words if ok else "respawn failed", ok=ok)
        said = (
            outcome.sentence if ok or respawn is None else f"{outcome.sentence}; {respawn.sentence}"
        )
        self._desk.say(Severity.INFORMATION if ok else Severity.ERROR, said)

    @property
    def _engine(self) -> EngineAPI:
        if self._desk.engine is None:
            raise Unavailable("nothing was done: the daemon is not connected; try again when it is")
        return self._desk.engine


QUESTION = "Install it beside the present version and respawn into it?"
