"""The start-up time-out: it names who is late, and does not count while an app is only loaded."""

import asyncio

import pytest
from tests.lifecycle.tracing import LIMIT_S, Step, Traced, loaded, restored, served, walked

from roost.errors import StartupTimedOut
from roost.lifecycle import Lifecycle, LifeState

SHORT_S = 0.5
"""A time-out that is waited out; a busy machine reaches the step that is stuck within it."""


async def for_ever() -> None:
    await asyncio.Event().wait()


async def test_a_start_that_takes_too_long_names_component_and_phase_and_is_closed() -> None:
    trace: list[Step] = []
    lifecycle = Lifecycle("lab", startup_timeout_s=SHORT_S)
    lifecycle.add("quick", Traced("quick", trace))
    lifecycle.add("stuck", did_load=for_ever)
    with pytest.raises(StartupTimedOut) as raised:
        await served(lifecycle)
    assert raised.value.details == {"app": "lab", "component": "stuck", "step": "did_load"}
    assert f"{SHORT_S} s" in raised.value.message
    assert walked(trace, "before_close") == "quick"
    assert lifecycle.state is LifeState.CLOSED
    with pytest.raises(StartupTimedOut):
        await lifecycle.ready.wait()


async def test_a_start_in_time_is_not_bounded_afterwards() -> None:
    go_on = asyncio.Event()
    lifecycle = Lifecycle("lab", startup_timeout_s=LIMIT_S)
    lifecycle.add("slow server", listen=go_on.wait)
    await lifecycle.boot()
    asyncio.get_running_loop().call_soon(go_on.set)
    await lifecycle.serving.wait()
    await lifecycle.close()


async def test_loading_for_a_snapshot_has_no_time_out() -> None:
    go_on = asyncio.Event()
    lifecycle = Lifecycle("lab", startup_timeout_s=0.01)
    lifecycle.add("slow", load=go_on.wait)
    async with asyncio.timeout(LIMIT_S):
        await lifecycle.load_for_snapshot()
        await asyncio.wait({asyncio.create_task(go_on.wait())}, timeout=0.1)
        assert not lifecycle.load_finished.is_settled
        go_on.set()
        await lifecycle.load_finished.wait()
    assert lifecycle.state is LifeState.LOADED
    await lifecycle.close()


async def test_a_restore_has_the_time_out_again() -> None:
    lifecycle = Lifecycle("lab", startup_timeout_s=SHORT_S)
    lifecycle.add("stuck", will_ready=for_ever)
    await loaded(lifecycle)
    with pytest.raises(StartupTimedOut, match="the component 'stuck' was still in will_ready"):
        await restored(lifecycle)
    assert lifecycle.state is LifeState.CLOSED
