"""A respawn through the API against the bare cost of starting the same server.

The floor is what nothing can undercut: fork and exec the same argument vector, send `initialize`,
read the first line, kill, and reap.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.daemon import running_daemon
from benchmarks.pairs import Pairs, measure
from roost.client.wire import Wire
from roost.demo.provision import APPS
from roost.models import BundleKind, InstallRequest, SourceKind, codec

MINI = Path(__file__).parent.parent / "tests" / "support" / "programs" / "mini_mcp.py"
BEACON = APPS / "beacon" / "server" / "beacon.py"

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "floor", "version": "1"},
    },
}


def run() -> Iterator[Pairs]:
    """Yield the comparison for a small server and for one on the official SDK."""
    with running_daemon() as (_, wire):
        for name, program in (("mini", MINI), ("beacon", BEACON)):
            argv = (sys.executable, str(program))
            _install(wire, name, argv)
            yield measure(
                f"respawn of {name} / fork, exec, first line",
                lambda name=name: _respawn(wire, name),  # type: ignore[misc]
                lambda argv=argv: _floor(argv),  # type: ignore[misc]
            )


def _install(wire: Wire, name: str, argv: tuple[str, ...]) -> None:
    request = InstallRequest(
        source=SourceKind.COMMAND, name=name, kind=BundleKind.MCP_STDIO, command=argv
    )
    wire.send("POST", "/v1/workspaces/bench/bundles", codec.to_json(request))
    _respawn(wire, name)


def _respawn(wire: Wire, name: str) -> None:
    result = wire.send("POST", f"/v1/workspaces/bench/bundles/{name}/respawn", b"{}")
    if not result["ok"]:
        raise SystemExit(result["sentence"])


def _floor(argv: tuple[str, ...]) -> None:
    process = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdin is not None and process.stdout is not None
    with process:
        process.stdin.write(json.dumps(INITIALIZE).encode() + b"\n")
        process.stdin.flush()
        if not process.stdout.readline():
            raise SystemExit("the floor's server did not answer")
        process.kill()
