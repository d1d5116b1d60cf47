"""Workers: from readiness until they return, raise, or the app is told to stop."""

import asyncio
import socket
from collections.abc import Callable

import pytest
from tests.app.running import hello, lab, when_serving
from tests.support.socket_dir import socket_dir


async def for_ever() -> None:
    await asyncio.Event().wait()


def test_an_app_whose_workers_have_all_returned_ends_with_zero() -> None:
    trace: list[str] = []
    app = lab()
    first_is_done = asyncio.Event()

    @app.worker
    async def first() -> None:
        trace.append(f"first, ready {app.lifecycle.is_up}")
        first_is_done.set()

    @app.worker
    async def second() -> None:
        await first_is_done.wait()
        trace.append("second")

    assert app.run() == 0
    assert trace == ["first, ready True", "second"]


def test_the_supervisor_of_a_short_job_hears_that_it_was_ready_and_then_that_it_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = lab()

    @app.worker
    async def job() -> None: ...

    with socket_dir() as directory, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"{directory}/notify")
        sock.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", f"{directory}/notify")
        assert app.run() == 0
        assert [sock.recv(100) for _ in range(2)] == [b"READY=1", b"STOPPING=1"]
        with pytest.raises(BlockingIOError):
            sock.recv(100)


def test_the_workers_of_a_web_app_may_end_before_it_does() -> None:
    app = lab()
    has_ended = asyncio.Event()

    @app.worker
    async def job() -> None:
        has_ended.set()

    app.web(hello, port=0)
    checked: list[bool] = []

    async def check() -> None:
        await has_ended.wait()
        await asyncio.sleep(0)
        checked.append(app.is_stopping)

    when_serving(app, check)
    assert app.run() == 0
    assert checked == [False]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (ValueError("boom"), "ValueError: boom"),
        (SystemExit(0), "SystemExit: 0"),
        (asyncio.CancelledError(), "CancelledError"),
    ],
)
def test_a_worker_that_raises_ends_the_app_with_one_and_is_named_after_an_orderly_close(
    fault: BaseException,
    told: str,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    trace: list[str] = []
    app = lab()

    @app.hook("did_load")
    def open_store() -> None:
        app.on_close(lambda: trace.append("store closes"))

    @app.worker
    async def unlucky() -> None:
        raise fault

    @app.worker
    async def other() -> None:
        await app.stopping.wait()
        trace.append("other ends")

    assert app.run() == 1
    assert trace == ["other ends", "store closes"]
    sentence = f"the worker 'unlucky' of 'lab' failed: {told}. The app was closed"
    assert capsys.readouterr().err.startswith(sentence)
    assert "worker 'unlucky' failed" in caplog.text and "test_worker.py" in caplog.text
    assert "roost/app/worker.py" not in caplog.text


def test_of_two_workers_that_raise_the_first_one_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = lab()

    @app.worker
    async def first() -> None:
        raise ValueError("boom")

    @app.worker
    async def second() -> None:
        await app.stopping.wait()
        raise ValueError("boom, too")

    assert app.run() == 1
    assert "the worker 'first' of 'lab' failed: ValueError: boom. " in capsys.readouterr().err


def test_a_worker_that_raises_on_its_way_out_is_a_failure_as_well(
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = lab()

    @app.worker
    async def flush() -> None:
        await app.stopping.wait()
        raise OSError("disk full")

    assert when_serving(app).run() == 1
    assert "the worker 'flush' of 'lab' failed: OSError: disk full" in capsys.readouterr().err


def test_a_worker_may_end_by_itself_before_it_is_cancelled() -> None:
    trace: list[str] = []
    app = lab()

    @app.worker
    async def patient() -> None:
        try:
            await app.stopping.wait()
            for _ in range(3):
                await asyncio.sleep(0)
            trace.append("put the last piece away")
        except asyncio.CancelledError:
            trace.append("cancelled")
            raise

    assert when_serving(app).run() == 0
    assert trace == ["put the last piece away"]


@pytest.mark.usefixtures("short_grace")
def test_a_worker_that_goes_on_after_the_grace_is_cancelled() -> None:
    trace: list[str] = []
    app = lab()
    begun = asyncio.Event()

    @app.worker
    async def stubborn() -> None:
        begun.set()
        try:
            await for_ever()
        except asyncio.CancelledError:
            trace.append(f"cancelled, stopping {app.is_stopping}")
            raise

    assert when_serving(app, lambda: _wait(begun)).run() == 0
    assert trace == ["cancelled, stopping True"]


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


def test_the_grace_is_one_for_all_workers_and_not_one_for_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("roost.app.parts.GRACE_S", 2.0)
    waited: list[float] = []
    app = lab()
    now = [100.0]
    monkeypatch.setattr("roost.app.stop_request.time.monotonic", lambda: now[0])
    grace_left = app.stopping.grace_left

    def asked(grace_s: float) -> float:
        waited.append(grace_left(grace_s))
        now[0] += 1.5
        return 0.0

    monkeypatch.setattr(app.stopping, "grace_left", asked)
    for _ in range(3):
        app.worker(for_ever)
    assert when_serving(app).run() == 0
    assert waited == [2.0, 0.5, 0.0]


@pytest.mark.parametrize("count", [2, 3])
def test_workers_begin_anew_at_every_start(count: int) -> None:
    starts: list[bool] = []
    app = lab()

    @app.worker
    async def job() -> None:
        starts.append(app.is_stopping)

    for _ in range(count):
        assert app.run() == 0
    assert starts == [False] * count


def test_a_client_that_a_worker_opened_is_closed_after_the_worker() -> None:
    trace: list[str] = []
    app = lab()

    class Client:
        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None:
            trace.append("client closes")

    @app.worker
    async def work() -> None:
        await app.open_client(Client())
        await app.stopping.wait()
        trace.append("worker ends")

    assert when_serving(app).run() == 0
    assert trace == ["worker ends", "client closes"]


def test_a_worker_is_what_the_stop_waits_for_by_name() -> None:
    seen: list[tuple[str, ...]] = []
    app = lab()

    @app.worker
    async def slow() -> None:
        await app.stopping.wait()
        while not app.lifecycle.waiting_for:  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0)
        seen.append(app.lifecycle.waiting_for)

    assert when_serving(app).run() == 0
    assert seen == [("worker 'slow'",)]


def test_a_worker_is_returned_as_it_was_given() -> None:
    app = lab()
    work: Callable[[], object] = app.worker(for_ever)
    assert work is for_ever
