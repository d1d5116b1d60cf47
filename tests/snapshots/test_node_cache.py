"""Node programs started with their compiled code, by a real daemon under a real Node."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.node_programs import (
    OTHER_NODE_PROBES,
    OTHER_NODES,
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
from tests.support.real_daemon import RealDaemon, holders, spellings, wait_for

from roost.models import BundleKind

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def daemon() -> Iterator[RealDaemon]:
    with node_daemon() as daemon:
        yield daemon


def server(name: str) -> str:
    return str(unpacked(name) / NODE_ENTRY.format(name))


@pytest.mark.parametrize("name", [pytest.param("everything", marks=pytest.mark.soak), "filesystem"])
def test_a_real_server_is_started_with_its_compiled_code_and_answers_as_before(
    daemon: RealDaemon, name: str, tmp_path: Path
) -> None:
    argument = {"everything": "stdio", "filesystem": str(tmp_path)}[name]
    install(daemon, name, node(), server(name), argument, kind=BundleKind.MCP_STDIO)
    cold = daemon.wire.get(f"{daemon.path(name)}/tools")
    built(daemon, name)
    view = look(daemon, name)
    assert (view["backend"], view["is_warm"], view["template_bytes"]) == ("v8cache", True, None)
    assert respawn(daemon, name) == "v8cache"
    assert cold
    assert daemon.wire.get(f"{daemon.path(name)}/tools") == cold
    assert look(daemon, name)["restored"]["count"] == 1


def test_a_program_that_npm_linked_is_prepared_too(daemon: RealDaemon) -> None:
    program = package("memory") / "node_modules" / ".bin" / "mcp-server-memory"
    install(daemon, "memory", str(program), kind=BundleKind.MCP_STDIO)
    built(daemon, "memory")
    assert respawn(daemon, "memory") == "v8cache"


@pytest.mark.parametrize(
    ("by", "name"),
    [
        ("node", "probe.cjs"),
        ("node", "probe.mjs"),
        ("link", "probe.cjs"),
        pytest.param("link", "probe.mjs", marks=pytest.mark.soak),
        *OTHER_NODE_PROBES,
    ],
)
def test_a_prepared_program_finds_itself_as_in_a_plain_start(
    daemon: RealDaemon, tmp_path: Path, name: str, by: str
) -> None:
    script = copy_programs(tmp_path) / name
    bundle = f"by-{by}-{name.replace('.', '-')}"
    version = by if by in OTHER_NODES else ""
    command = [node(version), "--no-warnings", "--max-old-space-size=300", str(script)]
    if by == "link":
        script.write_text("#!/usr/bin/env node\n" + script.read_text())
        script.chmod(0o755)
        link = tmp_path / "linked"
        link.symlink_to(script)
        command = [str(link)]
    env = {"OUT": str(tmp_path), "PROBE_CREDENTIAL": "first-of-all"}
    install(daemon, bundle, *command, "one", "--two=3", env=env)
    plain = told(tmp_path, daemon.pid_of(bundle))
    built(daemon, bundle)
    assert respawn(daemon, bundle) == "v8cache"
    assert told(tmp_path, daemon.pid_of(bundle)) == plain
    assert plain["argv"][2:] == ["one", "--two=3"]
    daemon.post(f"{daemon.path(bundle)}/stop")


def test_no_credential_is_in_what_is_kept_and_each_start_has_that_of_the_moment(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    script = copy_programs(tmp_path) / "probe.cjs"
    secret = f"s3cret-{secrets.token_hex(12)}"
    install(
        daemon,
        "keeper",
        node(),
        str(script),
        env={"OUT": str(tmp_path), "PROBE_CREDENTIAL": secret},
    )
    built(daemon, "keeper")
    kept = daemon.data_dir / "snapshots"
    assert [path for path, _ in holders(kept, {"code": b"probe_helper"})], "the search finds things"
    assert holders(kept, spellings(secret)) == []
    for directory in snapshot_files(daemon, "keeper"):
        assert secret.encode("utf-16-le") not in b"".join(
            path.read_bytes() for path in directory.iterdir()
        )
        assert directory.stat().st_mode & 0o077 == 0
    assert respawn(daemon, "keeper") == "v8cache"
    assert told(tmp_path, daemon.pid_of("keeper"))["credential"] == secret
    daemon.post(f"{daemon.path('keeper')}/stop")


def test_a_program_in_whose_files_a_credential_stands_is_refused(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    secret = f"s3cret-{secrets.token_hex(12)}"
    script = tmp_path / "careless.cjs"
    script.write_text(f"globalThis.token = '{secret}';\nsetInterval(() => {{}}, 1000);\n")
    install(daemon, "careless", node(), str(script), env={"TOKEN": secret})
    view = build(daemon, "careless")
    assert (view["state"], view["reason"]["code"]) == ("refused", "credential_kept")
    assert secret not in view["reason"]["sentence"]
    assert holders(daemon.data_dir / "snapshots", spellings(secret)) == []
    daemon.post(f"{daemon.path('careless')}/stop")


def test_code_that_v8_does_not_take_costs_time_only_and_is_made_again(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    script = copy_programs(tmp_path) / "probe.cjs"
    install(daemon, "foreign", node(), str(script), env={"OUT": str(tmp_path)})
    built(daemon, "foreign")
    (directory,) = snapshot_files(daemon, "foreign")
    _spoil(directory / "app.cache")
    assert respawn(daemon, "foreign") == "v8cache", "its file is as it was to the look"
    assert (directory / "rejected").exists()
    assert told(tmp_path, daemon.pid_of("foreign"))["isMain"]
    assert respawn(daemon, "foreign") == "cold"
    wait_for(
        lambda: look(daemon, "foreign"),
        lambda view: view["state"] == "ready" and view["reason"] is None,
    )
    assert respawn(daemon, "foreign") == "v8cache"
    (now,) = [each for each in snapshot_files(daemon, "foreign") if each != directory]
    assert not (now / "rejected").exists()
    daemon.post(f"{daemon.path('foreign')}/stop")


def _spoil(cache: Path) -> None:
    """Write what another V8 would have written, in place and at the same time."""
    found = cache.stat()
    with cache.open("r+b") as file:
        file.write(b"\0" * 16)
    os.utime(cache, ns=(found.st_atime_ns, found.st_mtime_ns))


def test_a_changed_file_and_a_missing_one_make_starts_cold_and_say_which(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    programs = copy_programs(tmp_path)
    helper = programs / "probe_helper.cjs"
    install(daemon, "edited", node(), str(programs / "probe.cjs"), env={"OUT": str(tmp_path)})
    built(daemon, "edited")
    helper.write_text(helper.read_text() + "\nexports.more = 1;\n")
    assert respawn(daemon, "edited") == "cold"
    view = look(daemon, "edited")
    assert view["state"] == "stale"
    assert str(helper) in view["reason"]["sentence"]
    built(daemon, "edited")
    assert respawn(daemon, "edited") == "v8cache"
    newest = max(snapshot_files(daemon, "edited"), key=lambda each: each.stat().st_mtime_ns)
    (newest / "app.js").unlink()
    assert respawn(daemon, "edited") == "cold"
    assert "app.js is gone" in look(daemon, "edited")["reason"]["sentence"]
    daemon.post(f"{daemon.path('edited')}/stop")


def test_a_program_that_answers_otherwise_each_time_is_not_published(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    program = tmp_path / "fickle.cjs"
    program.write_text(FICKLE)
    install(daemon, "fickle", node(), str(program), kind=BundleKind.MCP_STDIO)
    view = build(daemon, "fickle")
    assert (view["state"], view["reason"]["code"]) == ("failed", "answers_differ")
    assert snapshot_files(daemon, "fickle") == (), "nothing is left of it"
    assert respawn(daemon, "fickle") == "cold"


FICKLE = """
const lines = require("node:readline").createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const { id, method, params } = JSON.parse(line);
  const capabilities = { tools: {} };
  const serverInfo = { name: "fickle", version: "1" };
  const tool = { name: `tool-${process.pid}`, inputSchema: { type: "object" } };
  const results = {
    initialize: () => ({ protocolVersion: params.protocolVersion, capabilities, serverInfo }),
    "tools/list": () => ({ tools: [tool] }),
    ping: () => ({}),
  };
  if (id === undefined) return;
  const answer = results[method]
    ? { result: results[method]() }
    : { error: { code: -32601, message: "unknown" } };
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id, ...answer })}\\n`);
});
"""


def test_a_program_that_a_bundler_cannot_read_is_refused_with_the_place(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    program = tmp_path / "odd.cjs"
    (tmp_path / "broken.cjs").write_text("let let = ;\n")
    program.write_text(
        "if (process.env.NEVER) require('./broken.cjs');\nsetInterval(() => {}, 1e3)"
    )
    install(daemon, "odd", node(), str(program))
    view = build(daemon, "odd")
    assert (view["state"], view["reason"]["code"]) == ("refused", "not_bundled")
    assert "broken.cjs:1" in view["reason"]["sentence"]
    daemon.post(f"{daemon.path('odd')}/stop")


def test_the_files_of_a_removed_snapshot_are_gone(daemon: RealDaemon, tmp_path: Path) -> None:
    programs = copy_programs(tmp_path)
    install(daemon, "gone", node(), str(programs / "probe.cjs"), env={"OUT": str(tmp_path)})
    built(daemon, "gone")
    daemon.wire.send("DELETE", f"{daemon.path('gone')}/snapshot")
    assert not (daemon.data_dir / "snapshots" / "w" / "gone").exists()
    assert respawn(daemon, "gone") == "cold"
    daemon.post(f"{daemon.path('gone')}/stop")
