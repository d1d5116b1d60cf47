"""How a start ends when it does not end in a ready process."""

from __future__ import annotations

from roost.errors import RoostError, SnapshotBusy, SnapshotNotLoaded
from roost.models import CrashRecord, Definition, StartMode, StartStep
from roost.supervision.greetings import HelloRefused
from roost.supervision.link import HandshakeFailed
from roost.supervision.slot import BundleSlot


class StartFailed(Exception):
    """A start that ended at a step.

    `is_permanent` when waiting cannot mend it, `is_passing` when nothing else has to: it is tried
    again then, whoever asked for it.
    """

    def __init__(
        self,
        step: StartStep,
        code: str,
        sentence: str,
        *,
        is_permanent: bool = False,
        is_passing: bool = False,
        crash: CrashRecord | None = None,
    ) -> None:
        super().__init__(sentence)
        self.step = step
        self.code = code
        self.sentence = sentence
        self.is_permanent = is_permanent
        self.is_passing = is_passing
        self.crash = crash
        self.mode: StartMode | None = None
        """How the process was started that did not become ready, if there was one."""

    @classmethod
    def of(
        cls, slot: BundleSlot, step: StartStep, error: RoostError, *, is_permanent: bool = False
    ) -> StartFailed:
        """Translate an error that names its remedy but not the bundle it hit."""
        sentence = f"{slot.label} cannot start: {error.message}"
        is_passing = isinstance(error, SnapshotNotLoaded | SnapshotBusy)
        return cls(
            step,
            error.code,
            sentence,
            is_permanent=is_permanent and not is_passing,
            is_passing=is_passing,
        )


class FieldsMissing(Exception):
    """Required fields have no value."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        super().__init__(", ".join(fields))
        self.fields = fields


class Interrupted(Exception):
    """A deliberate stop came while the start was under way."""


HELLO_REFUSED = "hello_refused"
"""Code of the reason when what a worker offers was not taken."""


def hello_failure(
    slot: BundleSlot, step: StartStep, refused: HelloRefused, crash: CrashRecord | None
) -> StartFailed:
    """Say that a worker may not offer what it offers, which no other try will change."""
    sentence = f"{slot.label} cannot register: {refused.error.message}"
    return StartFailed(step, HELLO_REFUSED, sentence, is_permanent=True, crash=crash)


def refusal_sentence(slot: BundleSlot, error: HandshakeFailed) -> str:
    """Say that a server cannot be talked to, and what to set where it wants credentials."""
    sentence = f"{slot.label} is not usable: {error}"
    if error.code != "unauthorized":
        return sentence
    return f"{sentence}; {authorization_words(slot.label, slot.definition)}"


def authorization_words(label: str, definition: Definition) -> str:
    """Say how the credential that a server over HTTP wants is set."""
    templates = " ".join(definition.headers.values())
    headers = [f.key for f in definition.fields if f"${{user_config.{f.key}}}" in templates]
    if not headers:
        return "install it again with the header it wants, such as Authorization"
    sets = " ".join(f"--set {key}" for key in headers)
    return f"set the header credential with `roost credentials {label} {sets}`"
