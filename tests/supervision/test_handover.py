"""The next generation beside the running one, on fake processes and sessions."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.supervised import World, failed_before

from roost.models import (
    BundleKind,
    BundleSettings,
    BundleView,
    ConfigField,
    FieldType,
    RespawnResult,
    RespawnStrategy,
    RestartPolicy,
    SlotState,
    StartStep,
    Transitioned,
)
from roost.supervision import BundleSlot, CallAnswer, CallEnded

S = SlotState

HANDOVER = BundleSettings(settle_s=0.1, strategy=RespawnStrategy.HANDOVER)

KEY = ConfigField("key", FieldType.STRING, "Key", required=True, sensitive=True)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def server(world: World, **options: Any) -> BundleSlot:
    """Bring up an MCP server that is handed over."""
    settings = options.pop("settings", HANDOVER)
    return await world.running(settings=settings, kind=BundleKind.MCP_STDIO, **options)


def respawning(world: World, cause: str = "operator") -> asyncio.Task[RespawnResult]:
    return asyncio.create_task(world.supervisor.respawn("w", "app", cause=cause, actor="ops"))


def calling(world: World) -> asyncio.Task[CallAnswer]:
    return asyncio.create_task(world.supervisor.call("w", "app", "echo", {}, lambda _: None))


async def finished(task: asyncio.Task[Any]) -> Any:
    return await task


async def candidate_of(world: World, slot: BundleSlot) -> int:
    """Wait for a candidate in its handshake and return its generation's number."""
    await world.until(lambda: slot.candidate is not None and slot.step is StartStep.HANDSHAKE)
    assert slot.candidate is not None
    return slot.candidate.number


def shown(world: World) -> BundleView:
    [view] = world.supervisor.views("w")
    return view


def crashes(world: World) -> list[Transitioned]:
    return [
        e for e in world.events if isinstance(e, Transitioned) and e.transition.cause == "crash"
    ]


# The calls move over ------------------------------------------------------------------------------


async def test_new_calls_go_to_the_candidate_in_one_step_and_old_ones_end_where_they_began(
    world: World,
) -> None:
    slot = await server(world)
    first = world.sessions.links[0]
    first.hold()
    world.sessions.gate.clear()
    respawn, early = respawning(world), calling(world)
    assert await candidate_of(world, slot) == 2
    meanwhile = calling(world)
    await world.until(lambda: first.in_flight == 2)
    world.sessions.gate.set()
    await first.is_drained.wait()
    assert (await calling(world)).content == 2
    assert len(world.driver.alive) == 2 and not respawn.done()
    first.release()
    answers = await asyncio.gather(early, meanwhile)
    assert [answer.content for answer in answers] == [1, 1]
    result: RespawnResult = await world.until_done(finished(respawn))
    assert result.ok and result.generation == 2
    assert [process.pid for process in world.driver.alive] == [world.driver.processes[1].pid]
    assert list(world.store.generations.generations) == [slot.generation.id]  # type: ignore[union-attr]


async def test_the_slot_stays_running_and_shows_candidate_and_step(world: World) -> None:
    slot = await server(world)
    world.sessions.gate.clear()
    respawn = respawning(world)
    await candidate_of(world, slot)
    view = shown(world)
    assert view.state is S.RUNNING and view.step is StartStep.HANDSHAKE
    assert view.generation is not None and view.generation.number == 1
    assert view.candidate is not None and view.candidate.number == 2
    assert view.generation.pid == world.driver.processes[0].pid
    world.sessions.gate.set()
    await world.until_done(finished(respawn))
    assert world.moves() == [S.STARTING, S.RUNNING]
    view = shown(world)
    assert (view.candidate, view.step, view.stale) == (None, None, ())
    assert view.generation is not None and view.generation.pid == world.driver.processes[1].pid


async def test_no_call_is_refused_during_twenty_handovers_in_a_row(world: World) -> None:
    await server(world)
    is_over = asyncio.Event()

    async def call_on() -> list[Any]:
        answers = []
        while not is_over.is_set():
            answers.append((await calling(world)).content)
            await asyncio.sleep(0)
        return answers

    callers = [asyncio.create_task(call_on()) for _ in range(4)]
    for _ in range(20):
        assert (await world.until_done(finished(respawning(world)))).ok
    is_over.set()
    for answers in await asyncio.gather(*callers):
        assert answers == sorted(answers), "none goes back to an older generation"
        assert set(answers) >= {1, 21}
    assert len(world.driver.alive) == 1


async def test_never_more_than_two_processes_live_whoever_asks_at_once(world: World) -> None:
    await server(world)
    most = 0

    def count(_: object) -> None:
        nonlocal most
        most = max(most, len(world.driver.alive))

    world.driver.on_spawn = count

    async def all_at_once() -> list[RespawnResult]:
        return list(await asyncio.gather(*(respawning(world) for _ in range(5))))

    results = await world.until_done(all_at_once())
    assert most == 2 and len(world.driver.alive) == 1
    assert all(result.ok for result in results)
    assert len(world.supervisor._locks) == 0


async def test_a_call_that_outlasts_the_drain_ends_as_restarting(world: World) -> None:
    slot = await server(world, settings=replace(HANDOVER, drain_s=0.05))
    first = world.sessions.links[0]
    first.hold()
    call = calling(world)
    await world.until(lambda: first.in_flight)
    assert (await world.until_done(finished(respawning(world)))).ok
    with pytest.raises(CallEnded) as ended:
        await call
    assert ended.value.code == "restarting"
    assert (await calling(world)).content == 2 and slot.state is S.RUNNING


async def test_each_generation_writes_a_log_of_its_own_to_its_end(world: World) -> None:
    slot = await server(world)
    old = world.driver.alive[0]
    world.sessions.links[0].hold()
    call = calling(world)
    respawn = respawning(world)
    await world.sessions.links[0].is_drained.wait()
    old.stderr.feed_data(b"said while draining\n")
    world.driver.alive[1].stderr.feed_data(b"said by the next one\n")
    world.sessions.links[0].release()
    await call
    await world.until_done(finished(respawn))
    logs = world.logs
    first, second = (logs.page("w", "app", generation=number).lines for number in (1, 2))
    assert "said while draining" in [line.text for line in first]
    assert "said by the next one" in [line.text for line in second]
    assert slot.generation is not None and slot.generation.number == 2


async def test_figures_of_the_old_process_are_not_shown_as_those_of_the_next(world: World) -> None:
    slot = await server(world)
    slot.figures = slot.calls = object()  # type: ignore[assignment]
    await world.until_done(finished(respawning(world)))
    assert (slot.figures, slot.calls) == (None, None)


async def test_what_the_old_process_knew_is_scrubbed_from_its_last_answers(world: World) -> None:
    world.secrets.secrets = ("the-first-secret",)
    await server(world)
    world.secrets.secrets = ("the-third-secret", "the-second-secret")
    await world.until_done(finished(respawning(world)))
    scrub = world.supervisor.scrub("w", "app")
    told = scrub(["the-first-secret", "the-second-secret", "the-third-secret"])
    assert told == ["[secret]", "[secret]", "[secret]"]


async def test_a_respawn_asked_for_beside_a_candidate_brings_a_later_process(world: World) -> None:
    slot = await server(world)
    world.sessions.gate.clear()
    first = respawning(world)
    await candidate_of(world, slot)
    second = respawning(world)
    await asyncio.sleep(0)
    world.sessions.gate.set()

    async def both() -> list[int | None]:
        return [result.generation for result in await asyncio.gather(first, second)]

    assert await world.until_done(both()) == [2, 3]


async def test_respawns_that_wait_together_are_answered_by_one(world: World) -> None:
    slot = await server(world)
    world.sessions.gate.clear()
    first = respawning(world)
    await candidate_of(world, slot)
    waiting = [respawning(world) for _ in range(10)]
    await asyncio.sleep(0)
    world.sessions.gate.set()

    async def all_of_them() -> list[int | None]:
        return [result.generation for result in await asyncio.gather(first, *waiting)]

    assert await world.until_done(all_of_them()) == [2, *[3] * 10]


# The candidate fails ------------------------------------------------------------------------------


async def test_a_candidate_that_fails_leaves_the_old_one_serving_and_stale_with_the_reason(
    world: World,
) -> None:
    slot = await server(world)
    old = world.driver.alive[0]
    world.sessions.refusal = "it speaks another protocol"
    result: RespawnResult = await world.until_done(finished(respawning(world)))
    assert (result.ok, result.code, result.step) == (False, "handshake_failed", StartStep.HANDSHAKE)
    assert result.generation == 1
    for part in ("w/app", "it speaks another protocol", "generation 1 serves on", "`roost "):
        assert part in result.sentence
    view = shown(world)
    assert view.state is S.RUNNING and view.stale == ("respawn",) and view.candidate is None
    assert view.step is StartStep.HANDSHAKE
    assert view.reason is not None and view.reason.sentence == result.sentence
    assert [process.pid for process in world.driver.alive] == [old.pid] and old.stops == 0
    assert (await calling(world)).content == 1
    assert list(world.store.generations.generations) == [slot.generation.id]  # type: ignore[union-attr]
    world.sessions.refusal = None
    assert (await world.until_done(finished(respawning(world)))).ok
    view = shown(world)
    assert (view.stale, view.reason, view.step) == ((), None, None)


async def test_a_candidate_that_dies_leaves_its_last_words(world: World) -> None:
    await server(world)

    def die(process: Any) -> None:
        process.stderr.feed_data(b"no such table: users\n")
        process.end(code=4)

    world.driver.on_spawn = die
    result: RespawnResult = await world.until_done(finished(respawning(world, "credentials")))
    assert (result.ok, result.code) == (False, "exited") and "exit 4" in result.sentence
    view = shown(world)
    assert view.crash is not None and view.crash.stderr_tail == ("no such table: users",)
    assert view.crash.generation == 2
    assert view.state is S.RUNNING and not crashes(world)


async def test_a_value_that_breaks_the_candidate_is_shown_as_not_yet_taken_up(
    world: World,
) -> None:
    slot = await server(world)
    world.sessions.refusal = "that key is wrong"
    world.secrets.revision = 1
    result = await world.until_done(_write(world, 1))
    assert result is not None and not result.ok
    assert slot.stale_in() == ("credentials", "respawn") and slot.state is S.RUNNING
    world.sessions.refusal, world.secrets.revision = None, 2
    result = await world.until_done(_write(world, 2))
    assert result is not None and result.ok and slot.stale_in() == ()


async def _write(
    world: World, revision: int, *, must_end_holder: bool = False
) -> RespawnResult | None:
    return await world.supervisor.credentials_changed(
        "w", "app", revision=revision, actor="ops", must_end_holder=must_end_holder, reason=None
    )


async def test_a_field_that_is_missing_does_not_end_what_still_works(world: World) -> None:
    slot = await server(world)
    slot.definition = replace(slot.definition, fields=(replace(KEY, sensitive=False),))
    result = await world.until_done(_write(world, 1))
    assert result is not None and (result.code, result.step) == (
        "needs_credentials",
        StartStep.CREDENTIALS,
    )
    view = shown(world)
    assert view.state is S.RUNNING and view.missing_fields == ("key",)
    assert "credentials" in view.stale and "key" in result.sentence
    assert len(world.driver.processes) == 1


# The running one fails ----------------------------------------------------------------------------


async def test_when_the_running_one_dies_the_candidate_takes_over(world: World) -> None:
    slot = await server(world)
    world.sessions.gate.clear()
    respawn = respawning(world)
    await candidate_of(world, slot)
    world.driver.processes[0].end(signal=9)
    await world.until(lambda: slot.state is S.STARTING)
    assert shown(world).step is StartStep.HANDSHAKE
    assert slot.reason is not None and "SIGKILL" in slot.reason.sentence
    with pytest.raises(CallEnded) as ended:
        await calling(world)
    assert ended.value.code == "restarting"
    world.sessions.gate.set()
    result: RespawnResult = await world.until_done(finished(respawn))
    assert result.ok and result.generation == 2
    assert world.moves() == [S.STARTING, S.RUNNING, S.STARTING, S.RUNNING]
    assert len(crashes(world)) == 1
    assert slot.crash is not None and slot.crash.exit == "SIGKILL"
    await world.until(lambda: not world.supervisor.busy)
    assert [process.pid for process in world.driver.alive] == [world.driver.processes[1].pid]
    assert list(world.store.generations.generations) == [slot.generation.id]  # type: ignore[union-attr]


async def test_when_both_die_the_slot_backs_off_and_comes_back_by_itself(world: World) -> None:
    slot = await server(world)
    world.sessions.gate.clear()
    respawn = respawning(world)
    await candidate_of(world, slot)
    world.driver.processes[0].end(code=1)
    await world.until(lambda: slot.state is S.STARTING)
    world.driver.processes[1].end(code=2)
    result: RespawnResult = await world.until_done(finished(respawn))
    assert not result.ok and "exit 2" in result.sentence and result.generation is None
    assert len(crashes(world)) == 1 and S.BACKING_OFF in world.moves()
    world.sessions.gate.set()
    async with asyncio.timeout(30):
        while slot.state is not S.RUNNING:
            await world.tick(0.5)
    assert slot.generation is not None and slot.generation.number == 3
    await world.until(lambda: not world.supervisor.busy)
    assert len(world.driver.alive) == len(world.store.generations.generations) == 1


async def test_an_end_that_nobody_has_told_of_yet_is_not_taken_for_serving_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = await server(world)
    assert slot.incarnation is not None
    read_out, told_late = slot.incarnation.finish_output, asyncio.Event()
    readers = 0

    async def read_out_late() -> None:
        nonlocal readers
        readers += 1
        if readers == 1:  # who watches for the end is slow to tell of it
            await told_late.wait()
        await read_out()

    monkeypatch.setattr(slot.incarnation, "finish_output", read_out_late)
    world.sessions.gate.clear()
    respawn = respawning(world)
    await candidate_of(world, slot)
    world.driver.processes[0].end(code=1)
    await world.until(lambda: readers)
    world.driver.processes[1].end(code=2)
    result: RespawnResult = await world.until_done(finished(respawn))
    assert not result.ok and result.generation is None
    assert slot.state is S.BACKING_OFF and len(crashes(world)) == 1
    told_late.set()
    await world.until(lambda: not world.supervisor.busy)
    assert len(crashes(world)) == 1 and not world.driver.alive


async def test_when_both_die_and_nothing_is_restarted_the_slot_is_dead(world: World) -> None:
    slot = await server(world, settings=replace(HANDOVER, restart=RestartPolicy.NEVER))
    world.sessions.gate.clear()
    respawn = respawning(world)
    await candidate_of(world, slot)
    for process in world.driver.processes:
        process.end(code=1)
    await world.until_done(finished(respawn))
    assert slot.state is S.DEAD and len(crashes(world)) == 1


async def test_a_candidate_that_dies_after_it_took_over_is_an_ordinary_crash(world: World) -> None:
    slot = await server(world)
    world.sessions.links[0].hold()
    call, respawn = calling(world), respawning(world)
    await world.sessions.links[0].is_drained.wait()
    world.driver.processes[1].end(code=5)
    await world.until(lambda: slot.state is S.BACKING_OFF)
    world.sessions.links[0].release()
    assert (await call).content == 1, "the old one still finishes what it began"
    result: RespawnResult = await world.until_done(finished(respawn))
    assert not result.ok and result.code == "crashed" and "exit 5" in result.sentence
    assert len(crashes(world)) == 1
    async with asyncio.timeout(30):
        while slot.state is not S.RUNNING:
            await world.tick(0.5)
    await world.until(lambda: not world.supervisor.busy)
    assert len(world.driver.alive) == 1


async def test_an_old_process_that_dies_while_it_is_drained_is_no_crash(world: World) -> None:
    slot = await server(world)
    first = world.sessions.links[0]
    first.hold()
    call, respawn = calling(world), respawning(world)
    await first.is_drained.wait()
    world.driver.processes[0].end(signal=9)
    assert (await world.until_done(finished(respawn))).ok
    with pytest.raises(CallEnded) as ended:
        await call
    assert ended.value.code == "lost"
    assert slot.state is S.RUNNING and not crashes(world)


async def test_an_old_process_that_cannot_be_ended_is_told(world: World) -> None:
    world.driver.survivors_next = True
    slot = await server(world)
    world.driver.survivors_next = False
    result: RespawnResult = await world.until_done(finished(respawning(world)))
    assert (result.ok, result.code, result.generation) == (False, "not_ended", 2)
    assert str(world.driver.processes[0].pid) in result.sentence
    assert "runs as generation 2" in result.sentence
    assert slot.state is S.RUNNING and slot.reason is not None
    world.driver.processes[0].end()


# Something else comes in between ------------------------------------------------------------------


async def _stop(world: World) -> None:
    assert (await world.supervisor.stop("w", "app", actor="ops")).ok


async def _remove(world: World) -> None:
    await world.supervisor.remove("w", "app", actor="ops")


async def _close(world: World) -> None:
    await world.supervisor.close()


@pytest.mark.parametrize(
    ("end", "code"),
    [(_stop, "stopped"), (_remove, "bundle_not_found"), (_close, "shutting_down")],
)
@pytest.mark.parametrize("moment", ["handshake", "drain"])
async def test_what_ends_a_bundle_ends_both_processes_of_its_handover(
    world: World,
    end: Callable[[World], Coroutine[Any, Any, None]],
    code: str,
    moment: str,
) -> None:
    slot = await server(world)
    first = world.sessions.links[0]
    first.hold()
    call = calling(world)
    if moment == "handshake":
        world.sessions.gate.clear()
    respawn = respawning(world)
    if moment == "handshake":
        await candidate_of(world, slot)
    else:
        await first.is_drained.wait()
    assert len(world.driver.alive) == 2
    async with asyncio.timeout(30):
        await end(world)
        result = await respawn
    assert not world.driver.alive and not world.store.generations.generations
    assert result.ok if moment == "drain" else result.code == code
    assert slot.state is S.STOPPED and slot.candidate is None
    with pytest.raises(CallEnded):
        await call
    await world.until(lambda: not world.supervisor.busy)
    assert len(world.supervisor._locks) == 0


async def test_clearing_a_credential_ends_both_processes_of_a_handover_at_once(
    world: World,
) -> None:
    world.secrets.values, world.secrets.revision = {"key": "x"}, 1
    slot = await server(world, fields=(replace(KEY, required=False),))
    world.sessions.gate.clear()
    first = respawning(world)
    await candidate_of(world, slot)
    holders = list(world.driver.alive)
    world.secrets.values, world.secrets.revision = {}, 2
    cleared = asyncio.create_task(_write(world, 2, must_end_holder=True))
    await world.until(lambda: all(process.exit is not None for process in holders))
    world.sessions.gate.set()
    result: RespawnResult = await world.until_done(finished(cleared))
    assert result.ok and world.driver.alive[0].spec.env == {}
    answer: RespawnResult = await world.until_done(finished(first))
    assert answer.ok and answer.generation == result.generation == 3
    assert len(world.driver.alive) == 1 and slot.stale_in() == ()


async def test_clearing_a_credential_cuts_the_drain_of_the_process_that_held_it(
    world: World,
) -> None:
    world.secrets.values, world.secrets.revision = {"key": "x"}, 1
    slot = await server(world, fields=(replace(KEY, required=False),))
    first = world.sessions.links[0]
    first.hold()
    call, respawn = calling(world), respawning(world)
    await first.is_drained.wait()
    world.secrets.values, world.secrets.revision = {}, 2
    assert (await world.until_done(_write(world, 2, must_end_holder=True))) is not None
    assert (await respawn).ok
    with pytest.raises(CallEnded):
        await call
    assert [process.spec.env for process in world.driver.alive] == [{}]
    assert slot.generation is not None and slot.generation.credential_revision == 2


async def test_clearing_a_credential_ends_its_holder_before_anything_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = await server(world)
    old, resolve, may_resolve = world.driver.alive[0], world.secrets.resolve, asyncio.Event()

    async def resolve_late(*given: Any) -> Any:
        await may_resolve.wait()
        return await resolve(*given)

    monkeypatch.setattr(world.secrets, "resolve", resolve_late)
    world.secrets.revision = 1
    cleared = asyncio.create_task(_write(world, 1, must_end_holder=True))
    await world.until(lambda: old.exit is not None)
    may_resolve.set()
    assert (await world.until_done(finished(cleared))).ok
    assert slot.stale_in() == ()


@pytest.mark.parametrize("is_required", [True, False])
async def test_clearing_a_credential_ends_its_holder_also_when_nothing_follows(
    world: World, is_required: bool
) -> None:
    world.secrets.values, world.secrets.revision = {"key": "x"}, 1
    slot = await server(world, fields=(replace(KEY, required=is_required),))
    world.secrets.values, world.secrets.revision = {}, 2
    world.sessions.refusal = "no key was given"
    result = await world.until_done(_write(world, 2, must_end_holder=True))
    assert result is not None and not result.ok and result.generation is None
    assert not world.driver.alive
    assert slot.state is (S.NEEDS_CREDENTIALS if is_required else S.DEAD)


async def test_clearing_a_credential_interrupts_a_start_that_holds_it_too(world: World) -> None:
    world.secrets.values, world.secrets.revision = {"key": "x"}, 1
    settings = BundleSettings(settle_s=0.1)
    slot = await world.slot(settings=settings, kind=BundleKind.MCP_STDIO, fields=(KEY,))
    world.sessions.gate.clear()
    start = asyncio.create_task(world.supervisor.start("w", "app", actor="ops"))
    await world.until(lambda: slot.step is StartStep.HANDSHAKE)
    world.secrets.values, world.secrets.revision = {}, 2
    async with asyncio.timeout(30):
        result = await _write(world, 2, must_end_holder=True)
        started = await start
    assert result is not None and result.code == started.code == "needs_credentials"
    assert not world.driver.alive and slot.state is S.NEEDS_CREDENTIALS
    assert not slot.interrupted.is_set()


async def test_two_clears_at_once_do_not_make_each_other_give_up_for_ever(world: World) -> None:
    slot = await server(world)
    world.sessions.gate.clear()
    first = respawning(world)
    await candidate_of(world, slot)
    world.secrets.revision = 2
    clears = [
        asyncio.create_task(_write(world, revision, must_end_holder=True)) for revision in (1, 2)
    ]
    world.sessions.gate.set()

    async def all_of_them() -> list[Any]:
        return list(await asyncio.gather(first, *clears))

    results = await world.until_done(all_of_them())
    assert all(result.ok for result in results)
    assert slot.generation is not None and slot.generation.credential_revision == 2
    assert len(world.driver.alive) == 1 and not slot.interrupted.is_set()


async def test_both_processes_of_a_handover_are_on_record_for_the_next_daemon(
    world: World,
) -> None:
    slot = await server(world)
    world.sessions.gate.clear()
    respawn = respawning(world)
    await candidate_of(world, slot)
    kept = world.store.generations.generations.values()
    assert sorted(view.number for view in kept) == [1, 2]
    world.sessions.gate.set()
    await world.until_done(finished(respawn))


# Who is handed over -------------------------------------------------------------------------------


@pytest.mark.parametrize("obstacle", ["plain command", "fixed port"])
async def test_what_cannot_run_twice_is_replaced_whatever_its_strategy_says(
    world: World, obstacle: str
) -> None:
    if obstacle == "plain command":
        slot = await world.running(settings=HANDOVER)
    else:
        slot = await server(world)
        slot.definition = replace(slot.definition, port=8080)
    most: list[int] = []
    world.driver.on_spawn = lambda _: most.append(len(world.driver.alive))
    assert (await world.until_done(finished(respawning(world)))).ok
    assert most == [1] and world.moves()[2:] == [S.STARTING, S.RUNNING]


async def test_a_bundle_that_is_down_starts_as_any_other(world: World) -> None:
    slot = await server(world)
    failed_before(world, slot)
    world.driver.alive[0].end(code=1)
    await world.until(lambda: slot.state is S.BACKING_OFF)
    assert (await world.until_done(finished(respawning(world)))).ok
    assert world.moves()[-2:] == [S.STARTING, S.RUNNING] and len(world.driver.alive) == 1
