"""Node programs restored from V8's startup snapshots, by a real daemon under a real Node."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.support.node_programs import (
    OTHER_NODE_PROBES,
    QUICK,
    build,
    built,
    copy_programs,
    install,
    look,
    node,
    node_daemon,
    package,
    respawn,
    snapshot_files,
    told,
)
from tests.support.packed_servers import NODE_ENTRY, unpacked
from tests.support.real_daemon import (
    BOUND_S,
    RealDaemon,
    command_lines,
    holders,
    roost,
    spellings,
    wait_for,
)

from roost.errors import RoostError
from roost.models import BundleKind

pytestmark = pytest.mark.real

HOOKS = (
    "require('v8').startupSnapshot.setDeserializeMainFunction(() => setInterval(() => {}, 1e3));"
)


@pytest.fixture(scope="module")
def daemon() -> Iterator[RealDaemon]:
    with node_daemon() as daemon:
        yield daemon


def choose(daemon: RealDaemon, name: str, how: str = "v8snap") -> None:
    body = f'{{"snapshot_how": "{how}"}}'.encode()
    daemon.wire.send("PATCH", f"{daemon.path(name)}/settings", body)


@pytest.mark.parametrize(
    "name", ["everything", pytest.param("filesystem", marks=pytest.mark.soak), "memory"]
)
def test_a_real_server_is_restored_from_a_heap_and_answers_as_before(
    daemon: RealDaemon, name: str, tmp_path: Path
) -> None:
    if name == "memory":
        script = package(name) / NODE_ENTRY.format(name)
    else:
        script = unpacked(name) / NODE_ENTRY.format(name)
    argument = {"everything": ["stdio"], "filesystem": [str(tmp_path)]}.get(name, [])
    install(daemon, name, node(), str(script), *argument, kind=BundleKind.MCP_STDIO)
    cold = daemon.wire.get(f"{daemon.path(name)}/tools")
    choose(daemon, name)
    built(daemon, name)
    assert look(daemon, name)["backend"] == "v8snap"
    assert respawn(daemon, name) == "v8snap"
    assert cold
    assert daemon.wire.get(f"{daemon.path(name)}/tools") == cold
    daemon.post(f"{daemon.path(name)}/stop")


@pytest.mark.parametrize(
    ("version", "name"), [("", "probe.cjs"), ("", "probe.mjs"), *OTHER_NODE_PROBES]
)
def test_a_restored_program_finds_itself_as_in_a_plain_start(
    daemon: RealDaemon, tmp_path: Path, name: str, version: str
) -> None:
    script = copy_programs(tmp_path) / name
    # A name that is made up when it runs has no loader behind `import()`, and frames of errors name
    # the script that the snapshot was made from.
    text = script.read_text().replace('(await import("./probe_" + "late.mjs")).where', "1")
    frames = 'new Error("here").stack.split("\\n")[1].includes(__filename)'
    script.write_text(text.replace(frames, "1"))
    bundle = f"node{version}-{name.replace('.', '-')}"
    secret = f"s3cret-{secrets.token_hex(12)}"
    env = {"OUT": str(tmp_path), "PROBE_CREDENTIAL": secret}
    command = (
        node(version),
        "--no-warnings",
        "--max-old-space-size=300",
        str(script),
        "one",
        "--two=3",
    )
    install(daemon, bundle, *command, env=env)
    plain = told(tmp_path, daemon.pid_of(bundle))
    choose(daemon, bundle)
    built(daemon, bundle)
    assert respawn(daemon, bundle) == "v8snap"
    assert told(tmp_path, daemon.pid_of(bundle)) == plain
    assert plain["credential"] == secret
    kept = daemon.data_dir / "snapshots" / "w" / bundle
    assert holders(kept, spellings(secret)) == []
    (directory,) = snapshot_files(daemon, bundle)
    assert [path.name for path in directory.iterdir()] == ["app.blob"]
    assert secret.encode("utf-16-le") not in (directory / "app.blob").read_bytes()
    daemon.post(f"{daemon.path(bundle)}/stop")


OWN_HOOKS = """
const fs = require("node:fs");
const { startupSnapshot } = require("node:v8");
const seen = { built: startupSnapshot.isBuildingSnapshot(), kept: false };
startupSnapshot.addSerializeCallback(() => { seen.kept = true; });
startupSnapshot.addDeserializeCallback((data) => { seen.data = data; }, 42);
startupSnapshot.setDeserializeMainFunction(() => {
  const http = typeof require("node:http").createServer;
  const told = { ...seen, argv: process.argv.slice(1), credential: process.env.CREDENTIAL, http };
  fs.writeFileSync(`${process.env.OUT}/draft`, JSON.stringify(told));
  fs.renameSync(`${process.env.OUT}/draft`, `${process.env.OUT}/${process.pid}.json`);
  setInterval(() => {}, 1000);
});
"""

PLAIN_TOO = """
const { startupSnapshot } = require("node:v8");
if (!startupSnapshot.isBuildingSnapshot()) setInterval(() => {}, 1000);
else {
"""


def test_a_program_with_snapshot_hooks_of_its_own_has_them_called(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    script = tmp_path / "own.cjs"
    script.write_text(f"{PLAIN_TOO}{{{OWN_HOOKS}}}\n}}\n")
    env = {"OUT": str(tmp_path), "CREDENTIAL": "of-the-moment-4711"}
    install(daemon, "own", node(), str(script), "one", env=env)
    choose(daemon, "own")
    built(daemon, "own")
    assert respawn(daemon, "own") == "v8snap"
    facts = told(tmp_path, daemon.pid_of("own"))
    assert (facts["built"], facts["kept"], facts["data"]) == (True, True, 42)
    assert facts["argv"] == [str(script), "one"]
    assert (facts["credential"], facts["http"]) == ("of-the-moment-4711", "function")
    daemon.post(f"{daemon.path('own')}/stop")


@pytest.mark.parametrize(
    ("what", "code", "proof"),
    [
        ("http", "require('http');", ("after it had loaded http", "ended with ")),
        ("tls", "require('tls');", ("after it had loaded tls", "SIGTRAP")),
        ("timer", "setInterval(() => {}, 1e3);", ("a timer, a server or a watcher",)),
        ("listener", "require('net').createServer().listen(0);", ("a timer, a server",)),
        (
            "wasm",
            "new WebAssembly.Module(Buffer.from('0061736d01000000', 'hex'));",
            (
                "exit 1",
                "WebAssembly is not defined",
            ),
        ),
        (
            "channel",
            "globalThis.kept = new MessageChannel();",
            ("SIGTRAP", "CheckGlobalAndEternalHandles"),
        ),
        (
            "signal",
            "process.on('SIGTERM', () => process.exit());",
            ("SIGTRAP", "CheckGlobalAndEternalHandles"),
        ),
    ],
)
def test_what_v8_cannot_capture_is_refused_with_the_proof(
    daemon: RealDaemon, tmp_path: Path, what: str, code: str, proof: tuple[str, ...]
) -> None:
    script = tmp_path / f"{what}.cjs"
    script.write_text(f"setTimeout(() => {{}}, 0);\n{PLAIN_TOO}{code}{HOOKS}\n}}\n")
    install(daemon, what, node(), str(script))
    choose(daemon, what)
    view = build(daemon, what)
    assert (view["state"], view["reason"]["code"]) == ("refused", "not_captured")
    for part in (*proof, "choose v8cache"):
        assert part in view["reason"]["sentence"]
    assert snapshot_files(daemon, what) == (), "nothing is left of it"
    assert respawn(daemon, what) == "cold"
    daemon.post(f"{daemon.path(what)}/stop")


def test_a_build_that_is_ended_leaves_no_file_and_no_process(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    script = tmp_path / "ended.cjs"
    script.write_text(f"setTimeout(() => {{}}, 0);\n{PLAIN_TOO}setInterval(() => {{}}, 9);\n}}\n")
    install(daemon, "ended", node(), str(script))
    choose(daemon, "ended")
    place = str(daemon.data_dir / "snapshots" / "w" / "ended").encode()

    def builders() -> list[int]:
        lines = command_lines()
        return [pid for pid, line in lines if b"--build-snapshot" in line and place in line]

    with ThreadPoolExecutor(1) as pool:
        building = pool.submit(build, daemon, "ended")
        wait_for(builders, bool)
        daemon.wire.send("DELETE", f"{daemon.path('ended')}/snapshot")
        with pytest.raises(RoostError, match="ended"):
            building.result(BOUND_S)
    wait_for(builders, lambda left: not left)
    assert not Path(os.fsdecode(place)).exists()
    assert respawn(daemon, "ended") == "cold"
    daemon.post(f"{daemon.path('ended')}/stop")


def package_of(place: Path, text: str) -> Path:
    """Make a program that uses one package, and return it."""
    home = place / "program"
    folder = home / "node_modules" / "dependency"
    folder.mkdir(parents=True)
    (folder / "package.json").write_text('{"name": "dependency", "version": "1.0.0"}')
    (folder / "index.js").write_text(text)
    (home / "package.json").write_text('{"name": "program", "version": "1.0.0"}')
    script = home / "main.js"
    script.write_text("require('dependency');\nsetInterval(() => {}, 1000);\n")
    return script


def test_a_package_that_reads_a_credential_is_refused_by_the_name_of_the_variable(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    script = package_of(tmp_path, "exports.token = process.env.SERVICE_TOKEN;")
    install(daemon, "reader", node(), str(script), env={"SERVICE_TOKEN": "tok-1234567890abcdef"})
    choose(daemon, "reader")
    view = build(daemon, "reader")
    assert (view["state"], view["reason"]["code"]) == ("refused", "credential_read")
    assert "SERVICE_TOKEN" in view["reason"]["sentence"]
    daemon.post(f"{daemon.path('reader')}/stop")


def test_another_value_of_a_variable_that_a_package_read_makes_a_start_cold(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    script = package_of(tmp_path, "exports.level = process.env.LOG_LEVEL;")
    install(daemon, "level", node(), str(script), env={"LOG_LEVEL": "debug"})
    choose(daemon, "level")
    built(daemon, "level")
    assert respawn(daemon, "level") == "v8snap"
    detail = daemon.wire.get(f"{daemon.path('level')}/snapshot")
    assert "LOG_LEVEL" in detail["environment"]
    daemon.set("level", LOG_LEVEL="info")
    assert respawn(daemon, "level") == "cold"
    assert "LOG_LEVEL" in look(daemon, "level")["reason"]["sentence"]
    daemon.post(f"{daemon.path('level')}/stop")


def test_another_choice_makes_the_snapshot_stale_and_the_command_line_chooses_and_builds(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    script = package_of(tmp_path, "exports.nothing = 1;")
    install(daemon, "chosen", node(), str(script), settings=QUICK)
    built(daemon, "chosen")
    assert respawn(daemon, "chosen") == "v8cache"
    choose(daemon, "chosen")
    assert respawn(daemon, "chosen") == "cold"
    view = look(daemon, "chosen")
    assert (view["state"], view["reason"]["code"]) == ("stale", "how")
    done = roost(daemon.data_dir, "snapshot", "build", "chosen", "--how", "default")
    assert done.returncode == 0, done.stderr
    assert respawn(daemon, "chosen") == "v8cache"
    done = roost(daemon.data_dir, "set", "chosen", "--snapshot-how", "v8snap")
    assert done.returncode == 0, done.stderr
    assert daemon.detail("chosen")["definition"]["settings"]["snapshot_how"] == "v8snap"
    daemon.post(f"{daemon.path('chosen')}/stop")
