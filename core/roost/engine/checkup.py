"""`Checkup`: what the doctor finds from inside the daemon, which sees most."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from roost.errors import BundleNotFound, StoreUnavailable, VaultUnavailable
from roost.models import DoctorReport, Finding, Severity
from roost.settings.daemon_settings import daemon_environment

if TYPE_CHECKING:
    from roost.engine.engine import Engine

NAMED_AT_MOST = 5


class Checkup:
    """One check-up at a time; who asks while one runs is given its report."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._running: asyncio.Task[DoctorReport] | None = None

    async def report(self) -> DoctorReport:
        """Run every check as the daemon sees things, and those that only it can make."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(_examine(self._engine), name="check-up")
        return await asyncio.shield(self._running)


async def _examine(engine: Engine) -> DoctorReport:
    # Loaded when it is asked for: few daemons ever are.
    from roost.doctor import Surroundings, examine

    around = Surroundings(engine.data_dir, daemon_environment(), running=engine.settings)
    outside = await asyncio.to_thread(examine, around)
    own = (await _vault(engine), _orphans(engine))
    findings = (*outside, *(finding for finding in own if finding is not None))
    return DoctorReport(findings, engine.clock.now())


async def _vault(engine: Engine) -> Finding | None:
    """Say whether the key opens what is stored; the values go nowhere."""
    closed: list[str] = []
    count = 0
    for view in engine.supervisor.views():
        try:
            fields = engine.supervisor.slot(view.workspace, view.name).definition.fields
            opened = await engine.vault.resolve(view.workspace, view.name, fields)
            count += bool(opened.revision)
        except BundleNotFound:  # removed meanwhile
            continue
        except StoreUnavailable:  # the other checks say what is the matter with it
            return None
        except VaultUnavailable:
            closed.append(f"{view.workspace}/{view.name}")
    if closed:
        return Finding(
            "vault",
            Severity.PROBLEM,
            f"the key does not open the credentials of {_some(closed)}",
            "put the former key back and restart the daemon, or set them again with "
            f"`roost credentials {closed[0]} --set FIELD`",
        )
    if not count:
        return None
    return Finding("vault", Severity.OK, f"the key opens the credentials of {_bundles(count)}")


def _orphans(engine: Engine) -> Finding | None:
    # Missing while the daemon starts: the API listens before the figures are taken.
    pids = engine.measurer.orphans if hasattr(engine, "measurer") else ()
    if not pids:
        return None
    listed = _some([str(pid) for pid in pids])
    return Finding(
        "orphans",
        Severity.WARNING,
        f"processes of this data directory could not be ended: {listed}",
        f"see what they wait for with `ps -o pid,stat,wchan,args -p {','.join(map(str, pids))}`",
    )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED_AT_MOST} more" if len(names) > NAMED_AT_MOST else ""
    return f"{', '.join(names[:NAMED_AT_MOST])}{more}"


def _bundles(count: int) -> str:
    return "1 bundle" if count == 1 else f"{count} bundles"
