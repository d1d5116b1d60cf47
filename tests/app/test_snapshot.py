"""An app that is loaded for a snapshot and restored: what runs when, and what is anew."""

import asyncio
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest
from tests.app.running import LIMIT_S, fetch, hello, lab, when_serving

import roost
from roost import App, load_for_snapshot
from roost.errors import BadInput, EntryFailed, HookFailed, NotLoaded
from roost.lifecycle import LifeState, Notifier
from roost.lifecycle.entry import Entry

pytestmark = pytest.mark.usefixtures("clean_imports")


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    """Put back what a restore replaces."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
    time.tzset()


def write_app(directory: Path, code: str) -> str:
    (directory / "lab_app.py").write_text(f"from roost import App\napp = App('lab')\n{code}")
    return "lab_app.py"


def test_an_app_is_found_loaded_and_restored_by_the_two_public_calls(tmp_path: Path) -> None:
    entry = write_app(
        tmp_path,
        "trace = []\n"
        "class Store:\n"
        "    def load(self): trace.append('load')\n"
        "    def before_snapshot(self): trace.append('before_snapshot')\n"
        "    def after_restore(self): trace.append('after_restore')\n"
        "    def did_load(self): trace.append('did_load')\n"
        "    def server_did_ready(self): app.stop()\n"
        "app.add(Store())\n",
    )
    app = load_for_snapshot(entry, tmp_path)
    trace = sys.modules["lab_app"].trace
    assert trace == ["load"] and app.lifecycle.state is LifeState.LOADED
    assert app.entry == str(tmp_path / "lab_app.py")
    app.freeze()
    assert trace == ["load", "before_snapshot"]
    assert roost.restore(app) == 0
    assert trace == ["load", "before_snapshot", "after_restore", "did_load"]


def test_restoring_what_is_only_loaded_freezes_it_first() -> None:
    trace: list[str] = []
    app = when_serving(lab())
    for phase in ("before_snapshot", "after_restore"):
        app.hook(phase)(lambda phase=phase: trace.append(phase))
    app.load_for_snapshot()
    assert app.restore() == 0
    assert trace == ["before_snapshot", "after_restore"]


def test_a_restored_app_reads_the_environment_it_was_given_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAB_TOKEN", "of the builder")
    seen: list[tuple[str, Mapping[str, str]]] = []
    app = when_serving(lab())
    for phase in ("config_will_load", "load", "before_snapshot", "config_did_load"):
        app.hook(phase)(lambda phase=phase: seen.append((phase, dict(app.environ))))
    app.hook("after_restore")(lambda: seen.append(("of the process", dict(os.environ))))
    app.load_for_snapshot()
    fresh = {"LAB_TOKEN": "fresh", "TZ": "Etc/GMT-5"}
    assert app.restore(fresh) == 0
    nothing: dict[str, str] = {}
    assert seen == [
        ("config_will_load", nothing),
        ("load", nothing),
        ("before_snapshot", nothing),
        ("of the process", fresh),
        ("config_did_load", fresh),
    ]
    assert time.timezone == -5 * 3600


def test_what_claims_readiness_is_guarded_anew_after_every_restore(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = lab()
    notifiers: list[Notifier] = []
    warnings: list[int] = []

    def count() -> None:
        warnings.append(sum("before the app is ready" in text for text in caplog.messages))

    @app.add
    class Early:
        def did_load(self) -> None:
            notifiers.append(app.notifier)
            for _ in range(2):
                app.notifier.alive()
            count()

        def server_did_ready(self) -> None:
            app.notifier.alive()
            app.notifier.status("up")
            count()

    when_serving(app)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            app.load_for_snapshot()
            assert app.restore() == 0
    assert warnings == [2, 2, 4, 4, 6, 6]
    assert len(set(map(id, notifiers))) == 3
    assert "'Early' sent 'alive' before the app is ready" in caplog.text


def test_three_cycles_hold_the_same_exception_handlers_and_give_them_back() -> None:
    app = lab()
    seen: list[tuple[object, ...]] = []

    def look() -> None:
        handler = asyncio.get_running_loop().get_exception_handler()
        seen.append((sys.excepthook, threading.excepthook, handler))

    when_serving(app, look)
    before = (sys.excepthook, threading.excepthook)
    for _ in range(3):
        app.load_for_snapshot()
        assert (sys.excepthook, threading.excepthook) == before
        app.freeze()
        assert app.restore() == 0
        assert (sys.excepthook, threading.excepthook) == before
    assert seen[0] == seen[1] == seen[2]
    assert not set(seen[0]) & set(before)


def test_a_client_opened_while_loading_is_refused_and_the_same_call_works_restored(
    capsys: pytest.CaptureFixture[str],
) -> None:
    opened: list[str] = []

    class Client:
        def __enter__(self) -> None:
            opened.append("open")

        def __exit__(self, *_: object) -> None:
            opened.append("closed")

    class Store:
        async def connect(self) -> None:
            await app.open_client(Client())

    app, store = lab(), Store()
    store.load = store.connect  # type: ignore[attr-defined]
    app.add(store)
    with pytest.raises(HookFailed, match=r"'Store' may not open a client now.*Open it in did_load"):
        app.load_for_snapshot()
    assert app.run() == 1 and "may not open a client" in capsys.readouterr().err
    assert opened == []

    app, store = lab(), Store()
    store.did_load = store.connect  # type: ignore[attr-defined]
    app.add(store)
    when_serving(app).load_for_snapshot()
    assert app.restore() == 0
    assert opened == ["open", "closed"]


def test_what_was_opened_in_snapshot_mode_is_closed_by_the_restored_app() -> None:
    trace: list[str] = []
    app = lab()

    @app.add
    class Files:
        def load(self) -> None:
            app.on_close(lambda: trace.append("file of the load"))

        def did_load(self) -> None:
            app.on_close(lambda: trace.append("file of the start"))

        def before_close(self) -> None:
            trace.append("hook")

    when_serving(app).load_for_snapshot()
    assert app.restore() == 0
    assert trace == ["hook", "file of the start", "file of the load"]


def test_closing_right_after_the_load_cleans_up_and_runs_no_close_hook() -> None:
    trace: list[str] = []
    app = lab()

    @app.add
    class Files:
        def load(self) -> None:
            app.on_close(lambda: trace.append("file"))

        def did_load(self) -> None: ...

        def before_close(self) -> None:
            trace.append("hook")

    app.load_for_snapshot()
    assert app.close() == ()
    assert trace == ["file"]
    assert when_serving(app).run() == 0, "a cold start is possible again"
    assert trace == ["file", "hook", "file"]


def test_a_load_that_fails_releases_what_it_had() -> None:
    trace: list[str] = []
    app = lab()

    @app.add
    class Files:
        def load(self) -> None:
            app.on_close(lambda: trace.append("file"))
            raise OSError("disk full")

    with pytest.raises(HookFailed, match="component 'Files' failed in load: OSError: disk full"):
        app.load_for_snapshot()
    assert trace == ["file"] and app.lifecycle.state is LifeState.CLOSED


def test_a_freeze_that_fails_releases_what_it_had_and_names_its_component() -> None:
    trace: list[str] = []
    app = lab()
    app.hook("load")(lambda: app.on_close(lambda: trace.append("file")))

    @app.hook("before_snapshot")
    def let_go() -> None:
        raise OSError("busy")

    app.load_for_snapshot()
    with pytest.raises(HookFailed, match="the component 'let_go' failed in before_snapshot"):
        app.freeze()
    assert trace == ["file"] and app.lifecycle.state is LifeState.CLOSED


def test_a_later_freeze_that_fails_leaves_the_frozen_app_restorable() -> None:
    app = when_serving(lab())
    faults: list[OSError] = []

    @app.hook("before_snapshot")
    def let_go() -> None:
        if faults:
            raise faults.pop()

    app.load_for_snapshot()
    app.freeze()
    faults.append(OSError("busy"))
    with pytest.raises(HookFailed):
        app.freeze()
    assert app.lifecycle.state is LifeState.FROZEN
    assert app.restore() == 0


@pytest.mark.parametrize("phase", ["before_snapshot", "after_restore", "config_did_load"])
def test_a_restore_that_fails_ends_with_one_and_releases_what_was_loaded(
    phase: str, capsys: pytest.CaptureFixture[str]
) -> None:
    trace: list[str] = []
    app = lab()
    app.hook("load")(lambda: app.on_close(lambda: trace.append("file")))

    @app.hook(phase)
    def reopen() -> None:
        raise OSError("gone")

    app.load_for_snapshot()
    assert app.restore() == 1
    assert f"the component 'reopen' failed in {phase}: OSError: gone" in capsys.readouterr().err
    assert trace == ["file"] and app.lifecycle.state is LifeState.CLOSED


def test_what_is_not_loaded_is_not_restored(capsys: pytest.CaptureFixture[str]) -> None:
    app = lab()
    assert app.restore() == 1
    assert "'lab' is new, which does not allow a restore" in capsys.readouterr().err
    with pytest.raises(NotLoaded):
        app.freeze()


def test_an_app_that_is_loaded_is_not_loaded_again() -> None:
    app = lab()
    app.load_for_snapshot()
    with pytest.raises(NotLoaded, match="'lab' is loaded"):
        app.load_for_snapshot()
    assert app.lifecycle.state is LifeState.LOADED
    app.close()


def test_a_loaded_app_is_not_started_cold_and_stays_loaded(
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = when_serving(lab())
    app.load_for_snapshot()
    assert app.run() == 1
    assert "'lab' is loaded, which does not allow another start" in capsys.readouterr().err
    assert app.restore() == 0


def test_tasks_of_a_load_do_not_outlive_it_and_neither_does_its_loop() -> None:
    seen: list[asyncio.Task[bool]] = []
    loops: list[asyncio.AbstractEventLoop] = []
    app = lab()

    @app.hook("load")
    async def start_something() -> None:
        loops.append(asyncio.get_running_loop())
        seen.append(asyncio.create_task(asyncio.Event().wait()))
        await asyncio.to_thread(lambda: None)

    threads = set(threading.enumerate())
    app.load_for_snapshot()
    assert seen[0].cancelled() and loops[0].is_closed()
    assert set(threading.enumerate()) <= threads
    app.close()


def test_a_web_app_serves_after_a_restore_on_the_fresh_port() -> None:
    app = lab()
    app.web(hello, port=1)  # nobody could listen there, were it not replaced
    answers: list[str] = []

    async def check() -> None:
        answers.append(await fetch(app.url, "/restored"))

    when_serving(app, check).load_for_snapshot()
    assert app.url is None
    assert app.restore({"PORT": "0"}) == 0
    assert "/restored" in answers[0] and app.url is None


def test_workers_run_after_a_restore_and_not_before() -> None:
    runs: list[bool] = []
    app = lab()

    @app.worker
    async def work() -> None:
        runs.append(app.lifecycle.is_up)

    app.load_for_snapshot()
    assert runs == []
    assert app.restore() == 0
    assert runs == [True]


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        ("raise SystemExit(app.run())\n", BadInput, "'lab' starts while its module is imported"),
        ("raise SystemExit(3)\n", EntryFailed, "SystemExit: 3"),
        ("1 / 0\n", EntryFailed, "ZeroDivisionError"),
    ],
)
def test_a_module_that_does_more_than_define_an_app_is_refused(
    code: str, error: type[Exception], said: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=said):
        load_for_snapshot(write_app(tmp_path, code), tmp_path)


def test_a_module_loader_of_ones_own_is_used_for_this_call_only(tmp_path: Path) -> None:
    made = ModuleType("made")
    vars(made)["app"] = App("made")
    asked: list[Entry] = []

    def load(entry: Entry) -> ModuleType:
        asked.append(entry)
        return made

    entry = write_app(tmp_path, "")
    first = load_for_snapshot(entry, tmp_path, load)
    second = load_for_snapshot(entry, tmp_path)
    assert (first.name, second.name, len(asked)) == ("made", "lab", 1)
    first.close()
    second.close()


def test_a_start_that_takes_longer_than_its_time_out_may_still_be_loaded() -> None:
    may_end = threading.Event()
    app = when_serving(lab(startup_timeout_s=0.05))

    @app.hook("load")
    async def build_index() -> None:
        await asyncio.to_thread(may_end.wait, LIMIT_S)

    threading.Timer(0.3, may_end.set).start()
    app.load_for_snapshot()
    assert app.lifecycle.state is LifeState.LOADED
    app.close()
