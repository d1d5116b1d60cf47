"""Writing an app: what is registered, what its code may ask, and how a run ends."""

import asyncio
import logging
import signal
import threading
from collections.abc import Callable
from typing import Self

import pytest
from tests.app.running import LIMIT_S, lab, own_signals, when_serving

from roost import App
from roost.errors import BadInput, BadPort, NotLoaded
from roost.lifecycle import STOP_SIGNALS, LifeState, Phase


def test_a_run_walks_the_components_and_ends_with_zero() -> None:
    trace: list[str] = []
    app = lab()

    class Store:
        def did_load(self) -> None:
            trace.append("store opens")

        async def before_close(self) -> None:
            await asyncio.sleep(0)
            trace.append("store closes")

    store = Store()
    assert app.add(store) is store
    when_serving(app, lambda: trace.append("serves"))
    assert app.run() == 0
    assert app.exit_status == 0
    assert trace == ["store opens", "serves", "store closes"]


def test_a_class_may_be_registered_by_decorating_it_and_a_function_by_its_phase() -> None:
    trace: list[str] = []
    app = lab()

    @app.add
    class Store:
        def did_load(self) -> None:
            trace.append("store")

    @app.hook("did_load")
    def announce() -> None:
        trace.append("announce")

    @app.hook(Phase.WILL_READY)
    async def check() -> None:
        trace.append("check")

    assert Store().__class__ is Store
    assert when_serving(app).run() == 0
    assert trace == ["store", "announce", "check"]
    named = {timing.component for timing in app.lifecycle.timings}
    assert {"Store", "announce", "check"} <= named


@pytest.mark.parametrize(
    "register",
    [
        lambda app: app.add(object()),
        lambda app: app.hook("did_laod"),
        lambda app: app.worker(lambda: None),
        lambda app: app.web("not callable"),
        lambda app: app.web(print, port=70000),
    ],
)
def test_a_slip_of_the_pen_is_refused_where_it_is_written(register: Callable[[App], None]) -> None:
    with pytest.raises(BadInput):
        register(lab())


def test_the_environment_is_read_when_the_configuration_is_and_not_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAB_COLOUR", "red")
    app = lab()
    seen: list[str | None] = []
    for phase in (Phase.CONFIG_WILL_LOAD, Phase.CONFIG_DID_LOAD, Phase.DID_LOAD):
        app.hook(phase)(lambda: seen.append(app.environ.get("LAB_COLOUR")))
    when_serving(app).run()
    monkeypatch.setenv("LAB_COLOUR", "blue")
    app.run()
    assert seen == [None, "red", "red", None, "blue", "blue"]
    with pytest.raises(TypeError):
        app.environ["LAB_COLOUR"] = "green"  # type: ignore[index]


def test_what_is_closed_last_is_what_the_others_need() -> None:
    trace: list[str] = []
    app = lab()

    @app.worker
    async def work() -> None:
        await app.stopping.wait()
        trace.append("worker ends")

    @app.add
    class Store:
        def did_load(self) -> None: ...

        def before_close(self) -> None:
            trace.append(f"store closes, stopping {app.is_stopping}")

    when_serving(app, lambda: trace.append(f"serves, stopping {app.is_stopping}"))
    assert app.run() == 0
    assert trace == ["serves, stopping False", "worker ends", "store closes, stopping True"]


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (BadPort("3000abc"), 2, "the component 'read' failed in config_did_load: '3000abc' is not"),
        (ValueError("boom"), 1, "the component 'read' failed in config_did_load: ValueError: boom"),
        (SystemExit(0), 1, "the component 'read' failed in config_did_load: SystemExit: 0"),
    ],
)
def test_a_hook_that_fails_ends_the_run_with_a_sentence(
    error: BaseException, status: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    app = lab()

    @app.hook("config_did_load")
    def read() -> None:
        raise error

    assert app.run() == status
    told = capsys.readouterr().err
    assert told.startswith(sentence) and told.count("\n") == 1
    assert app.lifecycle.state is LifeState.CLOSED


def test_a_hook_that_fails_after_readiness_ends_the_run_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = lab()

    @app.hook("did_ready")
    async def warm_up() -> None:
        raise ValueError("boom")

    assert app.run() == 1
    assert "the component 'warm_up' failed in did_ready" in capsys.readouterr().err


def test_a_clean_up_that_fails_ends_the_run_with_one_after_everything_was_closed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    closed: list[str] = []
    app = lab()

    @app.hook("did_load")
    def open_files() -> None:
        app.on_close(lambda: closed.append("file"))
        app.on_close(fail)

    def fail() -> None:
        raise OSError("disk is gone")

    assert when_serving(app).run() == 1
    assert closed == ["file"]
    assert "the component 'open_files' failed in clean-up: OSError: disk is gone" in caplog.text


def test_a_start_that_takes_too_long_ends_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    app = lab(startup_timeout_s=0.5)

    @app.hook("will_ready")
    async def warm_up() -> None:
        await asyncio.Event().wait()

    assert app.run() == 1
    told = capsys.readouterr().err
    assert "'lab' was not ready within 0.5 s: the component 'warm_up' was still in will" in told


@pytest.mark.parametrize("phase", ["config_will_load", "did_load", "did_ready", "listen"])
def test_a_stop_asked_for_during_the_start_ends_it_with_zero(phase: str) -> None:
    app = lab()

    @app.hook(phase)
    async def never_ends() -> None:
        app.stop()
        await asyncio.Event().wait()

    assert app.run() == 0
    assert app.lifecycle.state is LifeState.CLOSED


def test_a_component_that_closes_the_app_ends_the_run() -> None:
    app = lab()

    @app.hook("server_did_ready")
    async def enough() -> None:
        asyncio.get_running_loop().create_task(close())

    async def close() -> None:
        await app.lifecycle.serving.wait()
        await app.lifecycle.close()

    assert app.run() == 0


def test_a_signal_ends_the_run_with_zero_and_its_echo_changes_nothing() -> None:
    app = lab()
    closes: list[str] = []

    @app.hook("did_load")
    def open_store() -> None:
        app.on_close(lambda: closes.append("once"))

    def signal_twice() -> None:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)

    app.hook("server_did_ready")(signal_twice)
    with own_signals():
        assert app.run() == 0
        signal.raise_signal(signal.SIGTERM)  # a late one, on the way out
    assert closes == ["once"]


def test_a_run_that_no_signal_ended_gives_the_signals_back() -> None:
    def ours(*_: object) -> None: ...

    during: list[object] = []
    app = when_serving(lab(), lambda: during.append(signal.getsignal(signal.SIGTERM)))
    with own_signals():
        for number in STOP_SIGNALS:
            signal.signal(number, ours)
        assert app.run() == 0
        assert [signal.getsignal(number) for number in STOP_SIGNALS] == [ours, ours]
    assert during != [ours]


def test_an_app_may_run_in_another_thread_and_be_stopped_from_here() -> None:
    app = lab()
    is_serving = threading.Event()
    app.hook("server_did_ready")(is_serving.set)
    statuses: list[int] = []
    thread = threading.Thread(target=lambda: statuses.append(app.run()))
    thread.start()
    assert is_serving.wait(LIMIT_S)
    with pytest.raises(NotLoaded):
        app.run()
    app.stop()
    thread.join(LIMIT_S)
    assert statuses == [0]
    app.stop()  # nothing runs any more


def test_an_app_runs_again_and_leaves_no_thread_behind() -> None:
    threads = set(threading.enumerate())
    app = when_serving(lab())
    for _ in range(3):
        assert app.run() == 0
        assert set(threading.enumerate()) <= threads


def test_logging_is_set_up_where_nobody_has_and_taken_away_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", logging.WARNING)
    app = when_serving(lab(), lambda: logging.getLogger("lab.store").info("opened"))
    assert app.run() == 0
    told = capsys.readouterr().err
    assert "INFO    lab.store: opened" in told and "lab is configured: entry=" in told
    assert root.handlers == [] and root.level == logging.WARNING


def test_logging_that_is_set_up_already_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = logging.NullHandler()
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    assert when_serving(lab()).run() == 0
    assert capsys.readouterr().err == "" and logging.getLogger().handlers == [handler]


def test_the_configuration_of_a_start_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    app = App("lab", startup_timeout_s=12.5, stop_deadline_s=500.0)
    app.entry = "shop:app"
    when_serving(app).run()
    (told,) = [text for text in caplog.messages if "is configured" in text]
    assert told == (
        "lab is configured: entry=shop:app kind=plain startup_timeout_s=12.5 stop_deadline_s=500.0"
    )


def test_a_client_opened_by_an_app_lives_until_the_close() -> None:
    trace: list[str] = []
    app = lab()

    class Client:
        async def __aenter__(self) -> Self:
            trace.append("opened")
            return self

        async def __aexit__(self, *_: object) -> None:
            trace.append("closed")

    @app.hook("did_load")
    async def connect() -> None:
        client = Client()
        assert await app.open_client(client) is client

    when_serving(app, lambda: trace.append("serves"))
    assert app.run() == 0
    assert trace == ["opened", "serves", "closed"]
