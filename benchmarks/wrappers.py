"""Servers behind `npx -y` and `uvx` against their pinned copies: readiness, processes, memory.

Needs npm, uv and their registries; a wrapper that is not on the PATH is left out.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from roost.bundles import InstalledBundle
from roost.clock import SystemClock
from roost.engine import Engine
from roost.engine.installs import Installs
from roost.engine.package_finder import PackageFinder
from roost.lifecycle import Lifecycle
from roost.models import (
    BundleKind,
    BundleSettings,
    Definition,
    InstallRequest,
    Runtime,
    Source,
    SourceKind,
)
from roost.settings.daemon_settings import DaemonSettings

LINES = (
    ("npx", "-y", "@modelcontextprotocol/server-memory"),
    ("uvx", "mcp-server-time"),
)

PAIRS = 5


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a server."""

    ready_ms: int
    processes: int
    pss_mb: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The starts of both sides, in turn."""

    name: str
    wrapped: tuple[Start, ...]
    pinned: tuple[Start, ...]

    def __str__(self) -> str:
        return f"{self.name:<44} {_words(self.wrapped)}  pinned {_words(self.pinned)}"


def run() -> Iterator[Comparison]:
    """Yield one comparison per wrapper, after a warm-up of both sides."""
    for line in LINES:
        if shutil.which(line[0]) is not None:
            yield asyncio.run(_compare(line))


async def _compare(line: tuple[str, ...]) -> Comparison:
    async with _engine() as engine:
        wrapped = _definition(line)
        installs = Installs(engine, actor="bench", audit=_no_audit)
        pinned = await PackageFinder(engine).pinned(wrapped)
        for name, definition in (("wrapped", wrapped), ("pinned", pinned)):
            request = InstallRequest(definition.source.kind, start=False)
            await installs.add("bench", InstalledBundle(name, definition), request)
            await _start(engine, name)
        taken = [
            (await _start(engine, "wrapped"), await _start(engine, "pinned")) for _ in range(PAIRS)
        ]
    return Comparison(
        " ".join(line), tuple(pair[0] for pair in taken), tuple(pair[1] for pair in taken)
    )


async def _start(engine: Engine, name: str) -> Start:
    api = engine.facade("bench")
    result = await api.start("bench", name)
    assert result.ok, result
    generation = engine.supervisor.slot("bench", name).view().generation
    assert generation is not None and generation.ready_ms is not None
    sizes = await asyncio.to_thread(_sizes, f"ROOST_BUNDLE={name}\0", engine.store.data_id)
    await api.stop("bench", name)
    return Start(generation.ready_ms, len(sizes), sum(sizes) / 1024)


def _sizes(*texts: str) -> list[int]:
    """Return the proportional memory in KiB of each process with these texts around it."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            environ = (entry / "environ").read_bytes() if entry.name.isdigit() else b""
            if all(text.encode() in environ for text in texts):
                rollup = (entry / "smaps_rollup").read_text().splitlines()
                found += [int(row.split()[1]) for row in rollup if row.startswith("Pss:")]
    return found


def _definition(line: tuple[str, ...]) -> Definition:
    return Definition(
        kind=BundleKind.MCP_STDIO,
        runtime=Runtime.NODE if line[0] == "npx" else Runtime.UV,
        title=line[0],
        version="",
        command=line[0],
        source=Source(SourceKind.COMMAND, line[0]),
        args=line[1:],
        settings=BundleSettings(start_budget_s=120.0),
    )


def _words(starts: tuple[Start, ...]) -> str:
    ready = statistics.median(start.ready_ms for start in starts)
    memory = statistics.median(start.pss_mb for start in starts)
    processes = statistics.median(start.processes for start in starts)
    return f"{ready:6.0f} ms {processes:2.0f} proc. {memory:5.0f} MB"


async def _no_audit(*_: object) -> None:
    pass


@asynccontextmanager
async def _engine() -> AsyncIterator[Engine]:
    data_dir = tempfile.mkdtemp(prefix="roost-bench-")
    lifecycle = Lifecycle("engine")
    settings = DaemonSettings(data_dir=Path(data_dir))
    engine = Engine(settings, os.environ, SystemClock(), lifecycle)
    engine.register()
    await lifecycle.boot()
    try:
        await engine.add_workspace("bench", "bench")
        yield engine
    finally:
        await lifecycle.close()
        shutil.rmtree(data_dir, ignore_errors=True)
