"""A boot: the order of the phases, what readiness waits for, and what happens when a hook fails."""

import asyncio
import logging

import pytest
from tests.lifecycle.tracing import (
    LIMIT_S,
    STEPS,
    Step,
    Traced,
    raising,
    served,
    steps,
    three_components,
    walked,
)

from roost.errors import BadPort, HookFailed, LifecycleClosed, NotLoaded
from roost.lifecycle import Lifecycle, LifeState

BEFORE_READY = ["config_will_load", "config_did_load", "load", "did_load", "will_ready"]


async def test_sync_and_async_hooks_walk_every_phase_in_order_and_close_in_reverse() -> None:
    trace: list[Step] = []
    lifecycle = three_components(trace)
    await served(lifecycle)
    await lifecycle.close()
    before_ready = [(step, name) for step in BEFORE_READY for name in "ABC"]
    assert trace[:15] == before_ready
    assert sorted(trace[15:21]) == sorted((s, n) for s in ("did_ready", "listen") for n in "ABC")
    assert walked(trace, "did_ready") == walked(trace, "listen") == "ABC"
    assert trace[21:24] == [("server_did_ready", name) for name in "ABC"]
    assert trace[24:] == [("before_close", name) for name in "CBA"]


async def test_every_hook_is_timed_with_its_component() -> None:
    trace: list[Step] = []
    lifecycle = three_components(trace)
    await served(lifecycle)
    await lifecycle.close()
    assert [(timing.step, timing.component) for timing in lifecycle.timings] == trace
    assert all(timing.seconds >= 0 for timing in lifecycle.timings)


async def test_did_ready_does_not_hold_readiness_up() -> None:
    go_on = asyncio.Event()
    lifecycle = Lifecycle("lab")
    lifecycle.add("slow", did_ready=go_on.wait)
    async with asyncio.timeout(LIMIT_S):
        await lifecycle.boot()
        assert lifecycle.is_up and lifecycle.ready.is_reached
        assert not lifecycle.serving.is_settled
        go_on.set()
        await lifecycle.serving.wait()
    assert lifecycle.state is LifeState.SERVING
    await lifecycle.close()


async def test_server_did_ready_comes_once_every_server_listens() -> None:
    trace: list[Step] = []
    go_on = asyncio.Event()
    lifecycle = three_components(trace)
    lifecycle.add("late server", listen=go_on.wait)
    async with asyncio.timeout(LIMIT_S):
        await lifecycle.boot()
        while walked(trace, "did_ready") + walked(trace, "listen") != "ABCABC":  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert not walked(trace, "server_did_ready")
        go_on.set()
        await lifecycle.serving.wait()
    assert walked(trace, "server_did_ready") == "ABC"
    await lifecycle.close()


async def test_will_ready_holds_readiness_up() -> None:
    go_on, asked = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        asked.set()
        await go_on.wait()

    lifecycle = Lifecycle("lab")
    lifecycle.add("slow", will_ready=hold)
    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
        booting = group.create_task(lifecycle.boot())
        await asked.wait()
        assert not lifecycle.ready.is_settled and lifecycle.waiting_for == ("slow",)
        go_on.set()
        await booting
        assert lifecycle.ready.is_reached
    await lifecycle.close()


@pytest.mark.parametrize("step", BEFORE_READY)
async def test_a_hook_that_raises_names_its_component_and_the_others_are_closed(step: str) -> None:
    trace: list[Step] = []
    lifecycle = three_components(trace, faults_of_b={step: raising(ValueError("boom"))})
    with pytest.raises(HookFailed, match=f"component 'B' failed in {step}: ValueError: boom"):
        await served(lifecycle)
    assert lifecycle.state is LifeState.CLOSED
    # Closed is who completed a start phase, the one that raised later included.
    expected = {"config_will_load": "", "config_did_load": "A"}.get(step, "CBA")
    assert walked(trace, "before_close") == expected
    assert steps(trace)[-1] in (step, "before_close")
    for milestone in (lifecycle.ready, lifecycle.load_finished, lifecycle.serving):
        assert milestone.is_settled


@pytest.mark.parametrize("step", ["did_ready", "listen", "server_did_ready"])
async def test_what_fails_after_readiness_is_raised_to_who_waits_for_the_servers(step: str) -> None:
    trace: list[Step] = []
    lifecycle = three_components(trace, faults_of_b={step: raising(ValueError("boom"))})
    async with asyncio.timeout(LIMIT_S):
        await lifecycle.boot()
        with pytest.raises(HookFailed, match=f"component 'B' failed in {step}"):
            await lifecycle.serving.wait()
        assert lifecycle.is_up
        await lifecycle.close()
    assert walked(trace, "before_close") == "CBA"


async def test_an_exit_inside_a_hook_is_a_failure_and_not_the_end_of_the_process() -> None:
    trace: list[Step] = []
    lifecycle = three_components(trace, faults_of_b={"did_load": raising(SystemExit(3))})
    with pytest.raises(HookFailed, match="component 'B' failed in did_load: SystemExit: 3"):
        await served(lifecycle)
    assert walked(trace, "before_close") == "CBA"


async def test_a_hook_that_waited_for_something_cancelled_has_failed() -> None:
    trace: list[Step] = []
    fault = raising(asyncio.CancelledError())
    lifecycle = three_components(trace, faults_of_b={"did_load": fault})
    with pytest.raises(HookFailed, match="component 'B' failed in did_load: CancelledError"):
        await served(lifecycle)
    assert lifecycle.state is LifeState.CLOSED
    assert walked(trace, "before_close") == "CBA"


async def test_a_bug_in_a_hook_is_logged_with_the_lines_of_the_app_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    trace: list[Step] = []
    lifecycle = three_components(trace, faults_of_b={"did_load": raising(ValueError("boom"))})
    with pytest.raises(HookFailed):
        await served(lifecycle)
    assert caplog.text.count("component 'B' failed in did_load") == 1
    assert "tracing.py" in caplog.text and "lifecycle/component.py" not in caplog.text


async def test_a_mistake_of_the_operator_comes_without_a_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fault = raising(BadPort("3000abc"))
    lifecycle = three_components([], faults_of_b={"config_did_load": fault})
    with pytest.raises(HookFailed, match="component 'B' failed in config_did_load: '3000abc' is"):
        await served(lifecycle)
    assert "Traceback" not in caplog.text


async def test_a_close_hook_that_raises_does_not_keep_the_others_from_theirs() -> None:
    trace: list[Step] = []
    lifecycle = three_components(trace, faults_of_b={"before_close": raising(ValueError("boom"))})
    await served(lifecycle)
    (failure,) = await lifecycle.close()
    assert failure.details == {"component": "B", "step": "before_close"}
    assert walked(trace, "before_close") == "CBA"
    assert lifecycle.state is LifeState.CLOSED


async def test_a_close_hook_that_waited_for_something_cancelled_does_not_end_the_close() -> None:
    trace: list[Step] = []
    fault = raising(asyncio.CancelledError())
    lifecycle = three_components(trace, faults_of_b={"before_close": fault})
    await served(lifecycle)
    async with asyncio.timeout(LIMIT_S):
        (failure,) = await lifecycle.close()
    assert failure.details["component"] == "B"
    assert walked(trace, "before_close") == "CBA"


async def test_a_closed_app_starts_again_from_the_first_phase() -> None:
    trace: list[Step] = []
    lifecycle = three_components(trace)
    await served(lifecycle)
    await lifecycle.close()
    first, trace[:] = list(trace), []
    await served(lifecycle)
    await lifecycle.close()
    assert sorted(trace) == sorted(first) and trace[:15] == first[:15]


async def test_a_second_start_is_refused_and_leaves_the_first_alone() -> None:
    lifecycle = three_components([])
    await served(lifecycle)
    for start in (lifecycle.boot, lifecycle.load_for_snapshot, lifecycle.freeze, lifecycle.restore):
        with pytest.raises(NotLoaded, match="'lab' is serving"):
            await start()
    assert lifecycle.state is LifeState.SERVING
    await lifecycle.close()


async def test_the_configuration_is_logged_once_per_boot_when_it_is_fixed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    port = 0

    def read() -> None:
        nonlocal port
        port = 8080

    lifecycle = Lifecycle("lab", config=lambda: {"port": port, "token": "set"})
    lifecycle.add("settings", config_did_load=read)
    await served(lifecycle)
    await lifecycle.close()
    assert caplog.text.count("lab is configured: port=8080 token=set") == 1


async def test_a_waiter_of_an_app_that_is_closed_first_is_told_so() -> None:
    lifecycle = Lifecycle("lab")
    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
        waiting = group.create_task(_outcome(lifecycle))
        await asyncio.sleep(0)
        await lifecycle.close()
        assert isinstance(await waiting, LifecycleClosed)


async def _outcome(lifecycle: Lifecycle) -> BaseException | None:
    try:
        await lifecycle.ready.wait()
    except LifecycleClosed as error:
        return error
    return None


def test_a_component_may_hook_every_step_there_is() -> None:
    assert set(STEPS) == {step for step in vars(Traced("A", [])) if not step.startswith("_")}
