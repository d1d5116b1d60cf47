"""`BundleSlot`: the state of one installed bundle, and the one place that changes it."""

from __future__ import annotations

import asyncio

from roost.clock import Clock
from roost.models import (
    BundleChanged,
    BundleRow,
    BundleView,
    CallFigures,
    CrashRecord,
    Definition,
    Figures,
    GenerationView,
    Reason,
    SlotState,
    StartStep,
    Transition,
    Transitioned,
)
from roost.supervision.backoff import Backoff
from roost.supervision.incarnation import Incarnation
from roost.supervision.ports import Publish, TransitionJournal
from roost.supervision.states import check_move
from roost.vault import Scrubber

SlotKey = tuple[str, str]

_OLD_STILL_SERVES = frozenset({StartStep.PREPARE, StartStep.RENDER, StartStep.CREDENTIALS})


class BundleSlot:
    """A bundle's place in its workspace: it has the state; generations come and go in it."""

    def __init__(
        self,
        row: BundleRow,
        *,
        clock: Clock,
        publish: Publish,
        journal: TransitionJournal,
        config_hash: str,
        credential_revision: int,
    ) -> None:
        self.workspace = row.workspace
        self.name = row.name
        self.definition: Definition = row.definition
        self.installed_at = row.installed_at
        self.should_run = row.should_run
        self.kept_should_run = row.should_run
        """What the store has of it."""
        self.wish_lock = asyncio.Lock()
        """Held while the store is told, so that its last word is the last wish."""
        self.version_number = row.version_number
        self.era = row.era
        self.config_hash = config_hash
        self.credential_revision = credential_revision
        self.state = SlotState.STOPPED
        self.since = clock.now()
        self.step: StartStep | None = None
        self.reason: Reason | None = None
        self.incarnation: Incarnation | None = None
        """The process that serves, or served last and is being ended."""
        self.generation: GenerationView | None = None
        self.candidate: GenerationView | None = None
        """What a handover verifies beside the process that serves."""
        self.is_handing_over = False
        self.has_failed_respawn = False
        """Whether a next generation was asked for and did not come, so that the last one serves."""
        self.crash: CrashRecord | None = None
        self.missing_fields: tuple[str, ...] = ()
        self.retry_at: int | None = None
        self.is_parked = False
        self.waits_for: tuple[str, ...] = ()
        """Bundles that its start waits for."""
        self.waiting: Reason | None = None
        """Says so, in place of the reason for its state, while it waits."""
        self.active_runs = 0
        self.tool_count: int | None = None
        self.figures: Figures | None = None
        self.calls: CallFigures | None = None
        self.argv: tuple[str, ...] = ()
        self.env_names: tuple[str, ...] = ()
        self.scrubber = Scrubber(())
        """Knows the secrets of the last two generations; outlives them for late results."""
        self._secrets: tuple[str, ...] = ()
        self.backoff = Backoff()
        self.interrupted = asyncio.Event()
        """Set while something waits for which a start under way has to give up."""
        self._stops_asked = 0
        self._interrupts = 0
        self.retry_task: asyncio.Task[None] | None = None
        self._clock = clock
        self._publish = publish
        self._journal = journal

    @property
    def key(self) -> SlotKey:
        """Workspace and name."""
        return self.workspace, self.name

    @property
    def label(self) -> str:
        """How sentences name it."""
        return f"{self.workspace}/{self.name}"

    def move(
        self,
        after: SlotState,
        *,
        cause: str,
        actor: str,
        step: StartStep | None = None,
        reason: Reason | None = None,
    ) -> None:
        """Change the state, record who and why, and publish it, in one synchronous step.

        Raises:
            IllegalMove: the table does not allow it.
        """
        check_move(self.state, after)
        before, self.state = self.state, after
        self.since = self._clock.now()
        self.step, self.reason = step, reason
        if after is not SlotState.BACKING_OFF:
            self.retry_at, self.is_parked = None, False
        transition = Transition(
            workspace=self.workspace,
            bundle=self.name,
            at=self.since,
            before=before,
            after=after,
            cause=cause,
            actor=actor,
            step=step,
            generation=self.generation.number if self.generation else None,
            reason=reason.sentence if reason else None,
        )
        self._journal.record(transition)
        self._publish(Transitioned(transition))
        self.publish_view()

    @property
    def is_alive(self) -> bool:
        """Whether it has a process that has not ended."""
        return self.incarnation is not None and self.incarnation.process.exit is None

    @property
    def takes_calls(self) -> bool:
        """Whether its process serves: until its end is near, whatever is prepared meanwhile."""
        if self.incarnation is None or self.incarnation.is_stopping:
            return False
        return self.state is SlotState.RUNNING or (
            self.state is SlotState.STARTING and self.step in _OLD_STILL_SERVES
        )

    @property
    def is_stop_asked(self) -> bool:
        """Whether a deliberate stop is under way or waits for its turn."""
        return self._stops_asked > 0

    def ask_stop(self) -> None:
        """Interrupt a start under way; `stop_done` follows once the stop is through."""
        self._stops_asked += 1
        self.interrupt()

    def stop_done(self) -> None:
        """Let starts go ahead again when nothing else waits."""
        self._stops_asked -= 1
        self.resume()

    def interrupt(self) -> None:
        """Let a start or a drain under way give up; `resume` follows."""
        self._interrupts += 1
        self.interrupted.set()

    def resume(self) -> None:
        """Let starts go ahead again when nothing else waits."""
        self._interrupts -= 1
        if not self._interrupts:
            self.interrupted.clear()

    def enter_step(self, step: StartStep) -> None:
        """Show the step of a start under way."""
        self.step = step
        self.publish_view()

    def set_generation(self, generation: GenerationView) -> None:
        """Show this generation, the running or the last one."""
        self.generation = generation
        self.publish_view()

    def show_spawned(self, incarnation: Incarnation) -> None:
        """Show a process that was started: beside one that serves it is the candidate."""
        if self.incarnation is None:
            self._take_over(incarnation)
        else:
            self.candidate = incarnation.generation
        self.publish_view()

    def adopt(self, incarnation: Incarnation) -> None:
        """Let this process serve, in one step: from now on its session takes the calls."""
        self._take_over(incarnation)
        self.incarnation = incarnation
        self.missing_fields, self.has_failed_respawn = (), False
        self.figures = self.calls = None
        link = incarnation.link
        self.tool_count = len(link.tools) if link is not None else None
        if link is not None and incarnation.generation.config_hash == self.config_hash:
            self.era = link.era

    def _take_over(self, incarnation: Incarnation) -> None:
        shown = self.generation.id if self.generation is not None else None
        if shown != incarnation.generation.id:
            # What the one before knew may still come out of calls that it is answering.
            self.scrubber = Scrubber((*incarnation.secrets, *self._secrets))
            self._secrets = incarnation.secrets
        self.generation = incarnation.generation
        self.argv, self.env_names = incarnation.argv, incarnation.env_names

    def publish_view(self) -> None:
        """Tell viewers how the bundle looks now."""
        self._publish(BundleChanged(self.view()))

    def stale_in(self) -> tuple[str, ...]:
        """Return what the running generation lags behind in."""
        if self.incarnation is None or self.generation is None:
            return ()
        lagging = {
            "credentials": self.generation.credential_revision < self.credential_revision,
            "configuration": self.generation.config_hash != self.config_hash,
            "version": self.generation.version != self.definition.version,
            "respawn": self.has_failed_respawn,
        }
        return tuple(name for name, is_behind in lagging.items() if is_behind)

    @property
    def restart_pending(self) -> bool:
        """Whether its protection keeps a process alive that lags behind."""
        return self.definition.settings.protected and bool(self.stale_in())

    def _address(self) -> str | None:
        if self.incarnation is None:
            return None
        probe = self.incarnation.probe
        return probe.address if probe is not None else self.incarnation.address

    def view(self) -> BundleView:
        """Return the bundle as clients see it."""
        is_up = self.incarnation is not None
        return BundleView(
            workspace=self.workspace,
            name=self.name,
            title=self.definition.title,
            kind=self.definition.kind,
            runtime=self.definition.runtime,
            version=self.definition.version,
            state=self.state,
            since=self.since,
            should_run=self.should_run,
            step=self.step,
            reason=self.waiting or self.reason,
            stale=self.stale_in(),
            generation=self.generation,
            candidate=self.candidate,
            waits_for=self.waits_for,
            retry_at=self.retry_at,
            parked=self.is_parked,
            failures=self.backoff.failures,
            protected=self.definition.settings.protected,
            restart_pending=self.restart_pending,
            missing_fields=self.missing_fields,
            field_count=len(self.definition.fields),
            credential_revision=self.credential_revision,
            active_runs=self.active_runs,
            tool_count=self.tool_count if is_up else None,
            era=self.era,
            address=self._address(),
            figures=self.figures if is_up else None,
            calls=self.calls if is_up else None,
            crash=self.crash,
        )
