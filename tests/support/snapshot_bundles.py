"""Bundles with snapshots in a real daemon, and what their processes show."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support.real_daemon import (
    PYTHON,
    RealDaemon,
    command_lines,
    processes_with,
    wait_for,
)

from roost.models import BundleKind, BundleSettings, InstallRequest, SourceKind

QUICK = BundleSettings(start_budget_s=30, stop_grace_s=1, settle_s=0.05)


def install(
    daemon: RealDaemon,
    name: str,
    script: str,
    *arguments: str,
    kind: BundleKind = BundleKind.COMMAND,
    settings: BundleSettings = QUICK,
    workspace: str = "w",
    **changes: Any,
) -> None:
    """Install a script of the standard library."""
    request = InstallRequest(
        source=SourceKind.COMMAND,
        name=name,
        kind=kind,
        command=(PYTHON, "-S", script, *arguments),
        settings=settings,
        **changes,
    )
    daemon.install(request, workspace)


def write(folder: Path, name: str, text: str) -> str:
    """Write a program and return its path."""
    path = folder / name
    path.write_text(text)
    return str(path)


def build(daemon: RealDaemon, name: str, workspace: str = "w") -> dict[str, Any]:
    """Build a snapshot and return what came of it."""
    path = daemon.path(name, workspace)
    view: dict[str, Any] = daemon.wire.send("POST", f"{path}/snapshot/build")
    return view


def built(daemon: RealDaemon, name: str, workspace: str = "w") -> None:
    """Build a snapshot, which has to come out well."""
    view = build(daemon, name, workspace)
    assert (view["state"], view["is_warm"]) == ("ready", True), view["reason"]


def snapshot(daemon: RealDaemon, name: str, workspace: str = "w") -> dict[str, Any]:
    """Return a snapshot's row."""
    view: dict[str, Any] = snapshot_detail(daemon, name, workspace)["view"]
    return view


def snapshot_detail(daemon: RealDaemon, name: str, workspace: str = "w") -> dict[str, Any]:
    """Return everything about a snapshot."""
    found: dict[str, Any] = daemon.wire.get(f"{daemon.path(name, workspace)}/snapshot")
    return found


def warm(daemon: RealDaemon, name: str, workspace: str = "w") -> None:
    """Wait until there is a template."""
    wait_for(lambda: snapshot(daemon, name, workspace), lambda view: view["is_warm"])


def mode(daemon: RealDaemon, name: str, workspace: str = "w") -> str:
    """Return how what runs was started."""
    return str(daemon.until(name, "running", workspace)["generation"]["start_mode"])


def respawn(daemon: RealDaemon, name: str, workspace: str = "w") -> str:
    """Respawn, which has to work, and return how that was done."""
    result = daemon.post(f"{daemon.path(name, workspace)}/respawn")
    assert result["ok"], result["sentence"]
    return mode(daemon, name, workspace)


def change(daemon: RealDaemon, name: str, body: bytes) -> None:
    """Change settings."""
    daemon.wire.send("PATCH", f"{daemon.path(name)}/settings", body)


def template_of(daemon: RealDaemon, name: str, workspace: str = "w") -> int:
    """Return the pid of a bundle's only template."""
    [found] = [pid for pid in templates(daemon) if named(pid) == f"{workspace}/{name}"]
    return found


def templates(daemon: RealDaemon) -> list[int]:
    """Return the pids of a daemon's living templates: of its own children."""
    return [pid for pid in processes_with("template-") if parent(pid) == daemon.pid]


def launchers(data_id: str) -> list[int]:
    """Return every living process that runs the launcher, of a data directory."""
    marked = set(processes_with(f"ROOST_MARK={data_id}/"))
    return [pid for pid, line in command_lines() if pid in marked and b"launcher\0" in line]


def data_id_of(pid: int) -> str:
    """Return the data directory's identity, as a process of it shows it."""
    mark = next(part for part in environ(pid).split("\0") if part.startswith("ROOST_MARK="))
    return mark.removeprefix("ROOST_MARK=").partition("/")[0]


def parent(pid: int) -> int:
    """Return the pid of a process's parent; 0 for one that is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[1])


def zombies_of(pid: int) -> list[int]:
    """Return the ended children that a process has not reaped."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with suppress(OSError):
            if Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                found.append(int(child))
    return found


def environ(pid: int) -> str:
    """Return the environment that others can read."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def named(pid: int) -> str:
    """Return the workspace and the bundle that a process tells."""
    told = dict(part.partition("=")[::2] for part in environ(pid).split("\0"))
    return f"{told.get('ROOST_WORKSPACE')}/{told.get('ROOST_BUNDLE')}"


def memory(pid: int) -> bytes:
    """Return everything readable that a process of this user has in memory."""
    found = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            span, access = line.split()[:2]
            start, end = (int(number, 16) for number in span.split("-"))
            if not access.startswith("r") or "[v" in line:
                continue
            with suppress(OSError, OverflowError):
                mem.seek(start)
                found.append(mem.read(end - start))
    return b"".join(found)


def descriptors(pid: int) -> int:
    """Return how many descriptors a process has, but the database's: its pool grows to a bound."""
    count = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            count += "roost.db" not in str(entry.readlink())
    return count


def threads(pid: int) -> int:
    """Return how many threads a process has."""
    return len(os.listdir(f"/proc/{pid}/task"))


def kill(pid: int) -> None:
    """Kill a process that may be gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


MCP = '''
import json
import os
import sys


def serve(tools, before=lambda: None, **said):
    before()
    for line in sys.stdin:
        request = json.loads(line)
        method, result = request.get("method"), {}
        if "id" not in request:
            continue
        if method == "initialize":
            result = {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "tiny", "version": "1"},
                **said,
            }
        elif method == "tools/list":
            named = [{"name": name, "inputSchema": {"type": "object"}} for name in sorted(tools)]
            result = {"tools": named}
        elif method == "tools/call":
            params = request["params"]
            told = tools[params["name"]](params.get("arguments") or {})
            result = {"content": [{"type": "text", "text": told}], "isError": False}
        print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}), flush=True)


def is_restored():
    """Say whether this is a copy of a template, as no program could be expected to ask."""
    with open(f"/proc/{os.getppid()}/cmdline") as file:
        return "launcher" in file.read() and not sys.orig_argv[1:2] == ["launcher"]
'''
"""A module on which small servers are built."""
