"""A parked Node process becomes the next start's process, and is nobody's before."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.support.node_programs import OTHER_NODE_PROBES, copy_programs, node, package
from tests.support.processes import (
    Bench,
    is_alive,
    marked_pids,
    open_bench,
    open_descriptors,
    until,
)
from tests.support.real_starts import BOUND_S, RealStarts
from tests.support.snapshot_keys import DIGEST_KEY
from tests.support.templates import ended, holds_in_memory, line_of, pid_of

from roost.clock import SystemClock
from roost.drivers.base import DriverProcess, SpawnSpec
from roost.drivers.local import mark_text
from roost.drivers.process import LocalProcess
from roost.drivers.proctable import ProcessTable
from roost.errors import RestoreFailed, Unavailable
from roost.models import Launch, Reason, ResourceLimits
from roost.models.snapshot import SnapshotBackend
from roost.snapshots.backend import Built
from roost.snapshots.cold_start import ColdStart
from roost.snapshots.node_backend import NodeParts
from roost.snapshots.node_files import NodeFiles
from roost.snapshots.node_parked import ParkedNode
from roost.snapshots.node_runtime import NodeRuntimes
from roost.snapshots.node_standby import NodeStandby
from roost.snapshots.record import Attempt, RecordStore

pytestmark = pytest.mark.real

ENV = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": "/", "TOKEN": "s3cret-4711"}

STAYS = "process.stdin.resume();\n"


class Esbuild:
    """The bundler that other tests have installed."""

    async def directory(self, workspace: str, bundle: str) -> str:
        return str(package("esbuild") / "node_modules" / "esbuild")


@dataclass(frozen=True)
class Lab:
    """A driver and the backend that parks processes with it."""

    bench: Bench
    backend: NodeStandby

    async def build(self, start: ColdStart) -> Built | Attempt:
        starts = RealStarts(self.bench, start)
        return await self.backend.build(start, starts, starts, lambda phase: None)

    async def built(self, start: ColdStart) -> Built:
        """Build and end what the verification took."""
        found = await self.build(start)
        assert isinstance(found, Built), found
        assert found.template.is_spent, "the verification took it"
        await found.template.close()
        return found

    async def parked(self, built: Built, start: ColdStart) -> ParkedNode:
        template = await self.backend.open(built.made, start)
        assert isinstance(template, ParkedNode)
        return template

    def spec(self, start: ColdStart, *arguments: str, **env: str) -> SpawnSpec:
        spec = RealStarts(self.bench, start).spec()
        return replace(spec, argv=(*spec.argv, *arguments), env=spec.env | env)

    async def restored(self, parked: ParkedNode, spec: SpawnSpec) -> DriverProcess:
        process = await parked.restore(spec)
        await self.bench.driver.connect(process)
        return process

    async def plain(self, spec: SpawnSpec) -> DriverProcess:
        process = self.bench.driver.spawn(spec)
        await self.bench.driver.connect(process)
        return process


@asynccontextmanager
async def open_lab(place: Path) -> AsyncIterator[Lab]:
    node()
    package("esbuild")
    async with open_bench() as bench:
        parts = NodeParts(
            driver=bench.driver,
            data_id=bench.data_id,
            digest_key=DIGEST_KEY,
            clock=SystemClock(),
            files=NodeFiles(str(place / "snapshots")),
            records=RecordStore(str(place / "snapshots")),
            bundler=Esbuild(),
            runtimes=NodeRuntimes(),
        )
        yield Lab(bench, NodeStandby(parts, bench.driver))


def start_of(script: Path, *arguments: str, version: str = "", **env: str) -> ColdStart:
    """Return the cold start of a script that is spoken to on its standard input."""
    argv = (node(version), "--trace-warnings", str(script), *arguments)
    launch = Launch(argv, ENV | env, str(script.parent), tuple(env))
    return ColdStart("lab", "app", "1", launch, frozenset({"TOKEN"}), wants_stdin=True)


def program(place: Path, dependency: str, body: str, suffix: str = "cjs") -> Path:
    """Write a program that uses one package, and return it."""
    folder = place / "program" / "node_modules" / "dependency"
    folder.mkdir(parents=True)
    (folder / "package.json").write_text('{"name": "dependency", "version": "1.0.0"}')
    (folder / "index.js").write_text(dependency)
    (place / "program" / "package.json").write_text('{"name": "program"}')
    script = place / "program" / f"main.{suffix}"
    script.write_text(body)
    return script


async def quickly(process: DriverProcess) -> None:
    await process.stop(0, eof_first=False)


# What it is ------------------------------------------------------------------------------------

MORE_FACTS = """
facts.command = fs.readFileSync("/proc/self/cmdline", "latin1").replace(/\\0+$/, "");
facts.name = fs.readFileSync("/proc/self/comm", "latin1");
facts.limits = fs.readFileSync("/proc/self/limits", "latin1").match(/^Max (open|core).*/gm);
facts.umask = process.umask();
facts.parent = process.ppid;
facts.title = process.title;
facts.session = fs.readFileSync("/proc/self/stat", "latin1").split(") ")[1].split(" ")[3]
  === String(process.pid);
facts.named = Object.keys(process.env);
facts.ports = fs.readdirSync("/proc/self/fd")
  .map((fd) => { try { return fs.readlinkSync(`/proc/self/fd/${fd}`); } catch { return ""; } })
  .filter((name) => /socket|memfd|mem$/.test(name)).length;
console.log(process.argv[2] === "one" ? JSON.stringify(facts) : "ready");
process.stdin.resume();
"""


@pytest.mark.parametrize(
    ("version", "name"), [("", "probe.cjs"), ("", "probe.mjs"), *OTHER_NODE_PROBES]
)
async def test_a_handed_over_program_tells_the_same_of_itself_as_a_plain_one(
    tmp_path: Path, name: str, version: str
) -> None:
    script = copy_programs(tmp_path) / name
    before, _, _ = script.read_text().partition("  const draft" if "cjs" in name else "const draft")
    script.write_text(before + MORE_FACTS + ("})();" if "cjs" in name else ""))
    start = start_of(script, version=version, PROBE_CREDENTIAL="grüße", EMPTY="")
    limits = ResourceLimits(open_files=123, core_bytes=0)
    async with open_lab(tmp_path) as lab:
        made = await lab.built(start)
        assert made.made.backend is SnapshotBackend.STANDBY
        parked = await lab.parked(made, start)
        spec = replace(
            lab.spec(start, "one", "--two=3", "größer"), limits=limits, handed=b"a token"
        )
        plain, restored = await lab.plain(spec), await lab.restored(parked, spec)
        told, expected = [json.loads(await line_of(each)) for each in (restored, plain)]
        assert told == expected
        assert expected["argv"][2:] == ["one", "--two=3", "größer"]
        assert expected["credential"] == "grüße"
        for process in (plain, restored):
            await quickly(process)


SHOWS = """
const dependency = require("dependency");
const fs = require("fs");
const { env } = process;
const token = env.ROOST_TOKEN_FD ? fs.readFileSync(Number(env.ROOST_TOKEN_FD), "utf8") : null;
const order = [];
Promise.resolve().then(() => order.push("promise"));
process.nextTick(() => order.push("tick"));
setTimeout(() => {
  console.log(process.argv.length < 3 ? "ready" : JSON.stringify({
    early: dependency.argv, args: process.argv.slice(2), secret: env.TOKEN, token,
    set: env.SET_BY_PACKAGE, later: dependency.later(), server: typeof dependency.http.createServer,
    order, level: dependency.level,
  }));
  process.stdin.resume();
}, 1);
"""

LOADED = """
exports.argv = process.argv.length;
exports.http = require("http");
const { env } = process;
exports.level = env.LOG_LEVEL;
exports.later = () => [env.TOKEN === process.env.TOKEN, Object.keys(env).includes("TOKEN")];
process.emitWarning("is held until there is a log");
process.env.SET_BY_PACKAGE ??= "yes";
"""


async def test_packages_are_loaded_before_and_the_rest_is_of_the_moment(tmp_path: Path) -> None:
    start = start_of(program(tmp_path, LOADED, SHOWS), LOG_LEVEL="debug")
    async with open_lab(tmp_path) as lab:
        made = await lab.built(start)
        assert set(made.made.key.reads) == {"LOG_LEVEL", "SET_BY_PACKAGE"}
        parked, other = [await lab.parked(made, start) for _ in range(2)]
        secret = secrets.token_hex(20)
        for each in (parked, other):
            assert not holds_in_memory(pid_of(each), ENV["TOKEN"].encode())
            assert each.report.loaded == made.made.loaded == 2
        spec = replace(lab.spec(start, "one", "two", TOKEN=secret), handed=b"a token")
        process = await lab.restored(parked, spec)
        assert json.loads(await line_of(process)) == {
            "early": 2,
            "args": ["one", "two"],
            "secret": secret,
            "token": "a token",
            "set": "yes",
            "later": [True, True],
            "server": "function",
            "order": ["tick", "promise"],
            "level": "debug",
        }
        pid = pid_of(process)
        assert holds_in_memory(pid, secret.encode())
        assert secret.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
        assert not holds_in_memory(pid_of(other), secret.encode())
        entry = ProcessTable().read().entries[pid]
        assert (entry.ppid, entry.sid) == (os.getpid(), pid)
        assert ProcessTable().read().marks[pid] == mark_text(spec.mark)
        assert spec.mark.generation_id in process.handle
        async with asyncio.timeout(BOUND_S):
            assert b"is held until there is a log" in await process.stderr.readline()
        await other.close()
        await quickly(process)


ENDS = """
require("dependency");
process.on("exit", (status) => console.log("ends with", status));
const how = process.argv[2];
if (how === "throws") throw new TypeError("as it was asked");
if (how === "exits") process.exit(7);
if (how === "rejects") Promise.reject(new TypeError("as it was asked"));
if (how === undefined) console.log("ready") || process.stdin.resume();
"""

UNSETTLED = """
import "dependency";
if (process.argv[2] === "waits") await new Promise(() => {});
console.log("ready");
process.stdin.resume();
"""


@pytest.mark.parametrize(
    ("suffix", "body", "ways"),
    [("cjs", ENDS, ("throws", "exits", "rejects")), ("mjs", UNSETTLED, ("waits",))],
    ids=["script", "module"],
)
async def test_a_handed_over_program_ends_as_a_plain_one(
    tmp_path: Path, suffix: str, body: str, ways: tuple[str, ...]
) -> None:
    start = start_of(program(tmp_path, "", body, suffix))
    async with open_lab(tmp_path) as lab:
        made = await lab.built(start)
        for way in ways:
            parked, spec = await lab.parked(made, start), lab.spec(start, way)
            plain = await ended(await lab.plain(spec))
            told = await ended(await lab.restored(parked, spec))
            assert (told.out, told.exit) == (plain.out, plain.exit)
            assert ("as it was asked" in told.err) is ("as it was asked" in plain.err)


# What cannot wait ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dependency", "code", "told"),
    [
        ("exports.token = process.env.TOKEN;", "credential_read", "TOKEN"),
        ("exports.asks = 'TOKEN' in process.env;", "credential_read", "TOKEN"),
        ("const { env } = process; exports.all = { ...env };", "environ_copy", "whole"),
        ("setInterval(() => {}, 1000);", "not_captured", "Timeout"),
        ("require('net').createServer().listen(0);", "not_captured", "TCPServerWrap"),
        ("process.on('SIGHUP', () => {});", "not_captured", "SIGHUP"),
        ("console.error('hello from it');", "not_captured", "hello from it"),
    ],
    ids=["credential", "asks", "copy", "timer", "server", "signal", "output"],
)
async def test_what_packages_may_not_do_ahead_of_a_start_is_refused_by_its_name(
    tmp_path: Path, dependency: str, code: str, told: str
) -> None:
    body = f"require('dependency');\nconsole.log('ready');\n{STAYS}"
    start = start_of(program(tmp_path, dependency, body))
    async with open_lab(tmp_path) as lab:
        found = await lab.build(start)
        assert isinstance(found, Attempt)
        assert (str(found.state), found.reason.code) == ("refused", code)
        assert told in found.reason.sentence and "choose v8cache for app" in found.reason.sentence
        assert marked_pids(lab.bench.data_id) == ()
        assert list((tmp_path / "snapshots" / "lab" / "app").iterdir()) == []


async def test_a_package_that_fails_ends_the_build_with_what_it_said(tmp_path: Path) -> None:
    dependency = "if (process.argv.length < 3) throw new Error('no argument is there');"
    body = f"require('dependency');\nconsole.log('ready');\n{STAYS}"
    start = start_of(program(tmp_path, dependency, body), "one")
    async with open_lab(tmp_path) as lab:
        found = await lab.build(start)
        assert isinstance(found, Attempt)
        assert str(found.state) == "failed" and "no argument is there" in found.reason.sentence
        assert marked_pids(lab.bench.data_id) == ()


async def test_variables_that_packages_look_through_are_compared_at_each_start(
    tmp_path: Path,
) -> None:
    dependency = (
        "exports.found = Object.keys(process.env).filter((name) => name.startsWith('DEBUG'))"
        ".map((name) => process.env[name]).join();"
        "setTimeout(() => { exports.later = true; }, 20);"
    )
    body = f"const {{ found, later }} = require('dependency');\nconsole.log(found, later);\n{STAYS}"
    script = program(
        tmp_path,
        dependency,
        body.replace("later }", "...rest }").replace("found, later)", "found)"),
    )
    start = start_of(script, DEBUG_COLOURS="no", OTHER="1")

    async def changed(**env: str) -> str | None:
        launch = replace(start.launch, env=start.launch.env | env)
        reason = await lab.backend.change(made.made, replace(start, launch=launch))
        return None if reason is None else reason.sentence

    async with open_lab(tmp_path) as lab:
        made = await lab.built(start)
        assert set(made.made.key.reads) == {"DEBUG_COLOURS", "the names of all variables"}
        assert await changed() is None
        assert await changed(OTHER="2", TOKEN="another", ROOST_MARK="x") is None
        assert "DEBUG_COLOURS" in (await changed(DEBUG_COLOURS="yes") or "")
        assert "others are set" in (await changed(DEBUG_DEPTH="3") or "")
        parked = await lab.parked(made, start)
        with pytest.raises(RestoreFailed, match="DEBUG_COLOURS"):
            await parked.restore(lab.spec(start, DEBUG_COLOURS="yes"))
        process = await lab.restored(parked, lab.spec(start, OTHER="3"))
        assert await line_of(process) == "no"
        await quickly(process)


def test_a_credential_that_works_before_the_program_is_no_matter_for_a_process_that_waits(
    tmp_path: Path,
) -> None:
    async def ask() -> object:
        async with open_lab(tmp_path) as lab:
            start = start_of(program(tmp_path, "", ""), NODE_EXTRA_CA_CERTS="/s3cret/place")
            named = frozenset({"NODE_EXTRA_CA_CERTS"})
            return lab.backend.entry(replace(start, credentials=named))

    found = asyncio.run(ask())
    assert isinstance(found, Reason)
    assert found.code == "startup_credential" and "NODE_EXTRA_CA_CERTS" in found.sentence


# Whose it is, and faults -----------------------------------------------------------------------

SLEEPER = f"""
require("dependency");
const child = process.argv[2] === "child"
  ? require("child_process").spawn("/bin/sleep", ["1000"], {{ detached: true }}) : {{ pid: 0 }};
console.log("up", child.pid);
{STAYS}"""


@asynccontextmanager
async def sleeper(place: Path) -> AsyncIterator[tuple[Lab, Built, ColdStart]]:
    start = start_of(program(place, "", SLEEPER))
    async with open_lab(place) as lab:
        yield lab, await lab.built(start), start


async def test_it_serves_one_start_and_ends_with_that_and_what_it_has_started(
    tmp_path: Path,
) -> None:
    async with sleeper(tmp_path) as (lab, made, start):
        before = open_descriptors()
        parked = await lab.parked(made, start)
        starts = (parked.restore(lab.spec(start, "child")), parked.restore(lab.spec(start)))
        process, refused = await asyncio.gather(*starts, return_exceptions=True)
        assert isinstance(process, LocalProcess)
        assert isinstance(refused, RestoreFailed) and "handed over" in str(refused)
        assert parked.is_spent and await parked.wait_gone() == "it was handed over"
        await parked.close()
        await lab.bench.driver.connect(process)
        child = int((await line_of(process)).split()[1])
        assert process.exit is None and is_alive(child), "it is the start's now"
        report = await process.stop(1, eof_first=False)
        assert report.survivors == ()
        assert not is_alive(child) and lab.bench.left() == ()
        assert open_descriptors() == before


async def test_a_parked_process_that_is_closed_leaves_nothing_and_a_stopped_bundle_has_none(
    tmp_path: Path,
) -> None:
    async with sleeper(tmp_path) as (lab, made, start):
        before = open_descriptors()
        parked = await lab.parked(made, start)
        assert await parked.measure()
        assert marked_pids(lab.bench.data_id) == (pid_of(parked),)
        await parked.close()
        assert lab.bench.left() == () and open_descriptors() == before
        with pytest.raises(Unavailable, match="loaded when it runs"):
            await lab.backend.open(made.made, replace(start, should_run=False))
        assert marked_pids(lab.bench.data_id) == ()


@pytest.mark.parametrize(
    "fault", ["killed", "stuck", "cancelled", "written", "other script", "no directory"]
)
async def test_a_hand_over_that_fails_is_told_and_leaves_nothing(
    tmp_path: Path, fault: str
) -> None:
    async with sleeper(tmp_path) as (lab, made, start):
        before = open_descriptors()
        parked, spec = await lab.parked(made, start), lab.spec(start)
        match fault:
            case "killed":
                os.kill(pid_of(parked), signal.SIGKILL)
                async with asyncio.timeout(BOUND_S):
                    assert "SIGKILL" in await parked.wait_gone()
            case "stuck" | "cancelled":
                os.kill(pid_of(parked), signal.SIGSTOP)
            case "written":
                Path(f"/proc/{pid_of(parked)}/fd/1").write_bytes(b"by a thread\n")
            case "other script":
                spec = replace(spec, argv=(*spec.argv[:2], "/elsewhere.cjs"))
            case "no directory":
                spec = replace(spec, cwd=str(tmp_path / "none"))
        if fault == "written":
            await until(lambda: bool(parked.report.problems))
        begun = asyncio.ensure_future(parked.restore(spec))
        if fault == "cancelled":
            await until(lambda: parked.is_spent)
            begun.cancel()
        with pytest.raises(asyncio.CancelledError if fault == "cancelled" else RestoreFailed):
            await begun
        assert parked.is_spent is (fault == "cancelled"), "it was lost, not used"
        if fault != "other script":  # that one waits for a start that it can be
            async with asyncio.timeout(BOUND_S):
                assert await parked.wait_gone()
        await parked.close()
        assert lab.bench.left() == () and open_descriptors() == before
