"""A credential is in the processes that get it, and nowhere else that snapshots come past."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from tests.integration.test_secrets import captured_events, leaks
from tests.support.real_daemon import (
    RealDaemon,
    command_lines,
    holders,
    processes_with,
    real_daemon,
    roost,
    spellings,
)
from tests.support.snapshot_bundles import (
    MCP,
    build,
    built,
    install,
    memory,
    respawn,
    snapshot_detail,
    template_of,
    write,
)

from roost.errors import RoostError
from roost.models import BundleKind

pytestmark = pytest.mark.real

READER = """
import os

KEY = os.environ.get("API_KEY")
"""

APP = """
import json
import os
import sys

import tiny

try:
    import reader
except ImportError:
    reader = None

if __name__ == "__main__":
    key = os.environ["API_KEY"]
    print("begins with", key, file=sys.stderr, flush=True)
    if os.path.exists({mood!r}):
        print("token=" + key[:9], end="", file=sys.stderr, flush=True)
        print(key[9:], "was refused", file=sys.stderr, flush=True)
        sys.exit("no entry for " + key)
    if tiny.is_restored() and os.path.exists({mood!r} + "-restored"):
        sys.exit("no copy for " + key)
    tools = {{"say": lambda _: key}}
    if tiny.is_restored() and os.path.exists({mood!r} + "-tools"):
        tools[key] = lambda _: key
    tiny.serve(tools)
"""


def answers(daemon: RealDaemon, name: str) -> bytes:
    """Return what is told of a bundle by every way that snapshots go."""
    paths = ("", "/snapshot", "/log?limit=1000&after=0", "/credentials")
    told = [daemon.wire.get_raw(daemon.path(name) + path) for path in paths]
    told.append(daemon.wire.get_raw("/v1/snapshots"))
    for verb in (("snapshot", "show", name), ("snapshot", "list"), ("why", name)):
        done = roost(daemon.data_dir, *verb)
        told.append((done.stdout + done.stderr).encode())
    return b"".join(told)


def test_a_credential_is_nowhere_after_builds_restores_verifications_and_failures(
    tmp_path: Path,
) -> None:
    key = 'é"+/& ' + secrets.token_hex(20)
    needles = spellings(key)
    mood = tmp_path / "mood"
    write(tmp_path, "tiny.py", MCP)
    write(tmp_path, "reader.py", READER)
    script = write(tmp_path, "app.py", APP.format(mood=str(mood)))
    told = []
    with real_daemon() as daemon, captured_events(daemon) as events:
        install(daemon, "keeper", script, kind=BundleKind.MCP_STDIO, env={"API_KEY": key})
        daemon.until("keeper", "running")
        built(daemon, "keeper")
        [found] = snapshot_detail(daemon, "keeper")["findings"]
        assert (found["guard"], found["module"]) == ("credential_read", "reader")
        assert respawn(daemon, "keeper") == "zygote"
        assert daemon.call("keeper", "say") == "[secret]"
        assert daemon.post(f"{daemon.path('keeper')}/snapshot/verify")["state"] == "ready"
        told.append(answers(daemon, "keeper"))
        template, restored = template_of(daemon, "keeper"), daemon.pid_of("keeper")
        assert needles["raw"] in memory(restored), "the search itself works"
        assert leaks(needles, memory(template)) == []
        for ending in ("", "-restored", "-tools"):
            flag = Path(f"{mood}{ending}")
            flag.touch()
            try:
                told.append(str(build(daemon, "keeper")).encode())
            except RoostError as error:
                assert error.code == "snapshot_failed"
                told.append(f"{error} {error.details}".encode())
            told.append(answers(daemon, "keeper"))
            assert leaks(needles, memory(template_of(daemon, "keeper"))) == []
            flag.unlink()
        Path(f"{mood}-tools").touch()
        try:
            told.append(str(daemon.post(f"{daemon.path('keeper')}/snapshot/verify")).encode())
        except RoostError as error:
            told.append(f"{error} {error.details}".encode())
        told.append(answers(daemon, "keeper"))
        assert b"no entry for [secret]" in b"".join(told)
        assert b"no copy for [secret]" in b"".join(told)
        assert b"answers_differ" in b"".join(told)
        assert leaks(needles, b"".join(told)) == []
        assert processes_with(key) == []
        assert [pid for pid, line in command_lines() if leaks(needles, line)] == []
        logs = daemon.data_dir / "snapshot-logs"
        assert any(b"[secret]" in path.read_bytes() for path in logs.rglob("*") if path.is_file())
        daemon.stop()
        assert leaks(needles, bytes(events)) == []
        assert holders(daemon.data_dir, needles) == []
