"""`OrderedCheck`: looks at one bundle, check by check, and writes the report."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial

from roost.clock import Clock
from roost.engine.recipes import BundleRecipes
from roost.engine.why.answer import answer
from roost.engine.why.configured import check_credentials
from roost.engine.why.conversation import check_handshake, check_tools
from roost.engine.why.disk import on_disk
from roost.engine.why.installed import check_definition, check_install, check_runtime
from roost.engine.why.probe import check_probe
from roost.engine.why.process import check_spawn
from roost.engine.why.steps import unknown
from roost.engine.why.subject import Filling, Subject, fill
from roost.errors import RoostError, VaultUnavailable
from roost.models import (
    LogPage,
    ResolvedCredentials,
    SlotState,
    Transition,
    WhyCheck,
    WhyReport,
    WhyStatus,
    WhyStep,
)
from roost.supervision import BundleSlot, LogFiles
from roost.supervision.ports import CredentialSource
from roost.vault import Scrubber

logger = logging.getLogger(__name__)

CHECK_S = 5.0
"""Bound of each check; a disk or a server that takes longer is a finding of its own."""

WHOLE_S = 9.0
"""Bound of all together, so that the answer is out within 10 s."""

PROBE_MARGIN_S = 0.5
"""A probe that is given up this long before its check still says what it asked."""

LOOK_S = 2.0
"""Bound of each look at the beginning, which takes milliseconds or meets trouble."""

_ON_DISK: tuple[tuple[WhyCheck, Callable[[Subject], WhyStep]], ...] = (
    (WhyCheck.DEFINITION, check_definition),
    (WhyCheck.RUNTIME, check_runtime),
    (WhyCheck.INSTALL, check_install),
    (WhyCheck.CREDENTIALS, check_credentials),
    (WhyCheck.SPAWN, check_spawn),
    (WhyCheck.HANDSHAKE, check_handshake),
    (WhyCheck.TOOLS, check_tools),
)
"""Checks that may wait for a disk."""


class OrderedCheck:
    """Runs the ordered check; starts, stops and changes nothing.

    Args:
        recipes: fills in definitions as a start would.
        credentials: resolves what is set now.
        logs: what processes said.
        last_move: finds the newest transition of a bundle.
        clock: source of time.
    """

    def __init__(
        self,
        *,
        recipes: BundleRecipes,
        credentials: CredentialSource,
        logs: LogFiles,
        last_move: Callable[[str, str], Awaitable[Transition | None]],
        clock: Clock,
    ) -> None:
        self._recipes = recipes
        self._credentials = credentials
        self._logs = logs
        self._last_move = last_move
        self._clock = clock

    async def run(self, slot: BundleSlot, *, is_closing: bool) -> WhyReport:
        """Return what is wrong with a bundle; takes 10 s at most.

        Args:
            is_closing: whether the daemon is shutting down.
        """
        ends_at = asyncio.get_running_loop().time() + WHOLE_S
        subject = await self._look_at(slot)
        steps = await self._steps(subject, ends_at)
        is_up = _is_up(subject, steps)
        report = WhyReport(
            workspace=slot.workspace,
            bundle=slot.name,
            checked_at=subject.now,
            is_up=is_up,
            sentence=answer(subject, steps, is_up=is_up, is_closing=is_closing),
            steps=steps,
        )
        return _scrubbed(report, subject)

    async def _look_at(self, slot: BundleSlot) -> Subject:
        credentials, credentials_error = await self._resolve(slot)
        last_move = await self._move_of(slot) if slot.state is SlotState.STOPPED else None
        filling = await self._fill(slot, credentials)
        # From here on without an await: the view and the process belong together.
        return Subject(
            slot=slot,
            view=slot.view(),
            definition=slot.definition,
            incarnation=slot.incarnation,
            now=self._clock.now(),
            state_dir=str(self._recipes.state_dir(slot.workspace, slot.name)),
            credentials=credentials,
            credentials_error=credentials_error,
            missing=self._missing(slot, credentials),
            filling=filling,
            last_move=last_move,
            read_log=lambda generation, limit: self._read_log(slot, generation, limit),
        )

    async def _fill(self, slot: BundleSlot, credentials: ResolvedCredentials | None) -> Filling:
        """Fill in the definition; it looks for programs, so a disk may hold it up."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                return await on_disk(lambda: fill(slot, self._recipes, credentials))
        return Filling()

    async def _resolve(
        self, slot: BundleSlot
    ) -> tuple[ResolvedCredentials | None, RoostError | None]:
        fields = slot.definition.fields
        try:
            async with asyncio.timeout(LOOK_S):
                return await self._credentials.resolve(slot.workspace, slot.name, fields), None
        except RoostError as error:
            return None, error
        except TimeoutError:
            return None, VaultUnavailable(f"the store did not answer within {LOOK_S:g} s")

    async def _move_of(self, slot: BundleSlot) -> Transition | None:
        """Return its newest transition; those of an earlier bundle of its name are not its own."""
        with suppress(RoostError, TimeoutError):
            async with asyncio.timeout(LOOK_S):
                move = await self._last_move(slot.workspace, slot.name)
                return move if move is not None and move.at >= slot.installed_at else None
        return None

    def _missing(
        self, slot: BundleSlot, credentials: ResolvedCredentials | None
    ) -> tuple[str, ...]:
        if credentials is None:
            return ()
        return self._recipes.missing_fields(slot.definition, credentials.values)

    def _read_log(self, slot: BundleSlot, generation: int | None, limit: int) -> LogPage | None:
        with suppress(RoostError, OSError):
            return self._logs.page(slot.workspace, slot.name, generation=generation, limit=limit)
        return None

    async def _steps(self, subject: Subject, ends_at: float) -> tuple[WhyStep, ...]:
        steps: list[WhyStep] = []
        for check, look in _ON_DISK:
            if _is_over(subject, steps):
                steps.append(unknown(check, "not reached"))
            else:
                work = on_disk(partial(look, subject))
                steps.append(await _bounded(check, work, ends_at))
        if _is_over(subject, steps):
            return (*steps, unknown(WhyCheck.PROBE, "not reached"))
        left = ends_at - asyncio.get_running_loop().time()
        probe = check_probe(subject, max(min(CHECK_S, left) - PROBE_MARGIN_S, 0.1))
        return (*steps, await _bounded(WhyCheck.PROBE, probe, ends_at))


async def _bounded(check: WhyCheck, work: Awaitable[WhyStep], ends_at: float) -> WhyStep:
    left = ends_at - asyncio.get_running_loop().time()
    bound = max(min(CHECK_S, left), 0.1)
    try:
        async with asyncio.timeout(bound):
            return await work
    except TimeoutError:
        return unknown(check, f"it could not be looked at within {bound:.0f} s")
    except Exception:
        logger.exception("the check %s failed", check)
        return unknown(check, "it could not be looked at; the daemon's log tells why")


def _is_over(subject: Subject, steps: list[WhyStep]) -> bool:
    """Whether the answer is found; what serves can be looked at further all the same."""
    return not subject.is_serving and any(step.status is WhyStatus.FAILED for step in steps)


def _is_up(subject: Subject, steps: tuple[WhyStep, ...]) -> bool:
    is_answering = steps[-1].check is WhyCheck.PROBE and steps[-1].status is WhyStatus.PASSED
    is_running = subject.state is SlotState.RUNNING and subject.is_serving
    return is_running and is_answering and not subject.view.stale


def _scrubbed(report: WhyReport, subject: Subject) -> WhyReport:
    """Take the secrets of the last generations, and those set since, out of every text."""
    resolved = subject.credentials
    newer = Scrubber(resolved.secrets if resolved is not None else ())

    def clean(text: str) -> str:
        return newer.text(subject.slot.scrubber.text(text))

    steps = tuple(
        replace(
            step,
            said=clean(step.said),
            evidence=tuple(map(clean, step.evidence)),
            way_out=clean(step.way_out),
        )
        for step in report.steps
    )
    return replace(report, sentence=clean(report.sentence), steps=steps)
