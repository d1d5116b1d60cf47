"""Which Node programs can be prepared, and why others cannot; nothing of a bundle is run for it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.snapshot_fakes import FakeStarts, PhaseLog
from tests.support.snapshot_keys import DIGEST_KEY, BundleOnDisk

from roost.clock import SystemClock
from roost.drivers.base import DriverProcess, SpawnSpec
from roost.models import Launch, Reason
from roost.models.snapshot import SnapshotBackend, SnapshotState
from roost.snapshots.backends import Backends, Standbys
from roost.snapshots.cold_start import ColdStart
from roost.snapshots.entry import Entry, EntryKind
from roost.snapshots.node_backend import NodeBackend, NodeParts
from roost.snapshots.node_cache import CodeCache
from roost.snapshots.node_entry import is_node, read_node_entry
from roost.snapshots.node_files import NodeFiles, file_with_secret, files_change, stamp_files
from roost.snapshots.node_heap import Heap
from roost.snapshots.node_key import make_node_key, node_key_change
from roost.snapshots.node_runtime import NodeRuntimes
from roost.snapshots.node_work import NodeWay
from roost.snapshots.record import Attempt, RecordStore

ANSWER = '["node", "{}", "12.4.254.21", "x64", "symbol", {}]'


def fake_node(place: Path, version: str = "22.1.0", snapshots: str = "true") -> str:
    """Write a program that answers as a Node does and counts how often it is asked."""
    path = place / "node"
    asked = place / "asked"
    answer = ANSWER.format(version, snapshots)
    path.write_text(f"#!/bin/sh\necho . >> {asked}\necho '{answer}'\n")
    path.chmod(0o755)
    return str(path)


def script(place: Path, name: str = "main.js", text: str = "") -> str:
    path = place / name
    path.write_text(text)
    return str(path)


def launch(place: Path, *argv: str, **env: str) -> Launch:
    return Launch(argv, {"PATH": f"{place}:/usr/bin:/bin", **env}, str(place), env_names=())


class Driver:
    """Starts nothing, and counts what it was asked for."""

    def __init__(self) -> None:
        self.spawned: list[SpawnSpec] = []

    def spawn(self, spec: SpawnSpec) -> DriverProcess:
        self.spawned.append(spec)
        raise AssertionError("nothing is to be started")

    async def connect(self, process: DriverProcess) -> None:
        raise AssertionError("nothing was started")


class Bundler:
    """Is never asked for."""

    async def directory(self, workspace: str, bundle: str) -> str:
        raise AssertionError("nothing is to be bundled")


def backend(place: Path, way: NodeWay, driver: Driver) -> NodeBackend:
    root = str(place / "snapshots")
    parts = NodeParts(
        driver=driver,
        data_id="data",
        digest_key=DIGEST_KEY,
        clock=SystemClock(),
        files=NodeFiles(root),
        records=RecordStore(root),
        bundler=Bundler(),
        runtimes=NodeRuntimes(),
    )
    return NodeBackend(way, parts)


def test_a_script_with_options_that_change_no_loading_is_an_entry(tmp_path: Path) -> None:
    node, main = fake_node(tmp_path), script(tmp_path)
    entry = read_node_entry("shop", launch(tmp_path, node, "--no-warnings", "main.js", "--port=1"))
    assert entry == Entry(EntryKind.NODE, main, node, ("--no-warnings",), own_argv=2)
    assert str(entry) == f"script {main}"


def test_a_linked_program_is_an_entry_under_the_name_it_is_started_by(tmp_path: Path) -> None:
    node = fake_node(tmp_path)
    real = script(tmp_path, text="#!/usr/bin/env node\n")
    Path(real).chmod(0o755)
    link = tmp_path / "shop"
    link.symlink_to(real)
    entry = read_node_entry("shop", launch(tmp_path, str(link), "--port=1"))
    assert entry == Entry(EntryKind.NODE, str(link), node, own_argv=0)


@pytest.mark.parametrize(
    ("argv", "code", "told"),
    [
        (("npx", "-y", "server"), "wrapped", "roost pin shop"),
        (("node", "--require", "main.js"), "unknown_flags", "--require"),
        (("node", "--import=./x.mjs", "main.js"), "unknown_flags", "--import"),
        (("node", "-e", "1"), "unknown_flags", "-e"),
        (("node",), "no_script", "names no script"),
        (("node", "gone.js"), "no_script", "gone.js"),
        (("node", "main.ts"), "no_script", ".mjs"),
        (("/bin/true",), "not_node", "roost set shop"),
        ((), "elsewhere", "somewhere else"),
    ],
)
def test_what_cannot_be_prepared_is_told_with_the_way_out(
    tmp_path: Path, argv: tuple[str, ...], code: str, told: str
) -> None:
    fake_node(tmp_path)
    script(tmp_path), script(tmp_path, "main.ts")
    found = read_node_entry("shop", launch(tmp_path, *argv))
    assert isinstance(found, Reason)
    assert found.code == code
    assert told in found.sentence


SECRET = "s3cr3t-of-the-bundle"


def hiding(place: Path, *argv: str) -> Entry | Reason:
    """Read a command line in which a credential stands, as an operator may allow."""
    shown = tuple(word.replace(SECRET, "<token>") for word in argv)
    return read_node_entry("shop", replace(launch(place, *argv), shown_argv=shown))


def test_a_credential_among_the_programs_own_arguments_is_nobodys_business(tmp_path: Path) -> None:
    node, main = fake_node(tmp_path), script(tmp_path)
    found = hiding(tmp_path, node, main, f"--token={SECRET}")
    assert isinstance(found, Entry)
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    "words",
    [
        (f"--title={SECRET}", "main.js"),
        (f"--token={SECRET}", "main.js"),
        (f"{SECRET}.js",),
        (f"./{SECRET}/gone.js",),
    ],
)
def test_a_credential_before_them_is_in_no_entry_and_in_no_reason(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    fake_node(tmp_path), script(tmp_path), script(tmp_path, f"{SECRET}.js")
    found = hiding(tmp_path, "node", *words)
    assert isinstance(found, Reason) and SECRET not in found.sentence
    assert found.code == "credential_in_command"


def test_the_default_way_follows_what_is_started_and_a_choice_comes_first(tmp_path: Path) -> None:
    node, main = fake_node(tmp_path), script(tmp_path)
    ways: tuple[NodeWay, ...] = (CodeCache(), Heap())
    bundle = BundleOnDisk(tmp_path / "python").make()
    driver = Driver()
    python: Any = type("Python", (), {"kind": SnapshotBackend.ZYGOTE})()
    backends = Backends((python, *(backend(tmp_path, way, driver) for way in ways)))
    of_node = ColdStart("w", "shop", "1", launch(tmp_path, node, main))
    assert backends.of(of_node).kind is SnapshotBackend.CODE_CACHE
    chosen = ColdStart("w", "shop", "1", launch(tmp_path, node, main), how=SnapshotBackend.HEAP)
    assert backends.of(chosen).kind is SnapshotBackend.HEAP
    assert backends.of(bundle.start()).kind is SnapshotBackend.ZYGOTE
    parks: Any = type("Parks", (), {"kind": SnapshotBackend.STANDBY})
    of_python, standby = parks(), parks()
    backends = Backends((Standbys(of_python, standby),))
    parked = ColdStart("w", "shop", "1", launch(tmp_path, node, main), how=SnapshotBackend.STANDBY)
    assert backends.of(parked) is standby
    chosen = replace(bundle.start(), how=SnapshotBackend.STANDBY)
    assert backends.of(chosen) is of_python
    assert not is_node(launch(tmp_path, "npx", "server"))


@pytest.mark.parametrize("way", [CodeCache(), Heap()])
@pytest.mark.parametrize(
    ("version", "snapshots", "code"),
    [("18.20.4", "true", "unclaimed_node"), ("22.1.0", "false", "no_startup_snapshots")],
)
async def test_a_node_that_cannot_restore_is_refused_before_anything_is_started(
    tmp_path: Path, way: NodeWay, version: str, snapshots: str, code: str
) -> None:
    node, main = fake_node(tmp_path, version, snapshots), script(tmp_path)
    driver = Driver()
    start = ColdStart("w", "shop", "1", launch(tmp_path, node, main))
    made = backend(tmp_path, way, driver)
    if code == "no_startup_snapshots" and way.kind is SnapshotBackend.CODE_CACHE:
        assert isinstance(made.entry(start), Entry), "compiled code needs none of that"
        return
    starts = FakeStarts()
    attempt = await made.build(start, starts, starts, PhaseLog())
    assert isinstance(attempt, Attempt)
    assert (attempt.state, attempt.reason.code) == (SnapshotState.REFUSED, code)
    assert driver.spawned == []
    made.entry(start)
    assert (tmp_path / "asked").read_text().count(".") == 1, "it is asked once"


def test_a_quick_look_runs_no_node(tmp_path: Path) -> None:
    node, main = fake_node(tmp_path), script(tmp_path)
    start = ColdStart("w", "shop", "1", launch(tmp_path, node, main))
    assert isinstance(backend(tmp_path, Heap(), Driver()).entry(start, quick=True), Entry)
    assert not (tmp_path / "asked").exists()


def test_everything_a_snapshot_was_made_from_is_compared(tmp_path: Path) -> None:
    node, main = fake_node(tmp_path), script(tmp_path)
    lock = tmp_path / "package-lock.json"
    lock.write_text("{}")
    first = launch(tmp_path, node, main, LOG_LEVEL="info", NODE_ENV="production", TOKEN="t-1234")
    start = ColdStart("w", "shop", "1", first, frozenset({"TOKEN"}))
    entry = read_node_entry("shop", first)
    assert isinstance(entry, Entry)
    key = make_node_key(start, entry, "22.1.0", (main,), DIGEST_KEY, reads=("LOG_LEVEL",))

    def change(**env: str) -> str | None:
        other = launch(tmp_path, node, main, **(first.env | env))
        found = node_key_change(key, entry, ColdStart("w", "shop", "1", other), DIGEST_KEY)
        return None if found is None else found.code

    assert node_key_change(key, entry, start, DIGEST_KEY) is None
    assert "t-1234" not in repr(key), "no value is kept"
    assert change(TOKEN="another", PORT="1") is None
    assert change(LOG_LEVEL="debug") == "environment"
    assert change(NODE_ENV="test") == "environment"
    lock.write_text('{"changed": true}')
    assert change() == "lockfile"
    lock.write_text("{}")
    key = make_node_key(start, entry, "22.1.0", (main,), DIGEST_KEY)
    Path(main).write_text("changed")
    assert change() == "sources"
    key = make_node_key(start, entry, "22.1.0", (main,), DIGEST_KEY)
    fake_node(tmp_path, "24.11.0")
    assert change() == "interpreter"


def test_files_that_nothing_names_are_swept_and_those_in_use_stay(tmp_path: Path) -> None:
    files = NodeFiles(str(tmp_path))
    kept, left, under_way = (files.begin("w", "shop", "v8cache") for _ in range(3))
    Path(kept, "app.js").write_text("kept")
    files.finish(kept, is_kept=True)
    files.finish(left, is_kept=True)
    files.sweep("w", "shop", stamp_files(kept))
    assert {Path(kept), Path(under_way)} == set(Path(tmp_path, "w", "shop").iterdir())
    files.finish(under_way, is_kept=False)
    assert not Path(under_way).exists()


def test_a_file_that_holds_something_else_at_the_same_time_is_seen_by_its_content(
    tmp_path: Path,
) -> None:
    path = tmp_path / "app.js"
    path.write_text("one")
    made = stamp_files(str(tmp_path))
    found = path.stat()
    path.write_text("two")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert files_change(made, contents=False) is None
    assert files_change(made, contents=True)
    path.unlink()
    assert files_change(made, contents=False)
    assert files_change((), contents=False), "a record without files is of no use"


@pytest.mark.parametrize("coding", ["utf-8", "utf-16-le"])
def test_a_credential_is_found_as_v8_writes_texts(tmp_path: Path, coding: str) -> None:
    (tmp_path / "app.cache").write_bytes(b"\0\1" + "s3cret-value".encode(coding) + b"\2")
    assert file_with_secret(str(tmp_path), ("s3cret-value",)) == "app.cache"
    assert file_with_secret(str(tmp_path), ("another-value", "\0\1")) is None
