"""What the tour asks of the demo's daemon, and how it waits and compares."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from roost.client.wire import Wire
from roost.demo.provision import ACME
from roost.errors import RoostError
from roost.models import codec

START_BOUND_S = 60.0
"""Bound for a server of ours to become ready on a busy machine."""

POLL_S = 0.05


class TourFailed(Exception):
    """Something was not as it should be; the text says what."""


def check(condition: object, otherwise: str) -> None:
    """Fail the tour unless the condition holds."""
    if not condition:
        raise TourFailed(otherwise)


class Visitor:
    """An operator's questions and actions, over the socket."""

    wire: Wire
    """Reaches the daemon."""

    def path(self, workspace: str, name: str) -> str:
        """Return the path of a bundle."""
        return f"/v1/workspaces/{workspace}/bundles/{name}"

    def bundle(self, workspace: str, name: str) -> dict[str, Any]:
        """Return a bundle's row."""
        view: dict[str, Any] = self.wire.get(self.path(workspace, name))["view"]
        return view

    def generation(self, workspace: str, name: str) -> dict[str, Any]:
        """Return the generation of a bundle that must be running."""
        view = self.bundle(workspace, name)
        check(view["state"] == "running", f"{name} is {view['state']}: {view['reason']}")
        generation: dict[str, Any] = view["generation"]
        return generation

    def write_key(self, value: str) -> dict[str, Any]:
        """Write beacon's credential."""
        body = codec.to_json({"set": {"api_key": value}, "clear": []})
        outcome: dict[str, Any] = self.wire.send(
            "PATCH", f"{self.path(ACME, 'beacon')}/credentials", body
        )
        return outcome

    def check_key(self, value: str) -> None:
        """Check that beacon's process holds this credential."""
        answer = self.answer(ACME, "beacon", "identity", {})
        told = answer["structuredContent"]
        fingerprint = hashlib.sha256(value.encode()).hexdigest()[:16]
        check(told["key_fingerprint"] == fingerprint, "the server holds another key")
        pid = self.generation(ACME, "beacon")["pid"]
        check(told["pid"] == pid, f"pid {told['pid']} answered, {pid} is shown")

    def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Begin a call of beacon's and return its run."""
        body = codec.to_json({"tool": tool, "arguments": arguments})
        run: dict[str, Any] = self.wire.send("POST", f"{self.path(ACME, 'beacon')}/calls", body)
        return run

    def answer(self, workspace: str, name: str, tool: str, arguments: dict[str, Any]) -> Any:
        """Call a tool and return its result."""
        body = codec.to_json({"tool": tool, "arguments": arguments})
        run = self.wire.send("POST", f"{self.path(workspace, name)}/calls", body)
        detail = self.until_settled(run["id"], workspace)
        check(detail["run"]["status"] == "succeeded", f"{tool}: {detail['run']['error']}")
        return detail["result"]

    def refused(self, code: str, method: str, path: str, body: Any) -> None:
        """Check that a request is refused with this code."""
        try:
            self.wire.send(method, path, codec.to_json(body))
        except RoostError as error:
            check(error.code == code, f"refused with {error.code}: {error}")
            return
        raise TourFailed(f"{method} {path} was accepted")

    def until(
        self, workspace: str, name: str, holds: Callable[[dict[str, Any]], bool], bound_s: float
    ) -> dict[str, Any]:
        """Wait until something holds of a bundle's row, for `bound_s` seconds at most."""
        deadline = time.monotonic() + bound_s
        while True:
            view = self.bundle(workspace, name)
            if holds(view):
                return view
            told = f"{name} is {view['state']} {view['step'] or ''}: {view['reason']}"
            check(view["state"] != "dead", told)
            check(time.monotonic() < deadline, told)
            time.sleep(POLL_S)

    def until_run(
        self, run_id: str, holds: Callable[[dict[str, Any]], bool], workspace: str = ACME
    ) -> dict[str, Any]:
        """Wait until something holds of a run."""
        deadline = time.monotonic() + START_BOUND_S
        while True:
            detail: dict[str, Any] = self.wire.get(f"/v1/workspaces/{workspace}/runs/{run_id}")
            if holds(detail):
                return detail
            check(time.monotonic() < deadline, f"run {run_id} is {detail['run']}")
            time.sleep(POLL_S)

    def until_settled(self, run_id: str, workspace: str = ACME) -> dict[str, Any]:
        """Wait until a run is over."""
        active = ("pending", "running")
        return self.until_run(run_id, lambda d: d["run"]["status"] not in active, workspace)

    def log(self, workspace: str, name: str) -> list[str]:
        """Return the newest lines that a bundle's present generation wrote."""
        page = self.wire.get(f"{self.path(workspace, name)}/log", limit=200)
        return [line["text"] for line in page["lines"]]

    def until_log(self, text: str) -> None:
        """Wait until beacon has written something."""
        wait_until(
            lambda: any(text in line for line in self.log(ACME, "beacon")),
            START_BOUND_S,
            f"the log never said {text!r}",
        )


def in_state(state: str) -> Callable[[dict[str, Any]], bool]:
    """Return what says whether a row is in a state."""
    return lambda view: bool(view["state"] == state)


def wait_until(holds: Callable[[], bool], bound_s: float, otherwise: str) -> None:
    """Look until it holds; fail the tour after `bound_s` seconds."""
    deadline = time.monotonic() + bound_s
    while not holds():
        check(time.monotonic() < deadline, otherwise)
        time.sleep(POLL_S)


def is_alive(pid: int) -> bool:
    """Say whether a process runs; a zombie does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] == "Z"
