"""Loading without starting, freezing and restoring: which hooks run, and in which order."""

import asyncio
import logging

import pytest
from tests.lifecycle.tracing import (
    LIMIT_S,
    Step,
    Traced,
    loaded,
    raising,
    restored,
    served,
    steps,
    three_components,
    until_waiting_for,
    walked,
)

from roost.errors import HookFailed, LifecycleClosed, NotLoaded
from roost.lifecycle import Lifecycle, LifeState


async def test_loading_stops_the_hooks_after_config_will_load_and_ready_still_resolves() -> None:
    trace: list[Step] = []
    lifecycle = three_components(trace)
    await loaded(lifecycle)
    assert trace == [(step, name) for step in ("config_will_load", "load") for name in "ABC"]
    assert lifecycle.ready.is_reached
    assert lifecycle.state is LifeState.LOADED and not lifecycle.is_up
    await lifecycle.close()


async def test_loading_goes_on_after_the_cut_off_until_the_last_component_is_loaded() -> None:
    trace: list[Step] = []
    go_on = asyncio.Event()
    lifecycle = three_components(trace)
    lifecycle.add("slow", load=go_on.wait)
    async with asyncio.timeout(LIMIT_S):
        await lifecycle.load_for_snapshot()
        await lifecycle.ready.wait()
        await until_waiting_for(lifecycle, "slow")
        assert walked(trace, "load") == "ABC"
        assert not lifecycle.load_finished.is_settled
        asyncio.get_running_loop().call_later(0.3, go_on.set)
        await lifecycle.load_finished.wait()
    assert lifecycle.state is LifeState.LOADED
    await lifecycle.close()


async def test_load_finished_raises_when_loading_fails_and_the_app_is_closed() -> None:
    trace: list[Step] = []
    lifecycle = three_components(trace, faults_of_b={"load": raising(ValueError("boom"))})
    released: list[str] = []
    lifecycle.add("D", config_will_load=lambda: lifecycle.on_close(lambda: released.append("D")))
    with pytest.raises(HookFailed, match="component 'B' failed in load: ValueError: boom"):
        await loaded(lifecycle)
    async with asyncio.timeout(LIMIT_S):
        assert await lifecycle.close() == ()
    assert lifecycle.state is LifeState.CLOSED and released == ["D"]
    assert walked(trace, "load") == "AB"
    assert not walked(trace, "before_close"), "nothing of it was ever started"


async def test_a_config_will_load_hook_that_fails_ends_the_loading() -> None:
    lifecycle = three_components([], faults_of_b={"config_will_load": raising(ValueError("boom"))})
    with pytest.raises(HookFailed, match="component 'B' failed in config_will_load"):
        await lifecycle.load_for_snapshot()
    assert lifecycle.state is LifeState.CLOSED
    with pytest.raises(HookFailed):
        await lifecycle.load_finished.wait()


async def test_freezing_walks_back_and_a_restore_goes_on_where_the_hooks_stopped() -> None:
    trace: list[Step] = []
    lifecycle = three_components(trace)
    await loaded(lifecycle)
    trace.clear()
    await restored(lifecycle)
    await lifecycle.close()
    assert walked(trace, "before_snapshot") == "CBA"
    assert walked(trace, "after_restore") == "ABC"
    assert walked(trace, "before_close") == "CBA"
    assert [step for step in steps(trace) if step not in ("did_ready", "listen")] == [
        "before_snapshot",
        "after_restore",
        "config_did_load",
        "did_load",
        "will_ready",
        "server_did_ready",
        "before_close",
    ]


async def test_the_hooks_of_a_snapshot_are_timed_like_all_others() -> None:
    trace: list[Step] = []
    lifecycle = three_components(trace)
    await loaded(lifecycle)
    await restored(lifecycle)
    await lifecycle.close()
    assert [(timing.step, timing.component) for timing in lifecycle.timings] == trace


async def test_a_component_is_loaded_once_and_a_later_one_at_the_restore() -> None:
    trace: list[Step] = []
    lifecycle = three_components(trace)
    await loaded(lifecycle)
    lifecycle.add("D", Traced("D", trace))
    await restored(lifecycle)
    await lifecycle.close()
    assert walked(trace, "load") == "ABCD"


async def test_a_before_snapshot_hook_that_fails_is_named_and_what_was_frozen_stays() -> None:
    trace: list[Step] = []
    faults = {"before_snapshot": raising(ValueError("boom"))}
    lifecycle = three_components(trace, faults_of_b=faults)
    await loaded(lifecycle)
    with pytest.raises(HookFailed, match="component 'B' failed in before_snapshot"):
        await lifecycle.freeze()
    with pytest.raises(NotLoaded, match="'lab' is loaded"):
        await lifecycle.restore()
    faults.clear()
    await lifecycle.freeze()
    faults["before_snapshot"] = raising(ValueError("boom again"))
    with pytest.raises(HookFailed):
        await lifecycle.freeze()
    assert lifecycle.state is LifeState.FROZEN
    async with asyncio.timeout(LIMIT_S):
        await lifecycle.restore()
        await lifecycle.serving.wait()
    await lifecycle.close()
    assert walked(trace, "after_restore") == "ABC"


async def test_an_after_restore_hook_that_fails_closes_the_app() -> None:
    trace: list[Step] = []
    faults = {"after_restore": raising(ValueError("boom"))}
    lifecycle = three_components(trace, faults_of_b=faults)
    released: list[str] = []
    lifecycle.add("D", load=lambda: lifecycle.on_close(lambda: released.append("D")))
    await loaded(lifecycle)
    with pytest.raises(HookFailed, match="component 'B' failed in after_restore"):
        await restored(lifecycle)
    assert lifecycle.state is LifeState.CLOSED and released == ["D"]
    assert not walked(trace, "config_did_load")


async def test_the_configuration_is_logged_at_the_restore_and_not_while_loading(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    lifecycle = Lifecycle("lab", config=lambda: {"port": 8080})
    await loaded(lifecycle)
    await lifecycle.freeze()
    assert "port=8080" not in caplog.text
    await lifecycle.restore()
    assert caplog.text.count("port=8080") == 1
    await lifecycle.close()


async def test_three_cycles_walk_the_same_way() -> None:
    trace: list[Step] = []
    lifecycle = three_components(trace)
    seen = []
    for _ in range(3):
        await loaded(lifecycle)
        await restored(lifecycle)
        await lifecycle.close()
        seen.append(sorted(trace))
        trace.clear()
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize("wish", ["freeze", "restore"])
async def test_what_is_not_loaded_can_neither_be_frozen_nor_restored(wish: str) -> None:
    lifecycle = three_components([])
    with pytest.raises(NotLoaded, match="'lab' is new, which does not allow a"):
        await getattr(lifecycle, wish)()
    assert lifecycle.state is LifeState.NEW


async def test_a_loaded_app_survives_the_event_loop_it_was_loaded_in() -> None:
    """Each step in a loop of its own, as when the process is copied between them."""
    trace: list[Step] = []
    lifecycle = three_components(trace)

    async def serve() -> None:
        await lifecycle.restore()
        await lifecycle.serving.wait()
        await lifecycle.close()

    for step in (loaded(lifecycle), lifecycle.freeze(), serve()):
        await asyncio.to_thread(asyncio.run, step)
    assert walked(trace, "load") == "ABC" and walked(trace, "before_close") == "CBA"


async def test_closing_while_frozen_hooks_still_run_ends_the_freezing() -> None:
    asked = asyncio.Event()

    async def hold() -> None:
        asked.set()
        await asyncio.Event().wait()

    lifecycle = Lifecycle("lab")
    lifecycle.add("stuck", before_snapshot=hold)
    await loaded(lifecycle)
    async with asyncio.timeout(LIMIT_S):
        freezing = asyncio.create_task(lifecycle.freeze())
        await asked.wait()
        await lifecycle.close()
        with pytest.raises(LifecycleClosed):
            await freezing
    assert lifecycle.state is LifeState.CLOSED


async def test_a_boot_after_a_close_right_after_a_build_is_a_whole_boot() -> None:
    trace: list[Step] = []
    lifecycle = three_components(trace)
    await loaded(lifecycle)
    await lifecycle.close()
    trace.clear()
    await served(lifecycle)
    await lifecycle.close()
    assert walked(trace, "load") == "ABC" and walked(trace, "after_restore") == ""
