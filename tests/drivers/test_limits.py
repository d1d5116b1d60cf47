"""Limits of started programs: from their first instruction, and with nothing else changed."""

import json
import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.processes import Bench, open_bench, spec

from roost.drivers.base import SpawnSpec
from roost.drivers.limits import limited_argv
from roost.errors import BadInput, CommandNotFound
from roost.models import ResourceLimits

SHOW = """
import json, os, resource, sys
status = open("/proc/self/status").read().splitlines()
print(json.dumps({
    "limits": {name: resource.getrlimit(getattr(resource, "RLIMIT_" + name))
               for name in ("NOFILE", "AS", "NPROC", "CORE")},
    "signals": [line for line in status if line.startswith(("SigIgn", "SigBlk"))],
    "environment": sorted(name for name in os.environ),
    "locale": os.environ.get("LC_CTYPE"),
    "session": os.getsid(0) == os.getpid(),
    "files": sorted(os.listdir("/proc/self/fd")),
    "argv": sys.argv[1:],
}))
"""

ASK = (sys.executable, "-S", "-c", SHOW, "one", "two words")


async def shown(bench: Bench, limits: ResourceLimits, **env: str) -> dict[str, object]:
    """Start the program that tells how it was started."""
    told = spec(ASK, data_id=bench.data_id)
    process = bench.driver.spawn(
        SpawnSpec(ASK, told.env | env, "/", told.mark, wants_stdin=True, limits=limits)
    )
    await bench.driver.connect(process)
    answer: dict[str, object] = json.loads(await process.stdout.readline())
    await process.stop(1, eof_first=False)
    return answer


async def test_a_limited_program_is_started_like_any_other_but_for_its_limits() -> None:
    limits = ResourceLimits(open_files=64, memory_bytes=1 << 31, processes=500, core_bytes=0)
    async with open_bench() as bench:
        free = await shown(bench, ResourceLimits(), LC_ALL="C")
        limited = await shown(bench, limits, LC_ALL="C")
    assert limited.pop("limits") == {
        "NOFILE": [64, 64],
        "AS": [1 << 31, 1 << 31],
        "NPROC": [500, 500],
        "CORE": [0, 0],
    }
    free.pop("limits")
    assert limited == free and limited["session"] is True


@pytest.mark.parametrize("given", [{}, {"LC_CTYPE": "C"}])
async def test_what_the_launcher_does_to_its_own_locale_does_not_reach_the_program(
    given: dict[str, str],
) -> None:
    argv = ("/bin/sh", "-c", 'echo "${LC_CTYPE-none}"')
    async with open_bench() as bench:
        told = spec(argv, data_id=bench.data_id)
        limits = ResourceLimits(open_files=64)
        process = bench.driver.spawn(
            SpawnSpec(argv, told.env | given, "/", told.mark, limits=limits)
        )
        await bench.driver.connect(process)
        assert (await process.stdout.readline()).decode().strip() == given.get("LC_CTYPE", "none")
        await process.stop(1, eof_first=False)


@pytest.mark.parametrize("limits", [ResourceLimits(), ResourceLimits(open_files=64)])
async def test_no_signal_is_ignored_that_the_daemon_ignores(limits: ResourceLimits) -> None:
    argv = ("/bin/grep", "SigIgn", "/proc/self/status")
    async with open_bench() as bench:
        told = spec(argv, data_id=bench.data_id)
        process = bench.driver.spawn(SpawnSpec(argv, told.env, "/", told.mark, limits=limits))
        await bench.driver.connect(process)
        ignored = int((await process.stdout.readline()).split()[1], 16)
        assert not ignored & 1 << (signal.SIGPIPE - 1)
        await process.stop(1, eof_first=False)


@pytest.fixture
def cores_allowed() -> Iterator[tuple[int, int]]:
    """Allow this process cores as large as it may, as a careless parent would."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    allowed = (before[1], before[1])
    resource.setrlimit(resource.RLIMIT_CORE, allowed)
    yield allowed
    resource.setrlimit(resource.RLIMIT_CORE, before)


async def test_a_program_without_limits_leaves_no_core_and_keeps_the_rest_of_the_daemons(
    cores_allowed: tuple[int, int],
) -> None:
    before = cores_allowed
    async with open_bench() as bench:
        limits = (await shown(bench, ResourceLimits()))["limits"]
        assert isinstance(limits, dict)
        assert limits["CORE"] == [0, before[1]]
        assert limits["NOFILE"] == list(resource.getrlimit(resource.RLIMIT_NOFILE))
    assert resource.getrlimit(resource.RLIMIT_CORE) == before, "closed, it is as it was"


async def test_a_limited_program_that_does_not_exist_is_refused_like_any_other() -> None:
    async with open_bench() as bench:
        told = spec(("/no/such/program",), data_id=bench.data_id)
        with pytest.raises(CommandNotFound):
            bench.driver.spawn(
                SpawnSpec(told.argv, told.env, "/", told.mark, limits=ResourceLimits(open_files=64))
            )


async def test_what_cannot_be_executed_within_its_limits_says_so_with_its_last_words(
    tmp_path: Path,
) -> None:
    async with open_bench() as bench:
        broken = tmp_path / "broken"
        broken.write_bytes(b"\x7fnonsense")
        broken.chmod(0o700)
        told = spec((str(broken),), data_id=bench.data_id)
        limits = ResourceLimits(open_files=64)
        process = bench.driver.spawn(SpawnSpec(told.argv, told.env, "/", told.mark, limits=limits))
        await bench.driver.connect(process)
        said = (await process.stderr.readline()).decode()
        assert f"'{broken}' cannot be started within its limits" in said
        assert str(await process.wait()) == "exit 126"
        await process.stop(1, eof_first=False)


def test_a_limit_above_what_the_daemon_may_set_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (512, 1024))
    told = spec(("/bin/sh",), data_id="x")
    limits = ResourceLimits(open_files=4096)
    with pytest.raises(BadInput, match="open_files 4096: this daemon may set 1024"):
        limited_argv(SpawnSpec(told.argv, told.env, "/", told.mark, limits=limits))


def test_a_program_without_limits_is_started_by_its_own_command() -> None:
    told = spec(("/bin/sh", "-c", "true"), data_id="x")
    assert limited_argv(told) == told.argv
