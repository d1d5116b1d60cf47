"""`ShadowStarts`: starts of a bundle beside what runs of it, which nobody sees and that end again.

A snapshot is made from one: under trace, and once more from the template to compare what it
answers. It is a real start with the real credentials, in a slot of its own.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, replace

from roost.clock import Clock
from roost.drivers.base import Driver, DriverProcess, SpawnSpec
from roost.errors import RoostError, Unavailable
from roost.models import (
    BundleKind,
    BundleRow,
    GenerationView,
    LiveGeneration,
    Reason,
    StartMode,
    Transition,
)
from roost.snapshots.backend import Answered, Template, TracedCommand
from roost.snapshots.cold_start import ColdStart
from roost.snapshots.environment import credential_names
from roost.supervision import BundleSlot, LogFiles, Starter
from roost.supervision.incarnation import Incarnation
from roost.supervision.outcomes import as_failure
from roost.supervision.ports import CredentialSource, Recipes, TokenIssuer
from roost.supervision.prepare import Preparer
from roost.supervision.resolver import ResolvedStart

AT_ONCE = 2
"""Builds may be under way for several bundles; their starts leave room for those that serve."""


@dataclass(frozen=True, slots=True)
class ResolvedColdStart(ColdStart):
    """A cold start with what it was resolved to, so that its trace listens on the same port."""

    resolved: ResolvedStart | None = None


class ShadowStarts:
    """Resolves and makes starts that leave no trace in slots and history.

    Args:
        logs: where their output goes; it is kept apart from that of generations.
        preparer: the one that other starts use, for one environment is never made twice at once.
    """

    def __init__(
        self,
        *,
        driver: Driver,
        data_id: str,
        recipes: Recipes,
        credentials: CredentialSource,
        logs: LogFiles,
        clock: Clock,
        version: str,
        preparer: Preparer,
        tokens: TokenIssuer,
    ) -> None:
        self._clock = clock
        self._logs = logs
        self._recipes = recipes
        self._starter = Starter(
            driver=driver,
            data_id=data_id,
            generations=_Forgotten(),
            recipes=recipes,
            credentials=credentials,
            logs=logs,
            clock=clock,
            version=version,
            starts_at_once=AT_ONCE,
            preparer=preparer,
            tokens=tokens,
        )

    def is_prepared(self, slot: BundleSlot) -> bool:
        """Say whether its private environment is there, so that resolving it installs nothing."""
        plan = self._recipes.plan_prepare(slot.workspace, slot.name, slot.definition)
        return plan is None or os.path.isdir(plan.prepared_dir)

    async def resolve(self, slot: BundleSlot, objection: Reason | None) -> ResolvedColdStart:
        """Resolve a bundle's cold start without starting anything.

        Raises:
            RoostError: it cannot be resolved as it is.
        """
        shadow = self._shadow(slot)
        try:
            resolved = await self._starter.resolve(shadow)
        except Exception as error:
            raise _refused(shadow, error) from error
        resolved.log.close()
        return ResolvedColdStart(
            workspace=slot.workspace,
            name=slot.name,
            version=resolved.version,
            launch=resolved.launch,
            credentials=credential_names(resolved.launch.env, resolved.credentials.secrets),
            objection=objection,
            wants_stdin=slot.definition.kind is BundleKind.MCP_STDIO,
            should_run=slot.should_run,
            how=slot.definition.settings.snapshot_how,
            allowed=slot.definition.settings.snapshot_allow,
            resolved=resolved,
        )

    async def traced(
        self, slot: BundleSlot, start: ResolvedColdStart, command: TracedCommand
    ) -> Answered:
        """Start the bundle by another command until it is ready, then end it.

        Raises:
            RoostError: it did not become ready.
        """
        shadow, resolved = self._shadow(slot), start.resolved
        assert resolved is not None
        launch = replace(resolved.launch, argv=command.argv)
        traced = replace(
            resolved,
            launch=launch,
            inherited=command.inherited,
            log=self._logs.writer(slot.workspace, slot.name, resolved.number),
        )
        return await self._answered(shadow, traced)

    async def restored(self, slot: BundleSlot, template: Template) -> Answered:
        """Start the bundle from a template until it is ready, then end it.

        Raises:
            RoostError: it did not become ready.
        """
        shadow = self._shadow(slot)
        try:
            resolved = await self._starter.resolve(shadow)
        except Exception as error:
            raise _refused(shadow, error) from error
        restored = replace(resolved, prepared=_Only(template))
        return await self._answered(shadow, restored, "started from the snapshot, ")

    async def _answered(
        self, shadow: BundleSlot, resolved: ResolvedStart, how: str = ""
    ) -> Answered:
        try:
            incarnation = await self._starter.launch(shadow, resolved)
        except Exception as error:
            raise _refused(shadow, error, how) from error
        try:
            return Answered(incarnation.generation.ready_ms or 0, _answers(incarnation))
        finally:
            await asyncio.shield(self._starter.end(shadow, incarnation))

    def _shadow(self, slot: BundleSlot) -> BundleSlot:
        row = BundleRow(
            slot.workspace,
            slot.name,
            slot.definition,
            should_run=False,
            installed_at=slot.installed_at,
            era=slot.era,
            version_number=slot.version_number,
        )
        return BundleSlot(
            row,
            clock=self._clock,
            publish=lambda body: None,
            journal=_Unwritten(),
            config_hash=slot.config_hash,
            credential_revision=slot.credential_revision,
        )


class _Only:
    """A snapshot in whose place there is no cold start."""

    mode = StartMode.ZYGOTE
    is_required = True

    def __init__(self, template: Template) -> None:
        self._template = template

    async def spawn(self, spec: SpawnSpec) -> DriverProcess:
        return await self._template.restore(spec)


class _Unwritten:
    """Keeps no transition."""

    def record(self, transition: Transition) -> None:
        """Forget it."""


class _Forgotten:
    """Keeps no generation; a sweep finds what is left of one by its mark."""

    async def newest(self) -> dict[tuple[str, str], GenerationView]:
        return {}

    async def add(self, workspace: str, bundle: str, view: GenerationView, handle: str) -> None:
        pass

    async def set_ready(self, generation_id: str, ready_at: int, ready_ms: int) -> None:
        pass

    async def set_ended(self, generation_id: str, ended_at: int, exit: str) -> None:
        pass

    async def live(self) -> tuple[LiveGeneration, ...]:
        return ()

    async def history(self, workspace: str, bundle: str, limit: int) -> tuple[GenerationView, ...]:
        return ()


def _answers(incarnation: Incarnation) -> tuple[tuple[str, str], ...]:
    """Return what can be asked of a ready process without making it work."""
    link = incarnation.link
    return () if link is None else (("protocol", link.era), *link.answers())


def _refused(shadow: BundleSlot, error: Exception, how: str = "") -> RoostError:
    """Return the failure of a start as an error, in a sentence without credentials.

    Args:
        shadow: whose start it was.
        error: how it failed.
        how: begins the sentence where it was no plain start.
    """
    if isinstance(error, RoostError):
        return error
    failed = as_failure(shadow, error)
    return Unavailable(how + shadow.scrubber.text(failed.sentence))
