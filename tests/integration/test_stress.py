"""Everything at once, in bounded random rounds: small in every run, at full size in the soak."""

import asyncio
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.support.owned_daemon import OwnedDaemon, owned_daemon
from tests.support.real_daemon import RealDaemon, processes_with, wait_for
from tests.support.supervised import FakeProcess, World

from roost.errors import NotRunning, RoostError
from roost.models import (
    BundleKind,
    BundleSettings,
    InstallRequest,
    RespawnResult,
    RespawnStrategy,
    SlotState,
    SourceKind,
)

SOAK = (pytest.mark.soak, pytest.mark.timeout(900))

SEED = 20261120
"""The rounds are random and the same in every run; timing still differs."""

ACTIVE = ("pending", "running")


# Respawns on fake processes -----------------------------------------------------------------------


@pytest.mark.parametrize(("keys", "respawns"), [(20, 200), pytest.param(50, 1000, marks=SOAK)])
async def test_respawns_good_and_bad_over_many_keys_leave_nothing(
    tmp_path: Path, keys: int, respawns: int
) -> None:
    draw, world = random.Random(SEED), World(tmp_path)
    names = [f"app-{number}" for number in range(keys)]
    for number, name in enumerate(names):
        await _bring_up_one(world, name, is_handed_over=bool(number % 2))
    files, threads = _own_descriptors(), set(threading.enumerate())
    world.driver.on_spawn = lambda process: _end_now_and_then(process, draw)
    most_alive: Counter[str] = Counter()
    crowd = [asyncio.create_task(_operate(world, names, 10, draw)) for _ in range(respawns // 10)]
    while not all(operator.done() for operator in crowd):
        await world.tick(0.05)
        most_alive |= Counter(process.spec.mark.bundle for process in world.driver.alive)
        if draw.random() < 0.3 and world.driver.alive:
            draw.choice(world.driver.alive).end(signal=9)
    for operator in crowd:
        operator.result()
    assert len(world.driver.processes) > respawns / 3, "many of them were starts of their own"
    assert max(most_alive[name] for name in names[::2]) == 1, "never two that are replaced"
    assert max(most_alive[name] for name in names[1::2]) == 2, "at most two in a handover"
    async with asyncio.timeout(30):
        while world.supervisor.busy:
            await world.tick(0.05)
        _check_truth(world)
        await world.supervisor.close()
    assert not world.driver.alive and not world.store.generations.generations
    assert all(process.stops for process in world.driver.processes), "each has been freed"
    assert len(world.supervisor._locks) == 0 and not world.supervisor.busy
    assert not any(slot.interrupted.is_set() for slot in world.supervisor.slots)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert set(threading.enumerate()) <= threads
    assert world.clock.sleepers == 0 and _own_descriptors() <= files - keys


async def _bring_up_one(world: World, name: str, *, is_handed_over: bool) -> None:
    if is_handed_over:
        settings = BundleSettings(settle_s=0.0, strategy=RespawnStrategy.HANDOVER)
        await world.running(name, settings=settings, kind=BundleKind.MCP_STDIO)
    else:
        await world.running(name, settings=BundleSettings(settle_s=0.0))


async def _operate(world: World, names: list[str], times: int, draw: random.Random) -> None:
    """Respawn one after the other; now and then go away before the answer."""
    for _ in range(times):
        name = draw.choice(names)
        call = asyncio.create_task(
            world.supervisor.respawn(
                "w",
                name,
                cause="operator",
                actor="ops",
                # Now and then one that everything under way has to give up for.
                must_end_old=draw.random() < 0.1,
            )
        )
        for _ in range(draw.randint(0, 5)):
            await asyncio.sleep(0)
        if draw.random() < 0.2:
            call.cancel()
        with suppress(asyncio.CancelledError):
            answer = await call
            assert isinstance(answer, RespawnResult) and answer.sentence


def _end_now_and_then(process: FakeProcess, draw: random.Random) -> None:
    if draw.random() < 0.3:
        process.end(code=draw.randint(0, 9))


def _check_truth(world: World) -> None:
    """What the slots say is what the driver has."""
    alive = {process.spec.mark.bundle for process in world.driver.alive}
    assert {slot.name for slot in world.supervisor.slots if slot.is_alive} == alive
    for slot in world.supervisor.slots:
        assert slot.state in (SlotState.RUNNING, SlotState.DEAD, SlotState.BACKING_OFF)


def _own_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


# Everything on a real daemon ----------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.parametrize(("bundles", "acts"), [(4, 60), pytest.param(10, 800, marks=SOAK)])
def test_respawns_credentials_calls_and_kills_at_once_end_in_one_process_each(
    bundles: int, acts: int
) -> None:
    with owned_daemon() as owned:
        names = [f"app-{number}" for number in range(bundles)]
        daemon, crowd = owned.operator, Crowd(owned.operator)
        for number, name in enumerate(names):
            strategy = tuple(RespawnStrategy)[number % 2]
            settings = BundleSettings(start_budget_s=60, stop_grace_s=1, strategy=strategy)
            daemon.install_mini(name, env={"API_KEY": "first-value"}, settings=settings)
            daemon.until(name, "running")
        mark = daemon_mark(daemon, names[0])
        others = set(processes_with(mark)) - {daemon.pid_of(name) for name in names}
        files = owned.descriptors()
        draw = random.Random(SEED)
        deeds = [crowd.respawn, crowd.write, crowd.call, crowd.hang, crowd.kill]
        with ThreadPoolExecutor(8) as threads:
            plan = [(draw.choice(deeds), draw.choice(names)) for _ in range(acts)]
            for done in [threads.submit(deed, name) for deed, name in plan]:
                done.result()
        for name in names:
            result = daemon.post(f"{daemon.path(name)}/respawn")
            assert result["ok"], result["sentence"]
            assert daemon.view(name)["stale"] == []
            _assert_one_open_generation(daemon, name)
        pids = {daemon.pid_of(name) for name in names}
        wait_for(lambda: set(processes_with(mark)) - others, pids.__eq__)
        wait_for(lambda: active_runs(daemon), lambda runs: not runs)
        wait_for(lambda: daemon.wire.get("/v1/status")["orphans"], lambda count: count == 0)
        wait_for(owned.descriptors, lambda count: count <= files)
        assert {tuple(e.items()) for e in crowd.odd_errors} == set()


class Crowd:
    """Operators who do not wait for each other."""

    def __init__(self, daemon: RealDaemon) -> None:
        self._daemon = daemon
        self._data_dir = str(daemon.data_dir)
        self._written = 0
        self.odd_errors: list[dict[str, str]] = []

    def respawn(self, name: str) -> None:
        result = self._daemon.post(f"{self._daemon.path(name)}/respawn")
        if not result["ok"] and result["code"] not in ("exited", "crashed"):  # it was killed
            self.odd_errors.append({"respawn": result["sentence"]})

    def write(self, name: str) -> None:
        self._written += 1
        self._daemon.set(name, API_KEY=f"value-number-{self._written}")

    def call(self, name: str) -> None:
        self._run(name, "slow", steps=3)

    def hang(self, name: str) -> None:
        with suppress(NotRunning):
            run = self._daemon.begin(name, "hang")
            self._daemon.post(f"/v1/workspaces/w/runs/{run}/stop")

    def kill(self, name: str) -> None:
        generation = self._daemon.view(name)["generation"]
        if generation and _is_child_of(generation["pid"], self._daemon.pid):
            with suppress(ProcessLookupError):
                os.kill(generation["pid"], signal.SIGKILL)

    def _run(self, name: str, tool: str, **arguments: object) -> None:
        try:
            run = self._daemon.settled(self._daemon.begin(name, tool, **arguments))["run"]
        except NotRunning:
            return
        except RoostError as error:
            self.odd_errors.append({"call": error.message})
            return
        code = run["error"]["code"] if run["error"] else None
        if run["status"] != "succeeded" and code not in ("lost", "restarting", "not_running"):
            self.odd_errors.append({"run": str(run["error"])})


def _is_child_of(pid: int, parent: int) -> bool:
    with suppress(OSError):
        stat = Path(f"/proc/{pid}/stat").read_text()
        return int(stat.rpartition(")")[2].split()[1]) == parent
    return False


def _assert_one_open_generation(daemon: RealDaemon, name: str) -> None:
    generations = daemon.detail(name)["generations"]
    assert sum(generation["ended_at"] is None for generation in generations) == 1, name


def daemon_mark(daemon: RealDaemon, name: str) -> str:
    """Return what the environment of every process of this data directory holds."""
    environ = Path(f"/proc/{daemon.pid_of(name)}/environ").read_bytes().split(b"\0")
    mark = next(entry for entry in environ if entry.startswith(b"ROOST_MARK="))
    return mark.decode().partition("/")[0]


def active_runs(daemon: RealDaemon) -> list[dict[str, Any]]:
    runs = daemon.wire.get("/v1/runs", limit=10_000)
    return [run for run in runs if run["status"] in ACTIVE]


# Daemons that are killed --------------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.parametrize("rounds", [3, pytest.param(25, marks=SOAK)])
def test_after_every_kill_9_of_the_daemon_the_next_one_finds_order(rounds: int) -> None:
    draw = random.Random(SEED)
    foreign = _start_foreign_process()
    try:
        with owned_daemon() as owned:
            _install_servers_and_a_stubborn_tree(owned.operator)
            mark = daemon_mark(owned.operator, "server")
            for _ in range(rounds):
                runs = _begin_calls(owned.operator)
                _kill_amid_work(owned, draw)
                owned.start_again()
                _assert_order(owned.operator, mark, runs)
                assert foreign.poll() is None, "a process of somebody else was ended"
    finally:
        foreign.kill()
        foreign.wait()


def _start_foreign_process() -> subprocess.Popen[bytes]:
    """It looks like a child of some daemon, and belongs to another data directory."""
    names = {"ROOST_MARK": "somebody-else/gen", "ROOST_WORKSPACE": "w", "ROOST_BUNDLE": "server"}
    return subprocess.Popen(["/bin/sleep", "1000"], env=os.environ | names, start_new_session=True)


def _install_servers_and_a_stubborn_tree(daemon: RealDaemon) -> None:
    handover = BundleSettings(stop_grace_s=1, strategy=RespawnStrategy.HANDOVER)
    daemon.install_mini("server", settings=handover)
    daemon.install_mini("deaf", "--deaf")
    tree = "trap '' TERM; (setsid sleep 1000 &); sleep 1000 & wait; sleep 1000"
    settings = BundleSettings(settle_s=0.1, stop_grace_s=0.3)
    request = InstallRequest(
        source=SourceKind.COMMAND,
        name="tree",
        kind=BundleKind.COMMAND,
        command=("/bin/sh", "-c", tree),
        settings=settings,
    )
    daemon.install(request)
    for name in ("server", "deaf", "tree"):
        daemon.until(name, "running")


def _begin_calls(daemon: RealDaemon) -> list[str]:
    daemon.until("server", "running")
    return [daemon.begin("server", "hang") for _ in range(5)]


def _kill_amid_work(owned: OwnedDaemon, draw: random.Random) -> None:
    """Kill it at a random moment of a respawn, now and then with its watchdog."""
    daemon = owned.operator
    watchdog = _watchdog_of(daemon.pid)
    with ThreadPoolExecutor(2) as threads:
        for name in ("server", "tree"):
            threads.submit(_ignoring_errors, daemon.post, f"{daemon.path(name)}/respawn")
        time.sleep(draw.uniform(0.0, 0.4))
        if draw.random() < 0.5:
            os.kill(watchdog, signal.SIGKILL)
        owned.process.kill()
        owned.process.wait()


def _watchdog_of(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    [found] = [int(child) for child in children if _is_watchdog(child)]
    return found


def _is_watchdog(pid: str) -> bool:
    with suppress(OSError):  # it has just ended
        return b"roost.drivers.watchdog" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def _ignoring_errors(work: Callable[[str], object], argument: str) -> None:
    with suppress(RoostError, OSError):
        work(argument)


def _assert_order(daemon: RealDaemon, mark: str, runs: list[str]) -> None:
    assert daemon.wire.get("/v1/status")["orphans"] == 0
    assert active_runs(daemon) == [], "nobody works on them any more"
    assert all(daemon.run(run)["run"]["status"] == "aborted" for run in runs)
    names = ("server", "deaf", "tree")
    leaders = {daemon.pid_of(name) for name in names}
    marked = wait_for(lambda: processes_with(mark), lambda pids: len(pids) >= 5)
    wait_for(lambda: {_session(pid) for pid in processes_with(mark)} - leaders, _is_one_session)
    assert leaders <= set(marked)
    assert daemon.wire.get("/v1/status")["orphans"] == 0
    for name in names:
        _assert_one_open_generation(daemon, name)


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def _is_one_session(left: set[int]) -> bool:
    """The tree's escaped child has a session of its own; nothing else is beside the leaders."""
    return len(left) <= 1
