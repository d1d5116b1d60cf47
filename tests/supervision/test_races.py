"""Stops, ends, refusals and errors that come at the worst moment, on fake processes."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.supervised import World, failed_before

from roost.errors import StoreUnavailable
from roost.models import (
    BundleRemoved,
    BundleSettings,
    ConfigField,
    FieldType,
    RespawnResult,
    RestartPolicy,
    SlotState,
    StartStep,
    ToolView,
    Transitioned,
)
from roost.supervision import BundleSlot, CallEnded
from roost.supervision.admission import Admission

S = SlotState

HANGING = BundleSettings(settle_s=100_000, start_budget_s=100_000)


class Gate:
    """Holds everybody who passes until it is opened."""

    def __init__(self) -> None:
        self.is_reached = asyncio.Event()
        self._is_open = asyncio.Event()

    async def __call__(self, *_: Any) -> None:
        self.is_reached.set()
        await self._is_open.wait()

    def open(self) -> None:
        self._is_open.set()


class BusyLink:
    """A session with a call that ends only when it is told to."""

    tools: tuple[ToolView, ...] = ()
    era = "2025-06-18"
    in_flight = 1
    is_open = True
    probe_request = "ping"

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.is_drained = asyncio.Event()

    def end_calls(self, ended: CallEnded) -> None:
        self.ended.append(ended.code)

    def answers(self) -> tuple[tuple[str, str], ...]:
        return ()

    async def wait_idle(self) -> None:
        self.is_drained.set()
        await asyncio.Event().wait()

    async def call(self, *_: Any) -> Any:
        raise AssertionError("nobody calls")

    def figures(self) -> tuple[int, int | None]:
        return 0, None

    async def probe(self) -> None:
        """Answer at once."""

    def owed_s(self) -> float | None:
        return None


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def refuse(*_: Any) -> Any:
    raise StoreUnavailable("the disk is full")


async def refuse_later(*_: Any) -> None:
    await asyncio.sleep(0)
    raise StoreUnavailable("the disk is full")


def gated_resolve(world: World, monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate, resolve = Gate(), world.secrets.resolve

    async def resolve_behind_gate(*given: Any) -> Any:
        await gate()
        return await resolve(*given)

    monkeypatch.setattr(world.secrets, "resolve", resolve_behind_gate)
    return gate


def respawning(world: World, **options: Any) -> asyncio.Task[RespawnResult]:
    work = world.supervisor.respawn("w", "app", cause="operator", actor="ops", **options)
    return asyncio.create_task(work)


def is_at_rest(world: World) -> bool:
    return not len(world.supervisor._locks) and not len(world.supervisor._tasks)


def crash_events(world: World) -> list[Transitioned]:
    return [
        event
        for event in world.events
        if isinstance(event, Transitioned) and event.transition.cause == "crash"
    ]


# A stop at the worst moment -----------------------------------------------------------------------


async def test_a_stop_does_not_wait_for_a_start_that_waits_to_be_admitted(world: World) -> None:
    for number in range(5):
        await world.slot(f"app-{number}", settings=HANGING)
    world.supervisor.start_all()
    await world.until(lambda: len(world.driver.alive) == 4)
    waiting = next(slot for slot in world.supervisor.slots if slot.step is StartStep.CREDENTIALS)
    async with asyncio.timeout(30):
        stopped = await world.supervisor.stop("w", waiting.name, actor="ops")
    assert stopped.ok and waiting.state is S.STOPPED
    assert len(world.driver.processes) == 4
    await world.supervisor.close()


async def test_a_stop_cuts_the_drain_of_a_respawn(world: World) -> None:
    slot = await world.running()
    assert slot.incarnation is not None
    link = slot.incarnation.link = BusyLink()
    respawn = respawning(world)
    async with asyncio.timeout(30):
        await link.is_drained.wait()
        stopped = await world.supervisor.stop("w", "app", actor="ops")
        result = await respawn
    assert stopped.ok and result.code == "stopped" and slot.state is S.STOPPED
    assert link.ended[0] == "restarting"
    assert len(world.driver.processes) == 1


async def test_of_a_start_a_stop_and_a_start_the_last_wish_stands(world: World) -> None:
    slot = await world.slot(settings=BundleSettings(settle_s=5))
    first = asyncio.create_task(world.supervisor.start("w", "app", actor="ops"))
    await world.until(lambda: slot.step is StartStep.READINESS)
    queued = respawning(world)
    await asyncio.sleep(0)
    stop = asyncio.create_task(world.supervisor.stop("w", "app", actor="ops"))
    await asyncio.sleep(0)
    last = asyncio.create_task(world.supervisor.start("w", "app", actor="ops"))

    async def all_of_them() -> Any:
        return await asyncio.gather(first, queued, stop, last)

    one, two, stopped, three = await world.until_done(all_of_them())
    assert (one.code, two.code, stopped.ok, three.ok) == ("stopped", "stopped", True, True)
    assert slot.state is S.RUNNING and len(world.driver.alive) == 1
    assert len(world.driver.processes) == 2, "the respawn behind which a stop waited began nothing"
    assert world.store.bundles.should_run.get(("w", "app"), True) is True


async def test_a_stop_while_the_old_process_still_serves_ends_that_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = await world.running()
    gate = gated_resolve(world, monkeypatch)
    respawn = respawning(world)
    await gate.is_reached.wait()
    stop = asyncio.create_task(world.supervisor.stop("w", "app", actor="ops"))
    await asyncio.sleep(0)
    gate.open()
    async with asyncio.timeout(30):
        assert (await stop).ok and (await respawn).code == "stopped"
    assert slot.state is S.STOPPED and not world.driver.alive
    assert not slot.interrupted.is_set(), "or the next start would give up at once"


async def test_a_stop_that_cannot_be_stored_still_ends_the_process_and_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = await world.running()
    with monkeypatch.context() as patch:
        patch.setattr(world.store.bundles, "set_should_run", refuse_later)
        with pytest.raises(StoreUnavailable):
            await world.supervisor.stop("w", "app", actor="ops")
    assert slot.state is S.STOPPED and not world.driver.alive
    again = await world.supervisor.stop("w", "app", actor="ops")
    assert again.ok and world.store.bundles.should_run["w", "app"] is False


async def test_a_caller_that_goes_away_at_once_leaves_its_wish_whole(world: World) -> None:
    slot = await world.running()
    world.secrets.revision = 1
    change = world.supervisor.credentials_changed(
        "w", "app", revision=1, actor="ops", must_end_holder=False, reason=None
    )
    caller = asyncio.create_task(change)
    await asyncio.sleep(0)
    caller.cancel()
    async with asyncio.timeout(30):
        while slot.state is not S.RUNNING or slot.stale_in():
            await world.tick(0.5)
    stopper = asyncio.create_task(world.supervisor.stop("w", "app", actor="ops"))
    await asyncio.sleep(0)
    stopper.cancel()
    await world.until(lambda: slot.state is S.STOPPED)
    await world.until(lambda: world.store.bundles.should_run.get(("w", "app")) is False)


async def test_viewers_learn_of_a_removal_whose_caller_went_away(world: World) -> None:
    await world.running()
    caller = asyncio.create_task(world.supervisor.remove("w", "app", actor="ops"))
    await asyncio.sleep(0)
    caller.cancel()
    await world.until(lambda: BundleRemoved("w", "app") in world.events)
    assert not world.driver.alive


# Ends at the worst moment -------------------------------------------------------------------------


async def test_a_process_that_dies_while_its_respawn_cannot_be_prepared_is_not_shown_as_running(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = await world.running()
    gate = Gate()

    async def refuse_behind_gate(*_: Any) -> None:
        await gate()
        refuse()

    monkeypatch.setattr(world.secrets, "resolve", refuse_behind_gate)
    respawn = respawning(world)
    await gate.is_reached.wait()
    world.driver.alive[0].end(code=7)
    gate.open()
    async with asyncio.timeout(30):
        result = await respawn
        assert not result.ok and world.moves()[-1] is S.DEAD
        assert slot.crash is not None and slot.crash.exit == "exit 7"
        assert (await world.supervisor.stop("w", "app", actor="ops")).ok
    assert world.moves()[-1] is S.STOPPED and slot.incarnation is None
    await world.until(lambda: not world.store.generations.generations)


async def test_a_process_that_dies_in_its_drain_is_replaced_and_its_calls_are_lost(
    world: World,
) -> None:
    slot = await world.running()
    assert slot.incarnation is not None
    link = slot.incarnation.link = BusyLink()
    respawn = respawning(world)
    await link.is_drained.wait()
    world.driver.alive[0].end(signal=9)
    await world.until(lambda: link.ended)
    assert link.ended == ["lost"]
    stop = asyncio.create_task(world.supervisor.stop("w", "app", actor="ops"))
    async with asyncio.timeout(30):
        await stop
        await respawn
    assert slot.state is S.STOPPED and not crash_events(world)
    await world.until(lambda: is_at_rest(world))
    assert not world.store.generations.generations


async def test_an_end_before_the_watch_begins_is_one_crash(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = await world.slot(settings=BundleSettings(settle_s=0))

    async def end_meanwhile(*_: Any) -> None:
        for process in world.driver.alive:
            process.end(code=1)

    monkeypatch.setattr(world.store.generations, "set_ready", end_meanwhile)
    start = asyncio.create_task(world.supervisor.start("w", "app", actor="ops"))
    await world.until(lambda: slot.state is S.BACKING_OFF and slot.backoff.failures > 1)
    await start
    assert len(crash_events(world)) == slot.backoff.failures
    await world.until(lambda: not world.store.generations.generations)
    await world.supervisor.close()


async def test_a_finished_bundle_stays_finished_when_the_daemon_closes_at_that_moment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, gate = world.store.bundles.set_should_run, Gate()

    async def keep_behind_gate(workspace: str, name: str, should_run: bool) -> None:
        await gate()
        await keep(workspace, name, should_run)

    settings = BundleSettings(settle_s=0, restart=RestartPolicy.ON_FAILURE)
    slot = await world.running(settings=settings)
    monkeypatch.setattr(world.store.bundles, "set_should_run", keep_behind_gate)
    world.driver.alive[0].end(code=0)
    await world.until(lambda: slot.state is S.STOPPED)
    closing = asyncio.create_task(world.supervisor.close())
    await gate.is_reached.wait()
    await asyncio.sleep(0.01)
    gate.open()
    await closing
    assert world.store.bundles.should_run["w", "app"] is False


# Errors at the worst moment -----------------------------------------------------------------------


@pytest.mark.parametrize("when", ["set_ready", "set_ended"])
async def test_a_record_that_is_not_taken_makes_no_state_that_lies(
    world: World, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    monkeypatch.setattr(world.store.generations, when, refuse_later)
    slot = await world.running()
    assert len(world.driver.alive) == 1
    result = await world.until_done(
        world.supervisor.respawn("w", "app", cause="operator", actor="ops")
    )
    assert result.ok and len(world.driver.alive) == 1
    assert (await world.supervisor.stop("w", "app", actor="ops")).ok
    assert slot.state is S.STOPPED and not world.driver.alive


async def fails_in_recipes(world: World, patch: pytest.MonkeyPatch) -> None:
    def wrong(*_: Any, **__: Any) -> Any:
        raise KeyError("a fault of ours")

    patch.setattr("tests.support.supervised.FakeRecipes.launch", wrong)


async def fails_in_connect(world: World, patch: pytest.MonkeyPatch) -> None:
    async def wrong(*_: Any) -> None:
        raise OSError(24, "too many open files")

    patch.setattr(world.driver, "connect", wrong)


async def fails_in_the_row(world: World, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(world.store.generations, "add", refuse_later)


@pytest.mark.parametrize("break_it", [fails_in_recipes, fails_in_connect, fails_in_the_row])
async def test_no_error_leaves_a_slot_starting_for_ever_or_a_process_unowned(
    world: World, monkeypatch: pytest.MonkeyPatch, break_it: Callable[..., Any]
) -> None:
    monkeypatch.setattr(world.store.generations, "set_ended", _forgiving(world))
    slot = await world.slot()
    with monkeypatch.context() as patch:
        await break_it(world, patch)
        result = await world.until_done(
            world.supervisor.respawn("w", "app", cause="operator", actor="ops")
        )
        assert not result.ok and slot.state is S.DEAD and slot.label in result.sentence
    assert not world.driver.alive
    again = await world.until_done(
        world.supervisor.respawn("w", "app", cause="operator", actor="ops")
    )
    assert again.ok and len(world.driver.alive) == 1
    await world.until(lambda: is_at_rest(world))


def _forgiving(world: World) -> Callable[..., Any]:
    async def set_ended(generation_id: str, *_: Any) -> None:
        world.store.generations.generations.pop(generation_id, None)

    return set_ended


async def test_a_start_whose_wish_is_not_stored_starts_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = await world.running()
    await world.supervisor.stop("w", "app", actor="ops")
    with monkeypatch.context() as patch:
        patch.setattr(world.store.bundles, "set_should_run", refuse_later)
        with pytest.raises(StoreUnavailable):
            await world.supervisor.start("w", "app", actor="ops")
    assert slot.state is S.STOPPED and not slot.should_run and not world.driver.alive


async def test_a_process_that_holds_a_cleared_credential_and_cannot_be_ended_is_told(
    world: World,
) -> None:
    world.driver.survivors_next = True
    field = ConfigField("key", FieldType.STRING, "Key", required=True, sensitive=True)
    slot = await world.slot(fields=(field,))
    world.secrets.values, world.secrets.revision = {"key": "x"}, 1
    await world.until_done(world.supervisor.start("w", "app", actor="ops"))
    world.secrets.values, world.secrets.revision = {}, 2
    result = await world.until_done(
        world.supervisor.credentials_changed(
            "w", "app", revision=2, actor="ops", must_end_holder=True, reason=None
        )
    )
    assert result is not None and result.code == "not_ended"
    assert str(world.driver.processes[0].pid) in result.sentence
    assert slot.state is S.DEAD


# What is shown and served meanwhile ---------------------------------------------------------------


async def test_calls_are_taken_while_the_next_generation_is_prepared(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = await world.running(settings=BundleSettings(settle_s=0.1, drain_s=0.0))
    assert slot.incarnation is not None
    link = slot.incarnation.link = BusyLink()
    gate = gated_resolve(world, monkeypatch)
    respawn = respawning(world)
    await gate.is_reached.wait()
    assert slot.state is S.STARTING and world.supervisor.link("w", "app") is link
    gate.open()
    await world.until_done(_await(respawn))
    await world.supervisor.close()


async def _await(task: asyncio.Task[RespawnResult]) -> RespawnResult:
    return await task


async def test_a_generation_with_newer_credentials_than_announced_is_not_stale(
    world: World,
) -> None:
    slot = await world.slot()
    world.secrets.revision = 3  # written, and not announced yet
    await world.until_done(world.supervisor.start("w", "app", actor="ops"))
    assert slot.stale_in() == ()


async def test_a_protected_bundle_does_not_take_an_empty_reason(world: World) -> None:
    await world.running(settings=BundleSettings(settle_s=0.1, protected=True))
    result = await world.supervisor.respawn("w", "app", cause="operator", actor="ops", reason="")
    assert result.code == "protected"


async def test_servers_that_hang_in_their_start_hold_the_others_up_only_for_a_while() -> None:
    admission, never = Admission(1, place_s=0.01), asyncio.Event()
    async with admission.place(never), asyncio.timeout(30), admission.place(never):
        pass
    async with asyncio.timeout(30), admission.place(never):
        entering = asyncio.create_task(_enter(admission, never))
        await asyncio.sleep(0)
        entering.cancel()
        await asyncio.gather(entering, return_exceptions=True)
    assert admission._places._value == 1, "a place is given back once, and never twice"


async def _enter(admission: Admission, interrupted: asyncio.Event) -> None:
    async with admission.place(interrupted):
        await asyncio.Event().wait()


async def test_a_close_with_starts_waiting_and_backing_off_leaves_nothing(world: World) -> None:
    bad = await world.running("bad", settings=BundleSettings(settle_s=0))
    failed_before(world, bad)
    world.driver.alive[0].end(code=1)
    await world.until(lambda: bad.state is S.BACKING_OFF)
    others: list[BundleSlot] = [
        await world.slot(f"app-{number}", settings=HANGING) for number in range(8)
    ]
    for slot in others:
        world.supervisor.begin_start(slot, actor="ops")
    await world.until(lambda: len(world.driver.alive) == 4)
    async with asyncio.timeout(30):
        await world.supervisor.close()
    assert not world.driver.alive and is_at_rest(world)
    assert {slot.state for slot in world.supervisor.slots} == {S.STOPPED}
    late = await world.supervisor.respawn("w", "bad", cause="operator", actor="ops")
    assert not late.ok and not world.driver.alive
    assert all(slot.should_run for slot in others), "what should run is started at the next boot"


async def test_a_place_is_given_on_when_its_program_rests_and_not_while_it_works() -> None:
    admission, never = Admission(1), asyncio.Event()
    works = iter([False, True, False, True, True])
    looks = 0

    def is_at_rest() -> bool:
        nonlocal looks
        looks += 1
        return next(works)

    async with asyncio.timeout(30), admission.place(never) as first:
        first.give_on_at_rest(is_at_rest)
        async with admission.place(never):
            assert looks == 5, "the second of two rests in a row gives it on"
