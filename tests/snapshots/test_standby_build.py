"""Standbys of real bundles: built with the guards, used once, and followed by the next."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.snapshots.test_zygote import SECRET, app, start_of
from tests.support.processes import Bench, marked_pids, open_bench, until
from tests.support.real_starts import RealStarts
from tests.support.snapshot_fakes import PhaseLog
from tests.support.snapshot_keys import DIGEST_KEY
from tests.support.templates import holds_in_memory

from roost.clock import SystemClock
from roost.errors import Unavailable
from roost.models.snapshot import (
    GuardAction,
    SnapshotBackend,
    SnapshotPhase,
    SnapshotPolicy,
    SnapshotState,
)
from roost.snapshots.backend import Built, Template, Tracer, Verifier
from roost.snapshots.cold_start import ColdStart
from roost.snapshots.record import RecordStore
from roost.snapshots.shelf import Shelf
from roost.snapshots.standby import PythonStandby

__all__ = ["app"]

pytestmark = pytest.mark.real

THREAD = """
import threading, socket
ends = socket.socketpair()
thread = threading.Thread(target=threading.Event().wait, daemon=True)
thread.start()
"""

SERVER = """
import os, sys
import shop.goods, shop.work
print(shop.work.thread.is_alive(), os.environ["TOKEN"], flush=True)
sys.stdin.read()
"""


@asynccontextmanager
async def open_standby() -> AsyncIterator[tuple[Bench, PythonStandby]]:
    async with open_bench() as bench:
        yield bench, PythonStandby(bench.driver, bench.data_id, DIGEST_KEY, SystemClock())


async def built(backend: PythonStandby, starts: RealStarts) -> Built:
    found = await backend.build(starts.start, starts, starts, PhaseLog())
    assert isinstance(found, Built), found
    return found


async def line_from(starts: RealStarts, template: Template) -> str:
    return await starts.line(await template.restore(starts.spec()))


async def test_a_bundle_is_built_verified_by_one_hand_over_and_parked_again(app: Path) -> None:
    async with open_standby() as (bench, backend):
        starts = RealStarts(bench, start_of(app))
        snapshot = await built(backend, starts)
        made = snapshot.made
        assert made.backend is SnapshotBackend.STANDBY
        assert {phase for phase, _ in made.phases_ms} == set(SnapshotPhase)
        assert "shop.settings" in made.key.exclude, "what copies the environment is left out"
        assert made.template_bytes
        assert snapshot.template.is_spent, "the verification took it"
        await snapshot.template.close()

        parked = await backend.open(made, starts.start)
        (pid,) = marked_pids(bench.data_id)
        assert not holds_in_memory(pid, SECRET.encode())
        assert await parked.measure()
        cold = await starts.line(starts.cold())
        assert await line_from(starts, parked) == cold == f"3 low {SECRET} --one"
        await parked.close()
        await until(lambda: not marked_pids(bench.data_id), within_s=30)


async def test_threads_and_sockets_of_imports_stand_in_the_way_of_no_standby(app: Path) -> None:
    (app / "shop" / "work.py").write_text(THREAD)
    (app / "server.py").write_text(SERVER)
    async with open_standby() as (bench, backend):
        starts = RealStarts(bench, start_of(app))
        snapshot = await built(backend, starts)
        assert "shop.work" in snapshot.made.modules
        assert snapshot.made.findings == ()
        await snapshot.template.close()
        parked = await backend.open(snapshot.made, starts.start)
        assert await line_from(starts, parked) == f"True {SECRET}"
        await parked.close()


@pytest.mark.parametrize(
    ("hazard", "guard"),
    [
        ("import os\nTOKEN = os.environ.get('TOKEN')\n", "credential_read"),
        ("import os\nALL = dict(os.environ)\n", "environ_copy"),
        ("import os\nos.environ['OTHER'] = 'x'\n", "environ_changed"),
        ("import sys\nNAME = sys.argv[0]\n", "arguments"),
        ("import sys\nprint('hello', file=sys.stderr)\n", "output"),
        ("import time\nBORN = time.time_ns()\n", "per_process_value"),
        ("import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n", "process_state"),
    ],
)
async def test_what_is_of_one_start_only_is_left_to_that_start(
    app: Path, hazard: str, guard: str
) -> None:
    (app / "shop" / "work.py").write_text(hazard)
    (app / "server.py").write_text(
        "import os, sys\nimport shop.goods, shop.work\nprint(1, flush=True)\nsys.stdin.read()\n"
    )
    async with open_standby() as (bench, backend):
        starts = RealStarts(bench, start_of(app))
        snapshot = await built(backend, starts)
        await snapshot.template.close()
        found = {f.guard: f.action for f in snapshot.made.findings if f.module == "shop.work"}
        assert found[guard] is GuardAction.EXCLUDE
        assert "shop.work" not in snapshot.made.modules


async def test_nothing_waits_for_a_bundle_that_is_stopped(app: Path) -> None:
    async with open_standby() as (bench, backend):
        starts = RealStarts(bench, start_of(app))
        snapshot = await built(backend, starts)
        await snapshot.template.close()
        with pytest.raises(Unavailable, match="loaded when it runs"):
            await backend.open(snapshot.made, replace(starts.start, should_run=False))
        assert marked_pids(bench.data_id) == ()


class OneBundle:
    """The engine's side, for a shelf with one real bundle."""

    def __init__(self, starts: RealStarts) -> None:
        self._starts = starts
        self.kept = SnapshotPolicy.AUTO

    def policy(self, workspace: str, name: str) -> SnapshotPolicy:
        return self.kept

    async def cold_start(self, workspace: str, name: str) -> ColdStart:
        return replace(self._starts.start, how=SnapshotBackend.STANDBY)

    def tracer(self, start: ColdStart) -> Tracer:
        return self._starts

    def verifier(self, start: ColdStart) -> Verifier:
        return self._starts


async def test_each_start_takes_the_parked_process_and_the_next_is_parked_after_it(
    app: Path, tmp_path: Path
) -> None:
    store = RecordStore(str(tmp_path / "snapshots"))
    async with open_bench() as bench:
        starts = RealStarts(bench, start_of(app))
        backend = PythonStandby(bench.driver, bench.data_id, store.digest_key(), SystemClock())

        def new_shelf() -> Shelf:
            return Shelf(
                bundles=OneBundle(starts),
                backend=backend,
                records=store,
                clock=SystemClock(),
                on_change=lambda workspace, name: None,
                idle_s=0.0,
            )

        async def warm(shelf: Shelf, after: int = 0) -> int:
            await until(lambda: after not in marked_pids(bench.data_id), within_s=60)
            await until(lambda: len(marked_pids(bench.data_id)) == 1, within_s=60)
            await until(lambda: shelf.view("lab", "shop").is_warm, within_s=60)
            (parked,) = marked_pids(bench.data_id)
            return parked

        shelf = new_shelf()
        view = await shelf.build("lab", "shop")
        assert (view.state, view.is_warm) == (SnapshotState.READY, False)
        parked = await warm(shelf)
        template = (await shelf.prepare(starts.start)).template
        assert template is not None
        process = await template.restore(starts.spec())
        assert process.display_pid == parked
        assert not shelf.view("lab", "shop").is_warm
        cold = await shelf.prepare(starts.start)
        assert cold.template is None, "the next one is not parked yet"
        assert cold.reason is not None and cold.reason.code == "not_loaded"
        assert SECRET in await starts.line(process)
        assert await warm(shelf, after=parked)
        view = shelf.view("lab", "shop")
        assert (view.state, view.reason) == (SnapshotState.READY, None), "that was no loss"
        assert (await shelf.verify("lab", "shop")).state is SnapshotState.READY
        await shelf.close()
        assert marked_pids(bench.data_id) == ()

        shelf = new_shelf()
        await shelf.open()
        assert (await shelf.prepare(starts.start)).template is None
        parked = await warm(shelf)
        os.kill(parked, signal.SIGKILL)
        assert await warm(shelf, after=parked)
        shelf.rest("lab", "shop")
        assert not shelf.view("lab", "shop").is_warm
        await until(lambda: not marked_pids(bench.data_id), within_s=30)
        await shelf.close()


async def test_an_app_of_roosts_own_is_handed_over_with_its_components_loaded(app: Path) -> None:
    (app / "app.py").write_text(
        "import os, sys\nfrom roost import App\nimport shop.goods\napp = App('shop')\n"
        "@app.worker\nasync def work():\n"
        "    print(shop.goods.price(), os.environ['TOKEN'], flush=True)\n"
        "    await app.stopping.wait()\n"
    )
    argv = (sys.executable, "-m", "roost.app", "--directory", str(app))
    async with open_standby() as (bench, backend):
        starts = RealStarts(bench, start_of(app, *argv))
        snapshot = await built(backend, starts)
        await snapshot.template.close()
        parked = await backend.open(snapshot.made, starts.start)
        assert await line_from(starts, parked) == f"3 {SECRET}"
        await parked.close()
