"""Starts, stops, respawns and crashes, on fake processes."""

import asyncio
import socket
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.supervised import FakeProcess, World, failed_before

from roost.errors import BundleProtected
from roost.models import (
    BundleKind,
    BundleSettings,
    ConfigField,
    FieldType,
    RespawnResult,
    RestartPolicy,
    SlotState,
    StartStep,
    Transitioned,
)

S = SlotState


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_a_respawn_goes_running_starting_running_and_leaves_one_process(world: World) -> None:
    slot = await world.running()
    old = world.driver.alive[0]
    result = await world.until_done(
        world.supervisor.respawn("w", "app", cause="operator", actor="ops")
    )
    assert result.ok and result.generation == 2
    assert old.exit is not None
    assert [p.pid for p in world.driver.alive] == [slot.view().generation.pid]  # type: ignore[union-attr]
    assert world.moves() == [S.STARTING, S.RUNNING, S.STARTING, S.RUNNING]


async def test_a_respawn_that_fails_goes_running_starting_dead_and_keeps_the_reason(
    world: World,
) -> None:
    slot = await world.running()
    world.driver.on_spawn = lambda process: process.end(code=3)
    result = await world.until_done(
        world.supervisor.respawn("w", "app", cause="credentials", actor="ops")
    )
    assert not result.ok and result.code == "exited" and "exit 3" in result.sentence
    assert world.moves()[2:] == [S.STARTING, S.DEAD]
    assert slot.view().crash is not None
    assert not world.driver.alive
    world.driver.on_spawn = lambda process: None
    again = await world.until_done(
        world.supervisor.respawn("w", "app", cause="credentials", actor="ops")
    )
    assert again.ok and slot.state is S.RUNNING


async def test_a_respawn_of_what_does_not_exist_is_a_result_that_names_it(world: World) -> None:
    result = await world.supervisor.respawn("w", "ghost", cause="operator", actor="ops")
    assert not result.ok and result.code == "bundle_not_found"
    assert "ghost" in result.sentence and "roost" in result.sentence
    assert len(world.supervisor._locks) == 0


async def test_two_respawns_at_once_are_never_both_inside_and_leave_one_child(world: World) -> None:
    await world.running()
    most = 0

    def count(process: FakeProcess) -> None:
        nonlocal most
        most = max(most, len(world.driver.alive))

    world.driver.on_spawn = count

    async def both() -> list[RespawnResult]:
        return list(
            await asyncio.gather(
                *(
                    world.supervisor.respawn("w", "app", cause="operator", actor="ops")
                    for _ in range(2)
                )
            )
        )

    results = await world.until_done(both())
    assert most == 1
    assert all(result.ok for result in results)
    assert len(world.driver.alive) == 1


async def test_a_respawn_is_answered_by_an_earlier_one_only_with_what_it_asked_for(
    world: World,
) -> None:
    slot = await world.running()
    first_spawn = asyncio.Event()
    world.driver.on_spawn = lambda process: first_spawn.set()
    first = asyncio.create_task(
        world.supervisor.credentials_changed(
            "w", "app", revision=1, actor="a", must_end_holder=False, reason=None
        )
    )
    await world.until(first_spawn.is_set)
    world.secrets.revision = 2  # written after the first respawn had resolved its values
    second = world.supervisor.credentials_changed(
        "w", "app", revision=2, actor="b", must_end_holder=False, reason=None
    )
    results = await world.until_done(_both(first, second))
    assert all(result is not None and result.ok for result in results)
    assert slot.generation is not None and slot.generation.credential_revision == 2
    assert slot.stale_in() == ()


async def _both(
    first: asyncio.Task[RespawnResult | None], second: Coroutine[Any, Any, RespawnResult | None]
) -> list[RespawnResult | None]:
    return list(await asyncio.gather(first, second))


async def test_two_keys_are_inside_their_start_at_the_same_time(world: World) -> None:
    await world.slot("one")
    await world.slot("two")
    starts = [
        asyncio.create_task(world.supervisor.start("w", name, actor="ops"))
        for name in ("one", "two")
    ]
    await world.until(lambda: len(world.driver.alive) == 2)
    assert all(slot.state is S.STARTING for slot in world.supervisor.slots)
    world.clock.advance(2)
    async with asyncio.timeout(30):
        assert all(result.ok for result in await asyncio.gather(*starts))


async def test_a_cancelled_caller_does_not_cancel_the_respawn(world: World) -> None:
    slot = await world.running()
    caller = asyncio.create_task(
        world.supervisor.respawn("w", "app", cause="operator", actor="ops")
    )
    await world.until(lambda: slot.state is S.STARTING)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    async with asyncio.timeout(30):
        while slot.state is not S.RUNNING:
            await world.tick(0.5)
    assert slot.generation is not None and slot.generation.number == 2
    await world.until(lambda: len(world.supervisor._locks) == 0)


async def test_a_protected_bundle_keeps_its_process_and_shows_that_a_restart_is_pending(
    world: World,
) -> None:
    slot = await world.running(settings=BundleSettings(settle_s=0.1, protected=True))
    pid = world.driver.alive[0].pid
    refused = await world.supervisor.credentials_changed(
        "w", "app", revision=1, actor="ops", must_end_holder=False, reason=None
    )
    assert refused is not None and not refused.ok and refused.code == "protected"
    assert world.driver.alive[0].pid == pid
    assert slot.view().restart_pending and slot.view().stale == ("credentials",)
    world.secrets.revision = 2
    ended = await world.until_done(
        world.supervisor.credentials_changed(
            "w", "app", revision=2, actor="ops", must_end_holder=True, reason="leaked"
        )
    )
    assert ended is not None and ended.ok
    assert pid not in [process.pid for process in world.driver.alive]
    assert not slot.view().restart_pending
    with pytest.raises(BundleProtected):
        await world.supervisor.stop("w", "app", actor="ops")


async def test_a_missing_required_field_is_a_state_and_ends_the_process_that_ran_without_it(
    world: World,
) -> None:
    field = ConfigField("key", FieldType.STRING, "Key", required=True, sensitive=True)
    slot = await world.slot(fields=(field,))
    await world.until_done(world.supervisor.start("w", "app", actor="ops"))
    assert slot.state is S.NEEDS_CREDENTIALS and slot.view().missing_fields == ("key",)
    assert not world.driver.processes
    world.secrets.values, world.secrets.revision = {"key": "x"}, 1
    await world.until_done(world.supervisor.respawn("w", "app", cause="credentials", actor="ops"))
    assert world.moves()[-1] is S.RUNNING
    assert world.driver.alive[0].spec.env["key"] == "x"
    world.secrets.values, world.secrets.revision = {}, 2
    await world.until_done(world.supervisor.respawn("w", "app", cause="credentials", actor="ops"))
    assert world.moves()[-1] is S.NEEDS_CREDENTIALS
    assert not world.driver.alive


async def test_a_crash_is_recorded_once_and_backs_off_with_doubling_delays_until_parked(
    world: World,
) -> None:
    slot = await world.running()
    world.driver.alive[0].end(code=1)
    await world.until(lambda: slot.backoff.failures == 1 and slot.step is StartStep.READINESS)
    delays = []
    while not slot.is_parked:
        async with asyncio.timeout(30):
            while slot.state is not S.RUNNING:
                await world.tick(0.5)
        crashed_at = world.clock.now()
        world.driver.alive[0].end(code=1)
        await world.until(lambda: slot.state is S.BACKING_OFF)
        assert slot.retry_at is not None
        delays.append((slot.retry_at - crashed_at) / 1000)
    assert len(delays) == 4 and delays[-1] == 300
    for delay, nominal in zip(delays, (1, 2, 4), strict=False):
        assert nominal * 0.8 <= delay <= nominal * 1.2
    crashes = [
        event
        for event in world.events
        if isinstance(event, Transitioned) and event.transition.cause == "crash"
    ]
    assert len(crashes) == 5
    async with asyncio.timeout(30):
        while slot.state is not S.RUNNING:
            await world.tick(60)


async def test_a_deliberate_stop_is_no_crash_and_is_never_undone(world: World) -> None:
    slot = await world.running()
    failed_before(world, slot)
    world.driver.alive[0].end(code=1)
    await world.until(lambda: slot.state is S.BACKING_OFF)
    result = await world.until_done(world.supervisor.stop("w", "app", actor="ops"))
    assert result.ok and slot.state is S.STOPPED
    for _ in range(20):
        await world.tick(60)
    assert slot.state is S.STOPPED and not world.driver.alive
    assert world.store.bundles.should_run["w", "app"] is False


async def test_a_stop_interrupts_a_start_under_way(world: World) -> None:
    slot = await world.slot(settings=BundleSettings(settle_s=1000))
    start = asyncio.create_task(world.supervisor.start("w", "app", actor="ops"))
    await world.until(lambda: slot.step is StartStep.READINESS)
    async with asyncio.timeout(30):
        stopped = await world.supervisor.stop("w", "app", actor="ops")
        started = await start
    assert stopped.ok and not started.ok and started.code == "stopped"
    assert slot.state is S.STOPPED and not world.driver.alive


async def test_a_clean_end_is_final_under_on_failure_and_a_crash_under_never_is_dead(
    world: World,
) -> None:
    done = await world.running(
        "done", settings=BundleSettings(settle_s=0.1, restart=RestartPolicy.ON_FAILURE)
    )
    world.driver.alive[0].end(code=0)
    await world.until(lambda: done.state is S.STOPPED)
    assert done.reason is not None and done.reason.code == "finished"
    never = await world.running(
        "never", settings=BundleSettings(settle_s=0.1, restart=RestartPolicy.NEVER)
    )
    world.driver.alive[0].end(code=2)
    await world.until(lambda: never.state is S.DEAD)


async def test_a_command_that_does_not_exist_is_dead_even_at_boot(world: World) -> None:
    slot = await world.slot(command="missing")
    world.supervisor.start_all()
    await world.until(lambda: slot.state is S.DEAD)
    assert slot.reason is not None and slot.reason.code == "command_not_found"


async def test_a_bundle_that_fails_at_boot_is_listed_with_a_reason_while_others_run(
    world: World,
) -> None:
    bad = await world.slot("bad")
    good = await world.slot("good")
    world.driver.on_spawn = lambda p: p.end(code=9) if p.spec.mark.bundle == "bad" else None
    world.supervisor.start_all()
    await world.until(lambda: bad.state is S.BACKING_OFF)
    assert bad.reason is not None and "exit 9" in bad.reason.sentence
    async with asyncio.timeout(30):
        while good.state is not S.RUNNING:
            await world.tick(0.2)
    assert [slot.name for slot in world.supervisor.slots] == ["bad", "good"]


async def test_processes_that_cannot_be_ended_are_told_and_counted(world: World) -> None:
    world.driver.survivors_next = True
    slot = await world.running()
    result = await world.until_done(world.supervisor.stop("w", "app", actor="ops"))
    assert not result.ok and str(world.driver.processes[0].pid) in result.sentence
    assert slot.state is S.DEAD


async def test_a_removed_bundle_cannot_be_brought_back_by_a_queued_start(world: World) -> None:
    slot = await world.running()
    removal = asyncio.create_task(world.supervisor.remove("w", "app", actor="ops"))
    late = asyncio.create_task(world.supervisor._turns.start(slot, "operator", "ops"))
    async with asyncio.timeout(30):
        await asyncio.gather(removal, late)
    assert not world.driver.alive and world.supervisor.slots == ()


async def test_a_crash_record_keeps_the_last_fifty_lines_cut_and_unfinished_ones_included(
    world: World,
) -> None:
    slot = await world.running()
    process = world.driver.alive[0]
    for number in range(200):
        process.stderr.feed_data(b"line %d\n" % number)
    process.stderr.feed_data(b"x" * 1_000_000 + b"\n")
    process.stderr.feed_data(b"cut off in the mid")
    process.end(signal=11)
    await world.until(lambda: slot.state is S.BACKING_OFF)
    assert slot.crash is not None and slot.crash.exit == "SIGSEGV"
    tail = slot.crash.stderr_tail
    assert len(tail) == 50 and tail[0] == "line 152" and tail[-1] == "cut off in the mid"
    assert len(tail[-2]) < 9_000 and "991" in tail[-2], "it says how much was cut off"
    crashes = [e for e in world.events if isinstance(e, Transitioned) if e.transition.reason]
    assert [event.transition.cause for event in crashes] == ["crash"]


async def test_a_port_that_somebody_else_serves_is_no_readiness(world: World) -> None:
    slot = await world.slot()
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = somebody.getsockname()[1]
        slot.definition = replace(slot.definition, kind=BundleKind.WEB, port=port)
        result = await world.until_done(
            world.supervisor.respawn("w", "app", cause="operator", actor="ops")
        )
    assert result.code == "port_in_use" and str(port) in result.sentence
    assert not world.driver.processes
