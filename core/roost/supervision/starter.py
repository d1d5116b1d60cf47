"""The steps of a start, from definition to ready process."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Awaitable
from dataclasses import replace
from types import ModuleType
from urllib.parse import urlsplit

from roost.clock import Clock
from roost.drivers.base import Driver
from roost.errors import Refused, RoostError
from roost.models import (
    BundleKind,
    CrashRecord,
    Launch,
    StartMode,
    StartStep,
)
from roost.store.base import GenerationRows
from roost.supervision.admission import Admission
from roost.supervision.greetings import Greetings, HelloRefused
from roost.supervision.incarnation import Incarnation, first_of
from roost.supervision.late_write import LateWrite
from roost.supervision.link import HandshakeFailed, SessionOwner
from roost.supervision.liveness import liveness_of
from roost.supervision.logfiles import LogFiles
from roost.supervision.ports import CredentialSource, Recipes, SnapshotSource, TokenIssuer
from roost.supervision.prepare import Preparer
from roost.supervision.readiness import ListenerProbe, PortTaken, WebProbe
from roost.supervision.resolver import ResolvedStart, Resolver
from roost.supervision.slot import BundleSlot
from roost.supervision.spawning import Spawner
from roost.supervision.start_failures import (
    Interrupted,
    StartFailed,
    hello_failure,
    refusal_sentence,
)
from roost.supervision.web_ports import check_fixed_port, taken_by

LAST_WORDS_S = 1.0
"""A closed output usually means that the process is ending; its exit says more."""

ASK_AGAIN_S = 0.5
"""Between two handshakes with a process that listens and cannot answer yet."""

_NOT_YET = ("refused", "unavailable", "unreachable")
"""What a process of this machine, or a proxy before it, shows until it is ready."""

logger = logging.getLogger(__name__)


class Starter:
    """Walks the steps of a start; the caller holds the slot's lock."""

    def __init__(
        self,
        *,
        driver: Driver,
        data_id: str,
        generations: GenerationRows,
        recipes: Recipes,
        credentials: CredentialSource,
        logs: LogFiles,
        clock: Clock,
        version: str,
        starts_at_once: int,
        preparer: Preparer,
        tokens: TokenIssuer | None = None,
        snapshots: SnapshotSource | None = None,
    ) -> None:
        self._driver = driver
        self._snapshots = snapshots
        self._spawner = Spawner(driver, data_id=data_id, clock=clock, tokens=tokens)
        self._generations = generations
        self._clock = clock
        self._version = version
        self._admission = Admission(starts_at_once)
        self._resolver = Resolver(
            recipes=recipes,
            credentials=credentials,
            logs=logs,
            preparer=preparer,
            data_id=data_id,
        )
        self.greetings = Greetings()
        """What the starts of workers wait for."""
        self._link_module: ModuleType | None = None
        self._http_module: ModuleType | None = None

    async def resolve(self, slot: BundleSlot) -> ResolvedStart:
        """Prepare, render and resolve, while an old process may still run.

        Raises:
            FieldsMissing, StartFailed, Interrupted
        """
        resolved = await self._resolver.resolve(slot)
        if self._snapshots is None:
            return resolved
        try:
            prepared = await self._snapshots.prepare(
                slot.workspace,
                slot.name,
                resolved.version,
                resolved.launch,
                resolved.credentials.secrets,
            )
        except BaseException as error:
            resolved.log.close()
            if isinstance(error, RoostError):
                is_permanent = isinstance(error, Refused)
                raise StartFailed.of(
                    slot, StartStep.SPAWN, error, is_permanent=is_permanent
                ) from error
            raise
        return replace(resolved, prepared=prepared)

    async def launch(self, slot: BundleSlot, resolved: ResolvedStart) -> Incarnation:
        """Spawn a process and wait until it is ready.

        On failure the process tree is gone again.

        Raises:
            StartFailed, Interrupted
        """
        try:
            return await self._launch(slot, resolved)
        except StartFailed as failed:
            again = self._cold_again(slot, resolved, failed)
            if again is None:
                raise
        return await self._launch(slot, again)

    def _cold_again(
        self, slot: BundleSlot, resolved: ResolvedStart, failed: StartFailed
    ) -> ResolvedStart | None:
        """Return the cold start that comes in place of a restored one that failed, if any."""
        if self._snapshots is None:
            return None
        if resolved.prepared is None or failed.mode is StartMode.COLD:
            self._snapshots.cold_failed(slot.workspace, slot.name)
            return None
        if failed.mode is None:  # nothing was restored, so nothing is learnt about the snapshot
            return None
        self._snapshots.failed(slot.workspace, slot.name, failed.sentence)
        return None if resolved.prepared.is_required else self._resolver.again(slot, resolved)

    async def _launch(self, slot: BundleSlot, resolved: ResolvedStart) -> Incarnation:
        try:
            async with self._admission.place(slot.interrupted) as place:
                if slot.interrupted.is_set():
                    raise Interrupted
                slot.enter_step(StartStep.SPAWN)
                check_fixed_port(slot)
                if slot.definition.kind is BundleKind.WORKER:
                    self.greetings.expect(resolved.generation_id)
                began = self._clock.monotonic()
                incarnation = await self._spawner.spawn(slot, resolved)
                if slot.definition.kind is BundleKind.COMMAND:
                    place.give_on_at_rest(incarnation.process.is_at_rest)
                return await self._make_ready(slot, incarnation, resolved, began)
        except BaseException as error:
            if isinstance(error, StartFailed):
                resolved.log.note(f"start failed at {error.step}: {error.sentence}")
            resolved.log.close()
            raise
        finally:
            self.greetings.forget(resolved.generation_id)

    async def _make_ready(
        self, slot: BundleSlot, incarnation: Incarnation, resolved: ResolvedStart, began: float
    ) -> Incarnation:
        budget = slot.definition.settings.start_budget_s
        # Its row is written while it loads: until then a sweep would find it by its mark.
        kept = asyncio.create_task(self._keep(slot, incarnation))
        try:
            if not incarnation.is_elsewhere:
                await self._driver.connect(incarnation.process)
            slot.show_spawned(incarnation)
            slot.enter_step(StartStep.HANDSHAKE)
            async with asyncio.timeout(budget):
                await self._reach_readiness(slot, incarnation, resolved)
            incarnation.ready_monotonic = self._clock.monotonic()
            await kept
        except BaseException as error:
            try:
                await asyncio.wait({kept})
                kept.exception()  # the first error is the one that counts
                failure = await self._explain(slot, incarnation, error, budget)
            finally:
                await asyncio.shield(self.end(slot, incarnation))
            if isinstance(failure, StartFailed):
                failure.mode = incarnation.generation.start_mode
            if failure is error:
                raise
            raise failure from error
        incarnation.liveness = liveness_of(
            incarnation.link, incarnation.probe, lambda: slot.definition.settings, self._clock
        )
        ready_ms = round((incarnation.ready_monotonic - began) * 1000)
        ready_at = self._clock.now()
        incarnation.generation = replace(
            incarnation.generation, ready_at=ready_at, ready_ms=ready_ms
        )
        await self._record(
            slot, self._generations.set_ready(incarnation.generation.id, ready_at, ready_ms)
        )
        if self._snapshots is not None:
            mode = incarnation.generation.start_mode
            await self._snapshots.started(slot.workspace, slot.name, mode, ready_ms)
        return incarnation

    async def _keep(self, slot: BundleSlot, incarnation: Incarnation) -> None:
        await self._generations.add(
            slot.workspace, slot.name, incarnation.generation, incarnation.process.handle
        )

    async def _record(self, slot: BundleSlot, write: Awaitable[None]) -> None:
        """Write what only tells about a generation: its process is what counts."""
        try:
            await write
        except RoostError as error:
            logger.warning("a generation of %s was not kept whole: %s", slot.label, error)

    async def _reach_readiness(
        self, slot: BundleSlot, incarnation: Incarnation, resolved: ResolvedStart
    ) -> None:
        kind = slot.definition.kind
        if kind is BundleKind.MCP_STDIO:
            ready = self._shake_hands(slot, incarnation)
        elif kind is BundleKind.MCP_HTTP:
            ready = self._open_http(slot, incarnation, resolved)
        elif kind is BundleKind.WEB:
            slot.enter_step(StartStep.READINESS)
            assert resolved.port is not None
            ready = self._probe_web(slot, incarnation, resolved.port)
        elif kind is BundleKind.WORKER:
            ready = self._await_hello(incarnation)
        else:
            slot.enter_step(StartStep.READINESS)
            ready = self._clock.sleep(slot.definition.settings.settle_s)
        ended = incarnation.process.wait()
        winner = await first_of(ready, ended, slot.interrupted.wait())
        if winner == 1:
            raise _Died
        if winner == 2:
            raise Interrupted

    async def _await_hello(self, incarnation: Incarnation) -> None:
        incarnation.tasks = await self.greetings.wait(incarnation.generation.id)

    async def _probe_web(self, slot: BundleSlot, incarnation: Incarnation, port: int) -> None:
        path, process = slot.definition.ready_path, incarnation.process
        incarnation.probe = WebProbe(port, path, self._clock, process.foreign_listener)
        try:
            await incarnation.probe.wait()
        except PortTaken as taken:
            raise taken_by(slot, port, str(taken)) from taken

    async def _shake_hands(self, slot: BundleSlot, incarnation: Incarnation) -> None:
        if self._link_module is None:
            self._link_module = await _load("roost.supervision.mcp_session")
        process = incarnation.process
        assert process.stdin is not None
        owner: SessionOwner = self._link_module.LinkOwner(
            process.stdout,
            process.stdin,
            era=slot.era,
            client_version=self._version,
            on_stray=incarnation.write_stray,
            on_initialized=lambda: slot.enter_step(StartStep.READINESS),
        )
        await _open(owner, incarnation)

    async def _open_http(
        self, slot: BundleSlot, incarnation: Incarnation, resolved: ResolvedStart
    ) -> None:
        launch = resolved.launch
        assert launch.url is not None and launch.address is not None
        if not incarnation.is_elsewhere:
            await self._await_listener(slot, incarnation, launch.url)
        if self._http_module is None:
            self._http_module = await _load("roost.supervision.mcp_http")
        while not await self._opens(slot, incarnation, launch):
            slot.enter_step(StartStep.HANDSHAKE)
            await self._clock.sleep(ASK_AGAIN_S)
        incarnation.log.note(f"connected to {launch.address}")

    async def _opens(self, slot: BundleSlot, incarnation: Incarnation, launch: Launch) -> bool:
        """Shake hands over HTTP; False where a process listens that cannot answer yet."""
        assert self._http_module is not None
        owner: SessionOwner = self._http_module.HttpLinkOwner(
            launch.url,
            launch.address,
            headers=launch.headers,
            era=slot.era,
            client_version=self._version,
            on_initialized=lambda: slot.enter_step(StartStep.READINESS),
        )
        listener = incarnation.listener
        try:
            await _open(owner, incarnation)
        except HandshakeFailed as error:
            if listener is None or error.code not in _NOT_YET:
                raise
            listener.finding = str(error)
            return False
        if listener is not None:
            listener.finding = None
        return True

    async def _await_listener(self, slot: BundleSlot, incarnation: Incarnation, url: str) -> None:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        incarnation.listener = ListenerProbe(
            parts.hostname or "", port, self._clock, incarnation.process.foreign_listener
        )
        try:
            await incarnation.listener.wait()
        except PortTaken as taken:
            raise taken_by(slot, port, str(taken)) from taken

    async def _explain(
        self, slot: BundleSlot, incarnation: Incarnation, error: BaseException, budget: float
    ) -> BaseException:
        step = slot.step or StartStep.SPAWN
        has_last_words = isinstance(error, HandshakeFailed | HelloRefused | _Died)
        if has_last_words and not incarnation.is_elsewhere:
            await first_of(
                incarnation.process.wait(), self._clock.sleep(LAST_WORDS_S), slot.interrupted.wait()
            )
        ended = incarnation.process.exit
        if isinstance(error, Interrupted | asyncio.CancelledError):
            return error
        crash: CrashRecord | None = None
        if ended is not None:
            await incarnation.finish_output()
            crash = incarnation.crash_record(self._clock.now(), ended, step)
        if isinstance(error, HelloRefused):
            return hello_failure(slot, step, error, crash)
        if crash is not None:
            return StartFailed(
                step, "exited", _death_sentence(slot.label, step, crash), crash=crash
            )
        if isinstance(error, TimeoutError):
            return StartFailed(
                step, "start_timeout", _timeout_sentence(slot, step, budget, incarnation)
            )
        if isinstance(error, HandshakeFailed):
            return StartFailed(step, error.code, refusal_sentence(slot, error))
        if isinstance(error, RoostError):
            return StartFailed.of(slot, step, error)
        return error

    async def end(self, slot: BundleSlot, incarnation: Incarnation) -> tuple[int, ...]:
        """End a process tree, record its end, and return the pids that could not be ended."""
        survivors, record = await self.end_unrecorded(slot, incarnation)
        if record is not None:
            await record.now()
        return survivors

    async def end_unrecorded(
        self, slot: BundleSlot, incarnation: Incarnation
    ) -> tuple[tuple[int, ...], LateWrite | None]:
        """End a process tree.

        Returns:
            The pids that could not be ended, and what keeps the end in the store, where that is
            still to be done: a successor need not wait for it.
        """
        try:
            report = await incarnation.dispose(grace_s=slot.definition.settings.stop_grace_s)
        finally:
            self._spawner.revoke(incarnation.generation.id)
        exit_text = str(report.exit) if report.exit is not None else "unknown"
        if incarnation.generation.ended_at is not None:
            return report.survivors, None
        ended_at = self._clock.now()
        incarnation.generation = replace(incarnation.generation, ended_at=ended_at, exit=exit_text)
        ended_id = incarnation.generation.id
        return report.survivors, LateWrite(
            lambda: self._record(slot, self._generations.set_ended(ended_id, ended_at, exit_text))
        )


async def _load(module: str) -> ModuleType:
    """Import a module that takes half a second without holding the event loop up."""
    return await asyncio.to_thread(importlib.import_module, module)


async def _open(owner: SessionOwner, incarnation: Incarnation) -> None:
    try:
        link = await owner.open()
    except BaseException:
        await asyncio.shield(owner.close())
        raise
    incarnation.attach(owner, link)


class _Died(Exception):
    """The process ended before it was ready."""


def _death_sentence(label: str, step: StartStep, crash: CrashRecord) -> str:
    words = next((line.strip() for line in reversed(crash.stderr_tail) if line.strip()), None)
    said = f"its last words: {words[:160]}" if words else "it said nothing on stderr"
    return f"{label} ended with {crash.exit} before its {step} was done; {said}"


def _timeout_sentence(
    slot: BundleSlot, step: StartStep, budget: float, incarnation: Incarnation
) -> str:
    kind = slot.definition.kind
    junk = incarnation.stray_lines
    if junk:
        detail = f"it printed {junk} lines on stdout that are not MCP"
    elif incarnation.listener is not None and incarnation.listener.finding is not None:
        detail = incarnation.listener.finding
    elif step is StartStep.HANDSHAKE and incarnation.address is not None:
        detail = f"{incarnation.address} never answered the MCP handshake"
    elif kind is BundleKind.WORKER:
        detail = "it never told which tasks it offers; its module may still be loading"
    elif step is StartStep.HANDSHAKE:
        detail = "it never answered the MCP handshake"
    elif step is StartStep.READINESS and kind in (BundleKind.MCP_STDIO, BundleKind.MCP_HTTP):
        detail = "it shook hands and never answered tools/list"
    elif incarnation.probe is not None:
        detail = incarnation.probe.finding
    else:
        detail = "it never became ready"
    return f"{slot.label} was not ready after {budget:g} s: {detail}"
