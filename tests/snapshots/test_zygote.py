from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.processes import Bench, marked_pids, open_bench, until
from tests.support.real_starts import RealStarts
from tests.support.snapshot_fakes import PhaseLog
from tests.support.snapshot_keys import DIGEST_KEY
from tests.support.templates import interpreters

from roost.clock import SystemClock
from roost.errors import TemplateFailed
from roost.models import Launch, Reason
from roost.models.snapshot import GuardAction, SnapshotPhase, SnapshotPolicy, SnapshotState
from roost.snapshots.backend import Built, Tracer, Verifier
from roost.snapshots.cold_start import ColdStart
from roost.snapshots.entry import Entry
from roost.snapshots.record import Attempt, Kept, RecordStore
from roost.snapshots.shelf import Shelf
from roost.snapshots.zygote import Zygote

pytestmark = pytest.mark.real

SECRET = "s3cret-0f-th1s-start"

SERVER = """
import os, sys
import shop.goods, shop.settings, shop.level
print(shop.goods.price(), shop.level.LEVEL, os.environ["TOKEN"], *sys.argv[1:], flush=True)
sys.stdin.read()
"""

SHOP_APP = """
import os, sys
from roost import App
import shop.goods

app = App("shop")

@app.worker
async def work():
    print(shop.goods.price(), os.environ["TOKEN"], sys.path[0], flush=True)
    await app.stopping.wait()
"""

ENV = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "LEVEL": "low", "TOKEN": SECRET}


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "app" / "shop").mkdir(parents=True)
    package = tmp_path / "app" / "shop"
    (package / "__init__.py").write_text("")
    (package / "goods.py").write_text(
        "import decimal, email.message\nprice = lambda: decimal.Decimal(3)\n"
    )
    (package / "settings.py").write_text("import os\nALL = dict(os.environ)\n")
    (package / "level.py").write_text("import os\nLEVEL = os.environ.get('LEVEL')\n")
    (tmp_path / "app" / "server.py").write_text(SERVER)
    return tmp_path / "app"


def start_of(app: Path, *argv: str, **env: str) -> ColdStart:
    words = argv or (sys.executable, str(app / "server.py"), "--one")
    launch = Launch(words, ENV | env, str(app), env_names=("LEVEL", "TOKEN"))
    return ColdStart("lab", "shop", "1.0", launch, frozenset({"TOKEN"}))


@asynccontextmanager
async def open_zygote() -> AsyncIterator[tuple[Bench, Zygote]]:
    async with open_bench() as bench:
        yield bench, Zygote(bench.driver, bench.data_id, DIGEST_KEY, SystemClock())


async def built(zygote: Zygote, starts: RealStarts) -> Built:
    found = await zygote.build(starts.start, starts, starts, PhaseLog())
    assert isinstance(found, Built), found
    return found


@pytest.mark.parametrize("python", interpreters())
async def test_a_bundle_is_built_and_started_from_its_template(
    app: Path, tmp_path: Path, python: str
) -> None:
    async with open_zygote() as (bench, zygote):
        starts = RealStarts(bench, start_of(app, python, str(app / "server.py"), "--one"))
        snapshot = await built(zygote, starts)
        made = snapshot.made
        try:
            assert {"decimal", "email.message", "shop.goods", "shop.level"} <= set(made.modules)
            assert "shop.settings" in made.key.exclude
            (finding,) = [f for f in made.findings if f.module == "shop.settings"]
            assert (finding.guard, finding.action) == ("environ_copy", GuardAction.EXCLUDE)
            assert set(made.key.reads) >= {"LEVEL"}
            assert made.template_bytes
            assert {phase for phase, _ in made.phases_ms} == set(SnapshotPhase)

            starts.start = start_of(app, python, str(app / "server.py"), "--two")
            restored = await starts.line(await snapshot.template.restore(starts.spec()))
            assert restored == await starts.line(starts.cold()) == f"3 low {SECRET} --two"

            store = RecordStore(str(tmp_path / "snapshots"))
            store.save(Kept("lab", "shop", made, digest=made.key.digest))
            kept = store.load("lab", "shop")
            assert isinstance(kept, Kept) and kept.made == made
            assert SECRET not in (tmp_path / "snapshots/lab/shop/record.json").read_text()
        finally:
            await snapshot.template.close()
        await until(lambda: not marked_pids(bench.data_id), within_s=30)


async def test_a_template_comes_back_from_its_record_and_only_as_it_was(app: Path) -> None:
    async with open_zygote() as (bench, zygote):
        starts = RealStarts(bench, start_of(app))
        snapshot = await built(zygote, starts)
        await snapshot.template.close()
        made = snapshot.made
        assert await zygote.change(made, starts.start, contents=True) is None
        again = await zygote.open(made, starts.start)
        try:
            assert again.report.loaded == made.loaded
            assert SECRET in await starts.line(await again.restore(starts.spec()))
        finally:
            await again.close()
        with pytest.raises(TemplateFailed, match="roost snapshot build shop"):
            await zygote.open(replace(made, loaded=made.loaded + 1), starts.start)
        await until(lambda: not marked_pids(bench.data_id), within_s=30)


async def test_what_changes_is_told_before_a_process_is_started(app: Path) -> None:
    async with open_zygote() as (bench, zygote):
        starts = RealStarts(bench, start_of(app))
        snapshot = await built(zygote, starts)
        await snapshot.template.close()
        level = await zygote.change(snapshot.made, start_of(app, LEVEL="high"))
        assert level is not None and "LEVEL" in level.sentence and "high" not in level.sentence
        flags = start_of(app, sys.executable, "-O", str(app / "server.py"))
        other = await zygote.change(snapshot.made, flags)
        assert other is not None and other.code == "interpreter"
        os.utime(app / "shop" / "goods.py", ns=(1, 1))
        source = await zygote.change(snapshot.made, starts.start)
        assert source is not None and str(app / "shop" / "goods.py") in source.sentence
        os.utime(app / "server.py", ns=(1, 1))


async def test_a_bundle_that_answers_otherwise_when_restored_is_not_published(app: Path) -> None:
    server = app / "server.py"
    server.write_text("import os, sys\nprint(os.getpid(), flush=True)\nsys.stdin.read()\n")
    async with open_zygote() as (bench, zygote):
        starts = RealStarts(bench, start_of(app))
        attempt = await zygote.build(starts.start, starts, starts, PhaseLog())
        assert isinstance(attempt, Attempt)
        assert (attempt.state, attempt.reason.code) == (SnapshotState.FAILED, "answers_differ")
        await until(lambda: not marked_pids(bench.data_id), within_s=30)


async def test_a_bundle_that_does_not_start_at_all_fails_at_the_trace(app: Path) -> None:
    (app / "server.py").write_text("raise SystemExit('no such shop')\n")
    async with open_zygote() as (bench, zygote):
        starts = RealStarts(bench, start_of(app))
        attempt = await zygote.build(starts.start, starts, starts, PhaseLog())
        assert isinstance(attempt, Attempt)
        assert (attempt.state, attempt.phase) == (SnapshotState.FAILED, SnapshotPhase.TRACE)
        assert "no such shop" in attempt.reason.sentence
        await until(lambda: not marked_pids(bench.data_id), within_s=30)


async def test_a_module_found_through_a_changed_path_is_left_to_each_start(app: Path) -> None:
    (app / "extra").mkdir()
    (app / "extra" / "late.py").write_text("import fractions\nNAME = 'late'\n")
    (app / "server.py").write_text(
        f"import sys, shop.goods\nsys.path.insert(0, {str(app / 'extra')!r})\nimport late\n"
        "print(late.NAME, flush=True)\nsys.stdin.read()\n"
    )
    async with open_zygote() as (bench, zygote):
        starts = RealStarts(bench, start_of(app))
        snapshot = await built(zygote, starts)
        try:
            assert "late" not in snapshot.made.modules
            assert {"fractions", "shop.goods"} <= set(snapshot.made.modules)
            assert await starts.line(await snapshot.template.restore(starts.spec())) == "late"
        finally:
            await snapshot.template.close()


async def test_a_module_started_with_m_is_built_too(app: Path) -> None:
    (app / "shop" / "__main__.py").write_text(SERVER)
    async with open_zygote() as (bench, zygote):
        starts = RealStarts(bench, start_of(app, sys.executable, "-m", "shop", "--three"))
        snapshot = await built(zygote, starts)
        try:
            assert snapshot.made.key.entry.own_argv == 2
            line = await starts.line(await snapshot.template.restore(starts.spec()))
            assert line == f"3 low {SECRET} --three"
        finally:
            await snapshot.template.close()


async def test_a_credential_in_a_variable_of_the_interpreter_is_refused(app: Path) -> None:
    async with open_zygote() as (_, zygote):
        start = replace(start_of(app, PYTHON_TOKEN="x"), credentials=frozenset({"PYTHON_TOKEN"}))
        found = zygote.entry(start)
        assert isinstance(found, Reason)
        assert found.code == "startup_credential"


async def test_a_quick_look_runs_nothing_and_remembers_what_was_told(
    app: Path, tmp_path: Path
) -> None:
    python = tmp_path / "python3"
    ran = tmp_path / "ran"
    python.write_text(f'#!/bin/sh\n: > {ran}\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    command = tmp_path / "shop"
    command.write_text(f"#!{python}\n")
    command.chmod(0o755)
    start = start_of(app, str(command))
    async with open_zygote() as (_, zygote):
        assert isinstance(zygote.entry(start, quick=True), Entry)
        assert not ran.exists()
        assert isinstance(zygote.entry(start), Entry)
        ran.unlink()
        assert isinstance(zygote.entry(start), Entry)
        assert not ran.exists()
        python.write_text('#!/bin/sh\necho \'["pypy", [3, 11, 0], "", [], "", ""]\'\n')
        refused = zygote.entry(start)
        assert isinstance(refused, Reason) and refused.code == "unclaimed_python"
        assert zygote.entry(start, quick=True) == refused


async def test_an_app_of_roosts_own_is_built_with_its_components_loaded(app: Path) -> None:
    (app / "app.py").write_text(SHOP_APP)
    (app / "sub").mkdir()
    argv = (sys.executable, "-m", "roost.app", "--directory", str(app))
    start = start_of(app, *argv)
    start = replace(start, launch=replace(start.launch, cwd=str(app / "sub")))
    async with open_zygote() as (bench, zygote):
        starts = RealStarts(bench, start)
        snapshot = await built(zygote, starts)
        try:
            assert str(snapshot.made.key.entry) == f"app in {app}"
            assert "shop.goods" in snapshot.made.modules
            line = await starts.line(await snapshot.template.restore(starts.spec()))
            assert line == f"3 {SECRET} {app}"
        finally:
            await snapshot.template.close()


class OneBundle:
    """The engine's side, for a shelf with one real bundle."""

    def __init__(self, starts: RealStarts) -> None:
        self._starts = starts

    def policy(self, workspace: str, name: str) -> SnapshotPolicy:
        return SnapshotPolicy.REQUIRE

    async def cold_start(self, workspace: str, name: str) -> ColdStart:
        return self._starts.start

    def tracer(self, start: ColdStart) -> Tracer:
        return self._starts

    def verifier(self, start: ColdStart) -> Verifier:
        return self._starts


async def test_a_snapshot_outlives_the_daemon_and_a_killed_template(
    app: Path, tmp_path: Path
) -> None:
    store = RecordStore(str(tmp_path / "snapshots"))
    async with open_bench() as bench:
        starts = RealStarts(bench, start_of(app))

        def new_shelf() -> Shelf:
            return Shelf(
                bundles=OneBundle(starts),
                backend=Zygote(bench.driver, bench.data_id, store.digest_key(), SystemClock()),
                records=store,
                clock=SystemClock(),
                on_change=lambda workspace, name: None,
            )

        async def restored(shelf: Shelf) -> str:
            template = (await shelf.prepare(starts.start)).template
            assert template is not None
            return await starts.line(await template.restore(starts.spec()))

        shelf = new_shelf()
        await shelf.build("lab", "shop")
        assert SECRET in await restored(shelf)
        await shelf.close()

        shelf = new_shelf()
        await shelf.open()
        assert SECRET in await restored(shelf)
        (template,) = marked_pids(bench.data_id)
        os.kill(template, signal.SIGKILL)
        await until(lambda: template not in marked_pids(bench.data_id), within_s=30)
        await until(lambda: bool(marked_pids(bench.data_id)), within_s=60)
        assert SECRET in await restored(shelf)
        assert (await shelf.verify("lab", "shop")).state is SnapshotState.READY
        await shelf.close()
        await until(lambda: not marked_pids(bench.data_id), within_s=30)
