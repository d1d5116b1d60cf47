"""`Subject`: one bundle as the checks look at it, read once at the beginning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from roost.bundles import FilledIn, fill_in
from roost.engine.recipes import BundleRecipes
from roost.engine.why.words import moment
from roost.errors import RoostError
from roost.models import (
    BundleKind,
    BundleView,
    CrashRecord,
    Definition,
    GenerationView,
    LogPage,
    PreparePlan,
    Reason,
    ResolvedCredentials,
    SlotState,
    StartStep,
    Transition,
    WhyCheck,
)
from roost.supervision import BundleSlot
from roost.supervision.incarnation import Incarnation

_CHECK_OF_STEP = {
    StartStep.PREPARE: WhyCheck.INSTALL,
    StartStep.RENDER: WhyCheck.RUNTIME,
    StartStep.CREDENTIALS: WhyCheck.CREDENTIALS,
    StartStep.STOP_OLD: WhyCheck.SPAWN,
    StartStep.SPAWN: WhyCheck.SPAWN,
    StartStep.HANDSHAKE: WhyCheck.HANDSHAKE,
}
"""Which check looks at what a step of a start does; readiness depends on the kind of bundle."""

_LAST_STEP = {
    BundleKind.MCP_STDIO: WhyCheck.TOOLS,
    BundleKind.MCP_HTTP: WhyCheck.TOOLS,
    BundleKind.WEB: WhyCheck.PROBE,
    BundleKind.COMMAND: WhyCheck.SPAWN,
    BundleKind.WORKER: WhyCheck.HANDSHAKE,
}


_LOOK = "look at its log"

NOT_LIVE = "not_live"
"""Code of the reason when a process was ended because it answered no probe."""

NOT_ENDED = "not_ended"
"""Code of the reason when processes of an earlier generation are left."""


@dataclass(frozen=True, slots=True)
class Filling:
    """A bundle's definition, filled in as its next start would, or what is wrong with it."""

    plan: PreparePlan | None = None
    """How its private environment is made; None when it needs none or cannot be planned."""
    plan_error: RoostError | None = None
    filled: FilledIn | None = None
    filled_error: RoostError | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """What is known of a bundle before the checks begin.

    The slot goes on while they run; its view was taken in one step and agrees in itself.
    """

    slot: BundleSlot
    view: BundleView
    definition: Definition
    incarnation: Incarnation | None
    """The process that serves, or served last and is being ended."""
    now: int
    """Epoch milliseconds."""
    state_dir: str
    credentials: ResolvedCredentials | None
    credentials_error: RoostError | None
    missing: tuple[str, ...]
    filling: Filling
    last_move: Transition | None
    read_log: Callable[[int | None, int], LogPage | None]
    """Read the last lines of a generation's log, or of the newest; blocks on the disk."""

    @property
    def label(self) -> str:
        """How commands name it."""
        return self.slot.label

    @property
    def state(self) -> SlotState:
        return self.view.state

    @property
    def reason(self) -> Reason | None:
        return self.view.reason

    @property
    def crash(self) -> CrashRecord | None:
        return self.view.crash

    @property
    def generation(self) -> GenerationView | None:
        return self.view.generation

    @property
    def is_serving(self) -> bool:
        """Whether it has a live process that was ready, also while the next is prepared."""
        incarnation = self.incarnation
        return (
            incarnation is not None
            and not incarnation.is_stopping
            and incarnation.ready_monotonic is not None
            and incarnation.process.exit is None
        )

    @property
    def is_starting(self) -> bool:
        """Whether a start is under way and nothing of the bundle serves."""
        return self.state is SlotState.STARTING and not self.is_serving

    @property
    def failed_check(self) -> WhyCheck | None:
        """The check that the last start, or the last end of a process, failed."""
        if self.state in (SlotState.STARTING, SlotState.STOPPING) or self.reason is None:
            return None
        if self.view.waits_for and not self.is_serving:
            return None
        if self.reason.code == NOT_LIVE:
            return WhyCheck.PROBE
        if self.reason.code == NOT_ENDED:
            return WhyCheck.SPAWN
        if self.view.step is None:
            return None if self.is_serving or self.crash is None else WhyCheck.SPAWN
        if self.reason.code in ("exited", "port_in_use"):
            return WhyCheck.SPAWN
        return self._check_of(self.view.step)

    @property
    def step_check(self) -> WhyCheck | None:
        """The check whose part a start under way has reached."""
        if not self.is_starting or self.view.step is None:
            return None
        return self._check_of(self.view.step)

    @property
    def respawn(self) -> str:
        """The command that starts it anew from any state."""
        forced = " --force REASON" if self.definition.settings.protected else ""
        return f"`roost respawn {self.label}{forced}`"

    @property
    def told(self) -> str:
        """What the reason of its state says, without its name and without advice of its own."""
        sentence = self.reason.sentence if self.reason is not None else ""
        parts = sentence.split("; ")
        found = [part for part in parts if "`roost " not in part and part != _LOOK]
        text = "; ".join(found or parts[:1])
        return f"it {text.removeprefix(f'{self.label} ')}" if text.startswith(self.label) else text

    def since(self, at: int) -> str:
        """Return a moment, in epoch milliseconds, as text."""
        return moment(at, self.now)

    def _check_of(self, step: StartStep) -> WhyCheck:
        return _CHECK_OF_STEP.get(step, _LAST_STEP[self.definition.kind])


def fill(
    slot: BundleSlot, recipes: BundleRecipes, credentials: ResolvedCredentials | None
) -> Filling:
    """Fill in a bundle's definition as its next start would, without touching anything."""
    plan, plan_error, filled, filled_error = None, None, None, None
    definition = slot.definition
    try:
        plan = recipes.plan_prepare(slot.workspace, slot.name, definition)
    except RoostError as error:
        plan_error = error
    context = recipes.context(
        slot.workspace,
        slot.name,
        prepared_dir=plan.prepared_dir if plan else None,
        port=definition.port,
    )
    try:
        if plan_error is None:
            filled = fill_in(definition, credentials.values if credentials else {}, context)
    except RoostError as error:
        filled_error = error
    return Filling(plan, plan_error, filled, filled_error)
