"""``roost add --app``: an app is loaded once, unstarted, and installed as what it says it is."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.processes import marked_pids, new_data_id, open_bench
from tests.support.real_daemon import RealDaemon, command_lines, is_alive, real_daemon, roost

from roost.bundles import AppDescription
from roost.engine import app_reader
from roost.engine.app_reader import AppReader
from roost.errors import BadApp
from roost.models import BundleKind

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("add-app")]

COUNTER = """
from roost import App

app = App("counter")

@app.worker
async def count():
    print("counting", flush=True)
    await app.stopping.wait()
"""


@pytest.fixture(scope="module")
def daemon() -> Iterator[RealDaemon]:
    with real_daemon() as started:
        yield started


def written(directory: Path, code: str) -> Path:
    directory.mkdir()
    (directory / "app.py").write_text(code)
    return directory


def names(daemon: RealDaemon) -> list[str]:
    return [view["name"] for view in daemon.wire.get("/v1/bundles")]


def test_an_app_is_installed_under_its_own_name_and_runs(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    directory = written(tmp_path / "somewhere", COUNTER)
    done = roost(daemon.data_dir, "add", "--app", str(directory), "--json")
    assert done.returncode == 0, done.stderr
    view = json.loads(done.stdout)
    assert (view["name"], view["kind"], view["runtime"]) == ("counter", "command", "py")
    detail = daemon.detail("counter")
    assert detail["definition"]["source"] == {
        "kind": "app",
        "origin": str(directory),
        "sha256": None,
        "content_sha256": None,
    }
    daemon.until("counter", "running")
    launched = [sys.executable, "-m", "roost.app", "--directory", str(directory)]
    assert daemon.detail("counter")["argv"] == launched
    again = roost(daemon.data_dir, "add", "--app", str(directory))
    assert again.returncode == 4 and "counter" in again.stderr


def test_an_app_with_a_fault_is_refused_in_one_sentence_and_leaves_nothing(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    directory = written(tmp_path / "broken", "import no_such_module\n")
    before = names(daemon)
    done = roost(daemon.data_dir, "add", "--app", str(directory), "--name", "broken")
    assert done.returncode == 2
    assert str(directory / "app.py") in done.stderr and "no_such_module" in done.stderr
    runs, *sentence = done.stderr.splitlines()
    assert runs.startswith("broken runs: ") and len(sentence) == 1, "and no traceback"
    assert names(daemon) == before
    assert not [argv for _, argv in command_lines() if str(directory).encode() in argv]


def test_a_directory_that_is_none_is_refused(daemon: RealDaemon, tmp_path: Path) -> None:
    done = roost(daemon.data_dir, "add", "--app", str(tmp_path / "absent"))
    assert done.returncode == 2 and "no such directory" in done.stderr


def test_an_interpreter_without_roost_is_told_from_an_app_with_a_fault(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    directory = written(tmp_path / "fine", COUNTER)
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    bare.chmod(0o755)
    done = roost(daemon.data_dir, "add", "--app", str(directory), "--python", str(bare))
    assert done.returncode == 2 and "its interpreter has no Roost" in done.stderr


async def describe(directory: Path) -> AppDescription | BadApp:
    """Describe an app with a driver of the test's own, and see that nothing of it is left."""
    command = (sys.executable, "-m", "roost.app", "--directory", str(directory))
    data_id = new_data_id()
    async with open_bench(data_id) as bench:
        reader = AppReader(bench.driver, data_id, {"PATH": "/usr/bin:/bin"})
        try:
            found: AppDescription | BadApp = await reader.describe(
                command, workspace="w", directory=str(directory)
            )
        except BadApp as refused:
            found = refused
        assert not marked_pids(data_id), "something of the app was left running"
    return found


async def test_what_an_apps_code_starts_while_it_is_loaded_is_ended_with_it(tmp_path: Path) -> None:
    started = f"""
import subprocess
child = subprocess.Popen(["/bin/sleep", "1000"], start_new_session=True)
open({str(tmp_path / "pid")!r}, "w").write(str(child.pid))
"""
    found = await describe(written(tmp_path / "app", started + COUNTER))
    assert found == AppDescription("counter", BundleKind.COMMAND)
    assert not is_alive(int((tmp_path / "pid").read_text()))


async def test_an_app_that_is_never_loaded_is_given_up_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_reader, "LOAD_BOUND_S", 1.0)
    found = await describe(written(tmp_path / "app", "import time\ntime.sleep(1000)\n"))
    assert isinstance(found, BadApp) and "not loaded within 1 s" in found.message


async def test_an_app_that_prints_without_end_is_read_all_the_same(tmp_path: Path) -> None:
    chatty = "import sys\nfor _ in range(20000): print('x' * 100)\n"
    found = await describe(written(tmp_path / "app", chatty + COUNTER))
    assert found == AppDescription("counter", BundleKind.COMMAND)
