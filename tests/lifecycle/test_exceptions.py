"""What nobody caught: reported while the app is up, and every handler given back."""

import asyncio
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.lifecycle.tracing import LIMIT_S, loaded, restored, served

from roost.lifecycle import ExceptionReporter, Lifecycle


@pytest.fixture(autouse=True)
def handlers_stay() -> Iterator[None]:
    """Whatever happens in a test, the next one finds the handlers as they were."""
    before = (sys.excepthook, threading.excepthook)
    yield
    sys.excepthook, threading.excepthook = before


def handlers() -> tuple[Any, Any, Any]:
    loop = asyncio.get_running_loop()
    return sys.excepthook, threading.excepthook, loop.get_exception_handler()


def lab() -> tuple[Lifecycle, ExceptionReporter]:
    lifecycle, reporter = Lifecycle("lab"), ExceptionReporter("lab")
    lifecycle.add("exception handlers", reporter)
    return lifecycle, reporter


async def test_three_build_and_restore_cycles_add_and_remove_the_same_handlers() -> None:
    before = handlers()
    lifecycle, reporter = lab()
    seen: list[tuple[Any, Any, Any]] = []
    for _ in range(3):
        await loaded(lifecycle)
        assert handlers() == before and not reporter.is_installed
        await lifecycle.freeze()
        assert handlers() == before
        await restored(lifecycle)
        assert reporter.is_installed
        seen.append(handlers())
        await lifecycle.close()
        assert handlers() == before and not reporter.is_installed
    assert all(ours is not theirs for ours, theirs in zip(seen[0], before, strict=True))
    for later in seen[1:]:
        assert all(one is other for one, other in zip(seen[0], later, strict=True))


async def test_installing_it_twice_is_installing_it_once() -> None:
    before = handlers()
    reporter = ExceptionReporter("lab")
    reporter.install()
    reporter.install()
    reporter.remove()
    assert handlers() == before
    reporter.remove()
    assert handlers() == before


async def test_what_it_never_put_in_place_it_does_not_take_away() -> None:
    def foreign(*_: object) -> None: ...

    reporter = ExceptionReporter("lab")
    sys.excepthook = threading.excepthook = foreign
    asyncio.get_running_loop().set_exception_handler(foreign)
    reporter.remove()
    assert handlers() == (foreign, foreign, foreign)


async def test_what_somebody_put_over_it_stays() -> None:
    def foreign(*_: object) -> None: ...

    before = handlers()
    reporter = ExceptionReporter("lab")
    reporter.install()
    sys.excepthook = foreign
    reporter.remove()
    assert handlers() == (foreign, *before[1:])


async def test_an_app_that_failed_to_start_leaves_no_handler() -> None:
    before = handlers()
    lifecycle, _ = lab()

    def fail() -> None:
        raise ValueError("boom")

    lifecycle.add("broken", did_load=fail)
    with pytest.raises(Exception, match="'broken' failed"):
        await served(lifecycle)
    assert handlers() == before


async def test_errors_of_the_interpreter_of_threads_and_of_the_loop_are_logged_by_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lifecycle, _ = lab()
    await served(lifecycle)
    error = ValueError("of the interpreter")
    sys.excepthook(type(error), error, None)
    await _run_in_a_thread(ValueError("of a thread"))
    asyncio.get_running_loop().call_exception_handler(
        {"message": "of the loop", "exception": ValueError("deep inside")}
    )
    await lifecycle.close()
    for text in ("lab: uncaught", "of the interpreter", "lab: uncaught in a thread", "of a thread"):
        assert text in caplog.text
    assert "lab: of the loop" in caplog.text and "deep inside" in caplog.text


async def test_an_exit_of_a_thread_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    lifecycle, _ = lab()
    await served(lifecycle)
    await _run_in_a_thread(SystemExit(3))
    await lifecycle.close()
    assert "uncaught" not in caplog.text


async def _run_in_a_thread(error: BaseException) -> None:
    def work() -> None:
        raise error

    thread = threading.Thread(target=work)
    thread.start()
    async with asyncio.timeout(LIMIT_S):
        await asyncio.to_thread(thread.join)
