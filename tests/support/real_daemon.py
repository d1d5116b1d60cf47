"""A real daemon in a directory of its own, and an operator's view of it."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support.warm_daemons import warm_daemon

from roost.client.discovery import ensure_daemon, find_daemon, stop_daemon
from roost.client.wire import Wire
from roost.errors import RoostError
from roost.models import BundleKind, BundleSettings, InstallRequest, SourceKind, codec
from roost.settings.locations import log_path

MINI = Path(__file__).parent / "programs" / "mini_mcp.py"

BOUND_S = 60.0
POLL_S = 0.02
POLL_GROWTH = 1.2
LONGEST_POLL_S = 0.2
"""What is waited for longer is looked at less often: every look costs the daemon its time."""

START_BOUND_S = 60.0
"""For the start of a daemon, on a machine that is busy with other tests."""

PYTHON = getattr(sys, "_base_executable", sys.executable)
"""The interpreter itself: children that need no packages start faster without the environment."""


class RealDaemon:
    """One daemon and what tests ask it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        start_warm(data_dir)
        self.wire = Wire(ensure_daemon(str(data_dir), START_BOUND_S))
        self.pid: int = self.wire.get("/v1/status")["pid"]

    def workspace(self, workspace: str) -> None:
        """Create a workspace."""
        self.post("/v1/workspaces", {"id": workspace, "label": workspace})

    def install_mini(
        self,
        name: str,
        *options: str,
        workspace: str = "w",
        env: dict[str, str] | None = None,
        settings: BundleSettings | None = None,
        start: bool = True,
    ) -> None:
        """Install the small MCP server with some manners."""
        request = InstallRequest(
            source=SourceKind.COMMAND,
            name=name,
            kind=BundleKind.MCP_STDIO,
            command=(PYTHON, "-S", str(MINI), *options),
            env=env or {},
            settings=settings or BundleSettings(start_budget_s=BOUND_S, stop_grace_s=1),
            start=start,
        )
        self.install(request, workspace)

    def install(self, request: InstallRequest, workspace: str = "w") -> None:
        """Install anything."""
        self.wire.send("POST", f"/v1/workspaces/{workspace}/bundles", codec.to_json(request))

    def post(self, path: str, body: object = None) -> Any:
        """Send a POST."""
        return self.wire.send("POST", path, codec.to_json(body if body is not None else {}))

    def path(self, name: str, workspace: str = "w") -> str:
        """Return the path of a bundle."""
        return f"/v1/workspaces/{workspace}/bundles/{name}"

    def detail(self, name: str, workspace: str = "w") -> dict[str, Any]:
        """Return everything about a bundle."""
        found: dict[str, Any] = self.wire.get(self.path(name, workspace))
        return found

    def view(self, name: str, workspace: str = "w") -> dict[str, Any]:
        """Return a bundle's row."""
        view: dict[str, Any] = self.detail(name, workspace)["view"]
        return view

    def until(
        self,
        name: str,
        holds: Callable[[dict[str, Any]], object] | str,
        workspace: str = "w",
    ) -> dict[str, Any]:
        """Wait for a state, or for whatever holds, within a bound."""
        wanted = holds
        check = (lambda view: view["state"] == wanted) if isinstance(wanted, str) else wanted
        seen: dict[str, Any] = wait_for(lambda: self.view(name, workspace), check)
        return seen

    def pid_of(self, name: str, workspace: str = "w") -> int:
        """Return the pid of a running bundle."""
        return int(self.until(name, "running", workspace)["generation"]["pid"])

    def set(self, name: str, workspace: str = "w", /, **values: object) -> Any:
        """Write credentials."""
        body = codec.to_json({"set": values, "clear": []})
        return self.wire.send("PATCH", f"{self.path(name, workspace)}/credentials", body)

    def begin(self, name: str, tool: str, workspace: str = "w", /, **arguments: object) -> str:
        """Begin a call and return its run's id."""
        body = {"tool": tool, "arguments": arguments}
        run = self.post(f"{self.path(name, workspace)}/calls", body)
        return str(run["id"])

    def run(self, run_id: str, workspace: str = "w") -> dict[str, Any]:
        """Return a run."""
        detail: dict[str, Any] = self.wire.get(f"/v1/workspaces/{workspace}/runs/{run_id}")
        return detail

    def settled(self, run_id: str, workspace: str = "w") -> dict[str, Any]:
        """Wait until a run has settled."""
        detail: dict[str, Any] = wait_for(
            lambda: self.run(run_id, workspace),
            lambda detail: detail["run"]["status"] not in ("pending", "running"),
        )
        return detail

    def call(self, name: str, tool: str, workspace: str = "w", /, **arguments: object) -> str:
        """Call a tool and return its text."""
        detail = self.settled(self.begin(name, tool, workspace, **arguments), workspace)
        assert detail["run"]["status"] == "succeeded", detail["run"]["error"]
        return str(detail["result"]["content"][0]["text"])

    def log(self, name: str, workspace: str = "w", **query: object) -> list[str]:
        """Return the newest lines of a bundle's log."""
        page = self.wire.get(f"{self.path(name, workspace)}/log", limit=1000, **query)
        return [line["text"] for line in page["lines"]]

    def kill(self) -> None:
        """Kill with -9 and wait until the last thread of it, and so its socket, is gone."""
        os.kill(self.pid, signal.SIGKILL)
        wait_for(self.wire.is_listening, lambda is_listening: not is_listening)
        wait_for(lambda: is_alive(self.pid), lambda alive: not alive)

    def stop(self) -> None:
        """Shut down in order."""
        with suppress(RoostError):
            assert stop_daemon(str(self.data_dir)), f"the daemon did not stop: {self._traces()}"

    def _traces(self) -> str:
        log = (self.data_dir / "daemon.log").read_text(errors="replace")[-2000:]
        status = Path(f"/proc/{self.pid}/status")
        return f"{status.read_text()[:200] if status.exists() else 'gone'}\n{log}"


def start_warm(data_dir: Path) -> None:
    """Start a daemon behind its imports; what is not to be started so is left to a real start."""
    place = os.path.realpath(data_dir)
    if find_daemon(place):
        return
    os.makedirs(place, mode=0o700, exist_ok=True)
    daemon = warm_daemon(Path(place), Path(log_path(place)))
    if daemon is not None:
        wait_for(
            lambda: find_daemon(place) or daemon.poll() is not None, bool, bound_s=START_BOUND_S
        )
        daemon.close()


@contextmanager
def real_daemon(*workspaces: str) -> Iterator[RealDaemon]:
    """Give a daemon with these workspaces, ``w`` if none is named, and end it with all it has."""
    data_dir = Path(tempfile.mkdtemp(prefix="roost-", dir="/tmp"))
    daemon = RealDaemon(data_dir)
    try:
        for workspace in workspaces or ("w",):
            daemon.workspace(workspace)
        yield daemon
    finally:
        daemon.stop()
        shutil.rmtree(data_dir, ignore_errors=True)


def wait_for(
    look: Callable[[], Any], holds: Callable[[Any], object], bound_s: float = BOUND_S
) -> Any:
    """Look until it holds and return what was seen; fail with the last look at the bound."""
    deadline, pause_s = time.monotonic() + bound_s, POLL_S
    while not holds(seen := look()):
        assert time.monotonic() < deadline, f"still {seen}"
        time.sleep(pause_s)
        pause_s = min(pause_s * POLL_GROWTH, LONGEST_POLL_S)
    return seen


def is_alive(pid: int) -> bool:
    """Say whether a process runs; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def processes_with(text: str) -> list[int]:
    """Return the pids of live processes whose environment holds a text."""
    needle, found = text.encode(), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if needle in (entry / "environ").read_bytes() and is_alive(int(entry.name)):
                    found.append(int(entry.name))
    return found


def spellings(secret: str) -> dict[str, bytes]:
    """Return how a secret may stand somewhere: raw, JSON, URL and base64 at three alignments."""
    raw = secret.encode()
    found = {
        "raw": raw,
        "json": json.dumps(secret)[1:-1].encode(),
        "url": urllib.parse.quote(secret, safe="").encode(),
        "url-plus": urllib.parse.quote_plus(secret, safe="").encode(),
    }
    for shift in range(3):
        whole = base64.b64encode(b"x" * shift + raw)
        first = -(-shift * 4 // 3)
        found[f"base64-{shift}"] = whole[first : (len(raw) + shift) // 3 * 4]
    return found


def holders(root: Path, needles: dict[str, bytes]) -> list[tuple[str, str]]:
    """Return which files below a directory hold which spelling."""
    return [
        (str(path.relative_to(root)), name)
        for path in _files(root)
        for name, needle in needles.items()
        if needle in _content(path)
    ]


def _files(root: Path) -> Iterator[Path]:
    """Yield the files below a directory in which a daemon may be at work."""
    for folder, _, names in os.walk(root):
        paths = (Path(folder, name) for name in names)
        yield from (path for path in paths if path.is_file() and not path.is_symlink())


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # the daemon has just deleted it
        return b""


def command_lines() -> list[tuple[int, bytes]]:
    """Return the argument vectors of all processes."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                found.append((int(entry.name), (entry / "cmdline").read_bytes()))
    return found


def roost(data_dir: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("roost")), "--data-dir", str(data_dir), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=BOUND_S * 2,
        env=os.environ | {"NO_COLOR": "1"},
        check=False,
    )
