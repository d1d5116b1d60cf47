"""The close: once however often it is asked for, whenever it comes, whatever it meets."""

import asyncio
from functools import partial

import pytest
from tests.lifecycle.tracing import LIMIT_S, Step, loaded, served, three_components, walked

from roost.errors import LifecycleClosed, NotLoaded
from roost.lifecycle import Lifecycle, LifeState


class Gate:
    """A hook that says when it has begun and waits until it may end."""

    def __init__(self, *, is_deaf: bool = False) -> None:
        self.has_begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.has_heard = asyncio.Event()
        self._is_deaf = is_deaf

    async def __call__(self) -> None:
        self.has_begun.set()
        while not self.may_end.is_set():
            try:
                await self.may_end.wait()
            except asyncio.CancelledError:
                self.has_heard.set()
                if not self._is_deaf:
                    raise


async def test_clean_up_runs_in_reverse_order_after_the_close_hook_of_its_component() -> None:
    trace: list[str] = []
    lifecycle = Lifecycle("lab")

    def register(name: str) -> None:
        for number in (1, 2):
            lifecycle.on_close(partial(trace.append, f"{name}{number}"))

    for name in "AB":
        lifecycle.add(
            name,
            did_load=partial(register, name),
            before_close=partial(trace.append, name),
        )
    await served(lifecycle)
    await lifecycle.close()
    assert trace == ["B", "B2", "B1", "A", "A2", "A1"]


@pytest.mark.parametrize("is_for_snapshot", [False, True])
async def test_clean_up_is_registered_in_every_mode(is_for_snapshot: bool) -> None:
    closed: list[str] = []
    lifecycle = Lifecycle("lab")
    lifecycle.add(
        "store",
        load=lambda: lifecycle.on_close(lambda: closed.append("clean-up")),
        before_close=lambda: closed.append("hook"),
    )
    await (loaded if is_for_snapshot else served)(lifecycle)
    await lifecycle.close()
    assert closed == (["clean-up"] if is_for_snapshot else ["hook", "clean-up"])


async def test_clean_up_of_no_component_runs_once_and_not_after_another_start() -> None:
    closed: list[str] = []
    lifecycle = Lifecycle("lab")
    assert lifecycle.on_close(lambda: closed.append("outside"))
    for _ in range(2):
        await served(lifecycle)
        await lifecycle.close()
    assert closed == ["outside"]


async def test_clean_up_may_be_async_and_one_that_raises_does_not_stop_the_rest() -> None:
    closed: list[str] = []

    async def close(name: str) -> None:
        await asyncio.sleep(0)
        closed.append(name)
        if name == "second":
            raise OSError("gone already")

    lifecycle = Lifecycle("lab")
    for name in ("first", "second", "third"):
        lifecycle.on_close(partial(close, name))
    await served(lifecycle)
    (failure,) = await lifecycle.close()
    assert closed == ["third", "second", "first"]
    assert failure.details["step"] == "clean-up"


async def test_registering_clean_up_while_closing_answers_false_and_does_not_raise() -> None:
    answers: list[bool] = []

    def register() -> None:
        answers.append(lifecycle.on_close(lambda: answers.append(True)))

    lifecycle = Lifecycle("lab")
    lifecycle.add("late", before_close=register)
    await served(lifecycle)
    await lifecycle.close()
    register()
    assert answers == [False, False]


async def test_every_caller_waits_for_the_same_close() -> None:
    trace: list[Step] = []
    gate = Gate()
    lifecycle = three_components(trace)
    lifecycle.add("slow", before_close=gate)
    await served(lifecycle)
    async with asyncio.timeout(LIMIT_S):
        closing = [asyncio.create_task(lifecycle.close()) for _ in range(3)]
        await gate.has_begun.wait()
        assert lifecycle.is_closing and lifecycle.waiting_for == ("slow",)
        assert not any(task.done() for task in closing)
        gate.may_end.set()
        await asyncio.gather(*closing)
        await lifecycle.close()
    assert walked(trace, "before_close") == "CBA"


async def test_a_cancelled_caller_does_not_stop_the_close() -> None:
    trace: list[Step] = []
    gate = Gate()
    lifecycle = three_components(trace)
    lifecycle.add("slow", before_close=gate)
    await served(lifecycle)
    async with asyncio.timeout(LIMIT_S):
        closing = asyncio.create_task(lifecycle.close())
        await gate.has_begun.wait()
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert not gate.has_heard.is_set()
        gate.may_end.set()
        await lifecycle.close()
    assert walked(trace, "before_close") == "CBA"
    assert lifecycle.state is LifeState.CLOSED


async def test_a_close_hook_may_ask_for_the_close_it_is_part_of() -> None:
    trace: list[Step] = []
    lifecycle = three_components(trace)
    lifecycle.add("eager", before_close=lifecycle.close)
    await served(lifecycle)
    async with asyncio.timeout(LIMIT_S):
        await lifecycle.close()
    assert walked(trace, "before_close") == "CBA"


async def test_closing_an_app_that_never_started_is_no_error() -> None:
    trace: list[Step] = []
    lifecycle = three_components(trace)
    assert await lifecycle.close() == ()
    assert trace == []
    assert lifecycle.state is LifeState.CLOSED


@pytest.mark.parametrize("phase", ["config_will_load", "config_did_load", "did_load", "will_ready"])
async def test_a_close_during_the_boot_ends_it_and_closes_what_was_started(phase: str) -> None:
    trace: list[Step] = []
    gate = Gate()
    lifecycle = three_components(trace)
    lifecycle.add("slow", **{phase: gate})
    async with asyncio.timeout(LIMIT_S):
        booting = asyncio.create_task(lifecycle.boot())
        await gate.has_begun.wait()
        await lifecycle.close()
        with pytest.raises(LifecycleClosed):
            await booting
        with pytest.raises(LifecycleClosed):
            await lifecycle.ready.wait()
    assert gate.has_heard.is_set()
    assert walked(trace, "before_close") == ("" if phase == "config_will_load" else "CBA")
    assert not walked(trace, "did_ready")


async def test_a_boot_whose_hook_does_not_listen_to_the_close_starts_nothing_more() -> None:
    trace: list[Step] = []
    gate = Gate(is_deaf=True)
    lifecycle = Lifecycle("lab")
    lifecycle.add("deaf", will_ready=gate, did_ready=lambda: trace.append(("did_ready", "deaf")))
    async with asyncio.timeout(LIMIT_S):
        booting = asyncio.create_task(lifecycle.boot())
        await gate.has_begun.wait()
        closing = asyncio.create_task(lifecycle.close())
        await gate.has_heard.wait()
        gate.may_end.set()
        await closing
        with pytest.raises(LifecycleClosed):
            await booting
    assert lifecycle.state is LifeState.CLOSED and trace == []


async def test_an_app_does_not_start_again_before_its_last_start_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("roost.lifecycle.lifecycle.CANCEL_GRACE_S", 0.01)
    gate = Gate(is_deaf=True)
    lifecycle = Lifecycle("lab")
    deaf = lifecycle.add("deaf", will_ready=gate)
    async with asyncio.timeout(LIMIT_S):
        booting = asyncio.create_task(lifecycle.boot())
        await gate.has_begun.wait()
        await lifecycle.close()
        with pytest.raises(NotLoaded, match="not at its end yet"):
            await lifecycle.boot()
        assert deaf.name in lifecycle.waiting_for
        gate.may_end.set()
        with pytest.raises(LifecycleClosed):
            await booting
    assert lifecycle.state is LifeState.CLOSED


async def test_a_close_in_the_moment_of_readiness_starts_no_server() -> None:
    trace: list[Step] = []
    lifecycle = three_components(trace)

    async def close_when_ready() -> None:
        await lifecycle.ready.wait()
        await lifecycle.close()

    async with asyncio.timeout(LIMIT_S):
        closing = asyncio.create_task(close_when_ready())
        with pytest.raises(LifecycleClosed):
            await lifecycle.boot()
        await closing
    assert lifecycle.state is LifeState.CLOSED
    assert walked(trace, "before_close") == "CBA"


async def test_a_close_while_servers_begin_to_listen_ends_that() -> None:
    gate = Gate()
    lifecycle = Lifecycle("lab")
    lifecycle.add("server", listen=gate)
    async with asyncio.timeout(LIMIT_S):
        await lifecycle.boot()
        await gate.has_begun.wait()
        await lifecycle.close()
        with pytest.raises(LifecycleClosed):
            await lifecycle.serving.wait()
    assert gate.has_heard.is_set()


async def test_a_close_during_the_load_ends_it_and_does_not_become_loaded() -> None:
    gate = Gate()
    lifecycle = Lifecycle("lab")
    lifecycle.add("slow", load=gate)
    async with asyncio.timeout(LIMIT_S):
        await lifecycle.load_for_snapshot()
        await gate.has_begun.wait()
        await lifecycle.close()
        with pytest.raises(LifecycleClosed):
            await lifecycle.load_finished.wait()
    assert lifecycle.state is LifeState.CLOSED


async def test_a_close_during_config_will_load_of_a_load_does_not_load() -> None:
    trace: list[Step] = []
    gate = Gate()
    lifecycle = three_components(trace)
    lifecycle.add("slow", config_will_load=gate)
    async with asyncio.timeout(LIMIT_S):
        loading = asyncio.create_task(lifecycle.load_for_snapshot())
        await gate.has_begun.wait()
        await lifecycle.close()
        with pytest.raises(LifecycleClosed):
            await loading
    assert not walked(trace, "load") and lifecycle.state is LifeState.CLOSED


async def test_a_cancelled_boot_is_closed() -> None:
    trace: list[Step] = []
    gate = Gate()
    lifecycle = three_components(trace)
    lifecycle.add("slow", will_ready=gate)
    async with asyncio.timeout(LIMIT_S):
        booting = asyncio.create_task(lifecycle.boot())
        await gate.has_begun.wait()
        booting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await booting
    assert lifecycle.state is LifeState.CLOSED and walked(trace, "before_close") == "CBA"


async def test_a_hook_of_the_boot_may_close_the_app() -> None:
    trace: list[Step] = []
    lifecycle = three_components(trace)
    lifecycle.add("doubtful", did_load=lifecycle.close)
    async with asyncio.timeout(LIMIT_S):
        with pytest.raises(LifecycleClosed):
            await lifecycle.boot()
        await lifecycle.close()
    assert lifecycle.state is LifeState.CLOSED and walked(trace, "before_close") == "CBA"
    assert not walked(trace, "will_ready")


async def test_who_asked_to_be_told_hears_of_the_close_once_before_anything_is_closed() -> None:
    trace: list[Step] = []
    told: list[int] = []
    lifecycle = Lifecycle("lab", when_closing=lambda: told.append(len(trace)))
    lifecycle.add("A", before_close=lambda: trace.append(("before_close", "A")))
    await served(lifecycle)
    await asyncio.gather(lifecycle.close(), lifecycle.close())
    await lifecycle.close()
    assert told == [0] and len(trace) == 1


async def test_a_component_says_in_its_own_words_what_it_waits_for() -> None:
    gate = Gate()

    class Bundles:
        did_load = None

        async def before_close(self) -> None:
            await gate()

        def waiting_for(self) -> tuple[str, ...]:
            return ("web of lab", "worker of lab")

    lifecycle = Lifecycle("lab")
    lifecycle.add("bundles", Bundles())
    await served(lifecycle)
    async with asyncio.timeout(LIMIT_S):
        closing = asyncio.create_task(lifecycle.close())
        await gate.has_begun.wait()
        assert lifecycle.waiting_for == ("web of lab", "worker of lab")
        gate.may_end.set()
        await closing
    left: tuple[str, ...] = lifecycle.waiting_for
    assert not left
