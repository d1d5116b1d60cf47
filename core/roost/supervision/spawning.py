"""`Spawner`: the one step of a start in which its process comes to be, cold or from a snapshot."""

from __future__ import annotations

from roost.clock import Clock
from roost.drivers.base import Driver, DriverProcess, Mark, SpawnSpec
from roost.drivers.remote import RemoteProcess
from roost.errors import RestoreFailed, RoostError
from roost.models import BundleKind, GenerationView, StartMode, StartStep
from roost.supervision.incarnation import Incarnation
from roost.supervision.ports import TokenIssuer
from roost.supervision.resolver import ResolvedStart
from roost.supervision.secret_parts import with_parts
from roost.supervision.slot import BundleSlot
from roost.supervision.start_failures import StartFailed
from roost.vault import Scrubber


class Spawner:
    """Starts processes and takes ownership of them.

    Args:
        driver: starts cold processes.
        data_id: identity of the data directory.
        clock: for the time of a spawn.
        tokens: gives every process what it may report runs with; None gives none.
    """

    def __init__(
        self, driver: Driver, *, data_id: str, clock: Clock, tokens: TokenIssuer | None
    ) -> None:
        self._driver = driver
        self._data_id = data_id
        self._clock = clock
        self._tokens = tokens

    async def spawn(self, slot: BundleSlot, resolved: ResolvedStart) -> Incarnation:
        """Start the process of a resolved start.

        Raises:
            StartFailed: there is no process.
        """
        told = " ".join(resolved.launch.told_argv) or f"a session with {resolved.launch.address}"
        resolved.log.note(f"generation {resolved.number}: {told}")
        try:
            process, mode = await self._process(slot, resolved)
        except BaseException as error:
            self.revoke(resolved.generation_id)
            if isinstance(error, RoostError):
                is_permanent = not isinstance(error, RestoreFailed)
                raise StartFailed.of(
                    slot, StartStep.SPAWN, error, is_permanent=is_permanent
                ) from error
            raise
        return self._incarnation(slot, resolved, process, mode)

    def revoke(self, generation_id: str) -> None:
        """Let the token of a generation open nothing any more."""
        if self._tokens is not None:
            self._tokens.revoke(generation_id)

    async def _process(
        self, slot: BundleSlot, resolved: ResolvedStart
    ) -> tuple[DriverProcess, StartMode]:
        if slot.definition.is_elsewhere:
            return RemoteProcess(), StartMode.COLD
        spec = self._spec(slot, resolved)
        prepared = resolved.prepared
        if prepared is None:
            return self._driver.spawn(spec), StartMode.COLD
        try:
            return await prepared.spawn(spec), prepared.mode
        except RestoreFailed as failed:
            if prepared.is_required:
                raise
            resolved.log.note(f"starts cold: {failed.message}")
            return self._driver.spawn(spec), StartMode.COLD

    def _spec(self, slot: BundleSlot, resolved: ResolvedStart) -> SpawnSpec:
        launch = resolved.launch
        return SpawnSpec(
            argv=launch.argv,
            env=launch.env,
            cwd=launch.cwd,
            mark=Mark(self._data_id, resolved.generation_id, slot.workspace, slot.name),
            wants_stdin=slot.definition.kind is BundleKind.MCP_STDIO,
            limits=slot.definition.settings.limits,
            handed=self._token_for(slot, resolved.generation_id),
            inherited=resolved.inherited,
        )

    def _token_for(self, slot: BundleSlot, generation_id: str) -> bytes | None:
        if self._tokens is None:
            return None
        return self._tokens.hand_over(slot.workspace, slot.name, generation_id)

    def _incarnation(
        self, slot: BundleSlot, resolved: ResolvedStart, process: DriverProcess, mode: StartMode
    ) -> Incarnation:
        launch = resolved.launch
        generation = GenerationView(
            id=resolved.generation_id,
            number=resolved.number,
            version=resolved.version,
            config_hash=resolved.config_hash,
            credential_revision=resolved.credentials.revision,
            start_mode=mode,
            spawned_at=self._clock.now(),
            pid=process.display_pid,
        )
        secrets = with_parts(resolved.credentials.secrets)
        return Incarnation(
            process,
            generation,
            kind=slot.definition.kind,
            log=resolved.log,
            scrubber=Scrubber(secrets),
            argv=launch.told_argv,
            env_names=launch.env_names,
            secrets=secrets,
            address=launch.address,
        )
