"""`Resolver`: the steps of a start that come before anything is stopped or spawned."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable
from dataclasses import dataclass, replace

from roost.drivers.base import Mark
from roost.errors import CommandNotFound, ForbiddenVariable, RoostError
from roost.models import (
    Definition,
    FieldValue,
    Launch,
    ResolvedCredentials,
    StartStep,
)
from roost.supervision.incarnation import first_of
from roost.supervision.logfiles import LogFiles, LogWriter
from roost.supervision.ports import CredentialSource, PreparedStart, Recipes
from roost.supervision.prepare import PrepareFailed, Preparer
from roost.supervision.slot import BundleSlot, SlotKey
from roost.supervision.start_failures import FieldsMissing, Interrupted, StartFailed
from roost.supervision.web_ports import WebPorts


@dataclass(frozen=True, slots=True)
class ResolvedStart:
    """Everything a spawn needs, resolved before the old process is touched."""

    number: int
    generation_id: str
    launch: Launch
    credentials: ResolvedCredentials
    config_hash: str
    version: str
    log: LogWriter
    port: int | None
    prepared: PreparedStart | None = None
    """The snapshot that it is to be restored from; None for a cold start."""
    inherited: tuple[int, ...] = ()
    """Descriptors that the process is given under the same numbers."""


class Resolver:
    """Prepares, renders and resolves; the old process is not touched by it."""

    def __init__(
        self,
        *,
        recipes: Recipes,
        credentials: CredentialSource,
        logs: LogFiles,
        preparer: Preparer,
        data_id: str,
    ) -> None:
        self._recipes = recipes
        self._credentials = credentials
        self._logs = logs
        self._preparer = preparer
        self._data_id = data_id
        self._numbers: dict[SlotKey, int] = {}
        self._ports = WebPorts()

    async def resolve(self, slot: BundleSlot) -> ResolvedStart:
        """Prepare, render and resolve, while an old process may still run.

        Raises:
            FieldsMissing, StartFailed, Interrupted
        """
        number = self._next_number(slot)
        generation_id = secrets.token_hex(8)
        log = self._logs.writer(slot.workspace, slot.name, number)
        try:
            return await self._resolve(slot, number, generation_id, log)
        except BaseException as error:
            failure = _as_failure(slot, error)
            if isinstance(failure, StartFailed):
                log.note(f"start failed at {failure.step}: {failure.sentence}")
            log.close()
            if failure is error:
                raise
            raise failure from error

    def again(self, slot: BundleSlot, resolved: ResolvedStart) -> ResolvedStart:
        """Return the same start, cold, as a generation of its own."""
        number = self._next_number(slot)
        return replace(
            resolved,
            number=number,
            generation_id=secrets.token_hex(8),
            log=self._logs.writer(slot.workspace, slot.name, number),
            prepared=None,
        )

    async def _resolve(
        self, slot: BundleSlot, number: int, generation_id: str, log: LogWriter
    ) -> ResolvedStart:
        definition = slot.definition
        prepared_dir = await self._prepare(slot, definition, generation_id, log)
        slot.enter_step(StartStep.RENDER)
        config_hash = self._recipes.config_hash(definition)
        port = self._ports.choose(slot.key, definition)
        slot.enter_step(StartStep.CREDENTIALS)
        credentials = await self._check_fields(slot, definition)
        launch = self._render(slot, definition, credentials.values, prepared_dir, port)
        return ResolvedStart(
            number=number,
            generation_id=generation_id,
            launch=launch,
            credentials=credentials,
            config_hash=config_hash,
            version=definition.version,
            log=log,
            port=port,
        )

    def _next_number(self, slot: BundleSlot) -> int:
        newest = slot.generation.number if slot.generation is not None else 0
        number = max(self._numbers.get(slot.key, 0), newest) + 1
        self._numbers[slot.key] = number
        return number

    async def _check_fields(self, slot: BundleSlot, definition: Definition) -> ResolvedCredentials:
        try:
            credentials = await self._credentials.resolve(
                slot.workspace, slot.name, definition.fields
            )
        except RoostError as error:
            raise StartFailed.of(slot, StartStep.CREDENTIALS, error) from error
        missing = self._recipes.missing_fields(definition, credentials.values)
        if missing:
            raise FieldsMissing(missing)
        return credentials

    async def _prepare(
        self, slot: BundleSlot, definition: Definition, generation_id: str, log: LogWriter
    ) -> str | None:
        plan = self._recipes.plan_prepare(slot.workspace, slot.name, definition)
        if plan is None:
            return None
        await self._check_fields(slot, definition)  # a download that could not be used is no help
        mark = Mark(self._data_id, generation_id, slot.workspace, slot.name)
        try:
            await _unless_interrupted(slot, self._preparer.run(plan, mark, log))
        except (PrepareFailed, RoostError, OSError) as error:
            raise StartFailed(
                StartStep.PREPARE, "prepare_failed", f"{slot.label} cannot start: {error}"
            ) from error
        return plan.prepared_dir

    def _render(
        self,
        slot: BundleSlot,
        definition: Definition,
        values: dict[str, FieldValue],
        prepared_dir: str | None,
        port: int | None,
    ) -> Launch:
        try:
            return self._recipes.launch(
                slot.workspace,
                slot.name,
                definition,
                values,
                prepared_dir=prepared_dir,
                port=port,
            )
        except (CommandNotFound, ForbiddenVariable) as error:
            raise StartFailed.of(slot, StartStep.RENDER, error, is_permanent=True) from error
        except RoostError as error:
            raise StartFailed.of(slot, StartStep.CREDENTIALS, error, is_permanent=True) from error


def _as_failure(slot: BundleSlot, error: BaseException) -> BaseException:
    if isinstance(error, RoostError):
        return StartFailed.of(slot, slot.step or StartStep.PREPARE, error)
    return error


async def _unless_interrupted(slot: BundleSlot, work: Awaitable[None]) -> None:
    if await first_of(work, slot.interrupted.wait()) == 1:
        raise Interrupted
