"""The tour: what an operator does in the demo, done through the socket and checked step by step.

Every step asserts what it claims against the real processes: pids, values, rows. It prints one line
a step with its time, and the exit status says whether everything was as it should be.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from roost.client.discovery import ensure_daemon, find_daemon
from roost.client.wire import Wire
from roost.demo.provision import ACME, LAB, demo_bundles, demo_repo, install, make_repo
from roost.errors import RoostError
from roost.models import codec

START_BOUND_S = 60.0
"""Bound for a server of ours to become ready on a busy machine."""

PREPARE_BOUND_S = 600.0
"""Bound for installing a server from the package index on a slow line."""

POLL_S = 0.05


class TourFailed(Exception):
    """Something was not as it should be; the text says what."""


def check(condition: object, otherwise: str) -> None:
    """Fail the tour unless the condition holds."""
    if not condition:
        raise TourFailed(otherwise)


def run_tour(*, keep: bool = False) -> int:
    """Walk the tour on a fresh data directory; returns the exit status.

    Args:
        keep: leave the data directory for a look afterwards.
    """
    data_dir = Path(tempfile.mkdtemp(prefix="roost-tour-"))
    tour = _Tour(data_dir)
    try:
        tour.walk()
    except (TourFailed, RoostError, OSError) as error:
        print(f"FAILED  {tour.step}: {error}")
        return 1
    finally:
        tour.end()
        if keep:
            print(f"data kept in {data_dir}")
        else:
            shutil.rmtree(data_dir, ignore_errors=True)
    print(f"ok      {tour.count} steps in {time.monotonic() - tour.began:.1f} s")
    return 0


class _Tour:
    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.began = time.monotonic()
        self.step = "start"
        self.count = 0
        self.key = secrets.token_hex(24)
        self.wire: Wire
        self._daemon_pid = 0

    @contextmanager
    def _step(self, text: str) -> Iterator[None]:
        self.step = text
        began = time.monotonic()
        yield
        self.count += 1
        print(f"ok {time.monotonic() - began:7.2f} s  {text}", flush=True)

    def walk(self) -> None:
        """Every step in order."""
        self._start()
        self._install()
        self._set_credential()
        self._rotate_credential()
        self._refuse_bad_input()
        self._long_call()
        self._stop_call()
        self._respawn()
        self._crash()
        self._logs()
        self._stop_and_start()
        self._real_servers()
        self._no_secret_on_disk()
        self._down()

    # Steps -------------------------------------------------------------------------------------

    def _start(self) -> None:
        with self._step("the daemon starts in the background and answers"):
            self.wire = Wire(ensure_daemon(str(self.data_dir)))
            status = self.wire.get("/v1/status")
            self._daemon_pid = status["pid"]
            check(_is_alive(status["pid"]), "the daemon's pid is not alive")
            check(status["orphans"] == 0, "a fresh daemon reports orphans")

    def _install(self) -> None:
        with self._step(
            "two workspaces, four bundles; time and git are prepared in the background"
        ):
            make_repo(demo_repo(self.data_dir))
            for workspace in (ACME, LAB):
                body = codec.to_json({"id": workspace, "label": workspace})
                self.wire.send("POST", "/v1/workspaces", body)
            for bundle in demo_bundles(self.data_dir):
                install(self.wire, bundle)
            names = {(b["workspace"], b["name"]) for b in self.wire.get("/v1/bundles")}
            wanted = {(ACME, "beacon"), (ACME, "flaky"), (LAB, "time"), (LAB, "git")}
            check(names == wanted, f"installed {sorted(names)}")

    def _set_credential(self) -> None:
        with self._step("beacon asks for its credential; set, it runs with exactly that one"):
            view = self._until(ACME, "beacon", _in_state("needs_credentials"), START_BOUND_S)
            check(view["missing_fields"] == ["api_key"], f"missing: {view['missing_fields']}")
            outcome = self._write_key(self.key)
            check(outcome["revision"] == 1, "the first write is not revision 1")
            check(outcome["respawn"]["ok"], outcome["respawn"]["sentence"])
            self._check_key(self.key)

    def _rotate_credential(self) -> None:
        with self._step("a new credential: next generation, new pid, old pid gone, value arrived"):
            before = self._generation(ACME, "beacon")
            self.key = secrets.token_hex(24)
            outcome = self._write_key(self.key)
            check(outcome["respawn"]["ok"], outcome["respawn"]["sentence"])
            after = self._generation(ACME, "beacon")
            check(after["number"] > before["number"], "no new generation")
            check(after["credential_revision"] == 2, "not at revision 2")
            check(not _is_alive(before["pid"]), f"old pid {before['pid']} is alive")
            check(_is_alive(after["pid"]), f"new pid {after['pid']} is not alive")
            self._check_key(self.key)

    def _refuse_bad_input(self) -> None:
        with self._step("bad input is refused with a code and changes nothing"):
            before = self._bundle(ACME, "beacon"), len(self.wire.get("/v1/runs"))
            path = self._path(ACME, "beacon")
            bad = {"set": {"nonsense": "x"}, "clear": []}
            self._refused("bad_fields", "PATCH", f"{path}/credentials", bad)
            wrong = {"set": {"limit": "many"}, "clear": []}
            self._refused("bad_fields", "PATCH", f"{path}/credentials", wrong)
            call = {"tool": "scan", "arguments": {"sectors": "all"}}
            self._refused("bad_arguments", "POST", f"{path}/calls", call)
            call = {"tool": "fly", "arguments": {}}
            self._refused("tool_not_found", "POST", f"{path}/calls", call)
            gone = {"source": "command", "name": "ghost", "command": ["no-such-program-here"]}
            self._refused("command_not_found", "POST", f"/v1/workspaces/{ACME}/bundles", gone)
            after = self._bundle(ACME, "beacon"), len(self.wire.get("/v1/runs"))
            for key in ("credential_revision", "generation", "state"):
                check(before[0][key] == after[0][key], f"{key} changed")
            check(before[1] == after[1], "a refused call left a run")

    def _long_call(self) -> None:
        with self._step("a long call: a run whose steps are stored in order, and its result"):
            run = self._call("scan", {"sectors": 12, "seconds_per_sector": 0.05})
            done = self._until_settled(run["id"])
            check(done["run"]["status"] == "succeeded", f"run {done['run']['status']}")
            check(done["run"]["step_count"] == 12, f"{done['run']['step_count']} steps")
            numbers = [event["seq"] for event in done["events"]]
            check(numbers == list(range(1, len(numbers) + 1)), f"sequence {numbers}")
            steps = [e["current"] for e in done["events"] if e["kind"] == "step"]
            check(steps == sorted(steps), f"steps out of order: {steps}")

    def _stop_call(self) -> None:
        with self._step("stop ends a run as aborted; the server saw the cancellation and lives on"):
            before = self._generation(ACME, "beacon")
            run = self._call("scan", {"sectors": 400, "seconds_per_sector": 0.05})
            self._until_run(run["id"], lambda detail: detail["run"]["step_count"] >= 3)
            path = f"/v1/workspaces/{ACME}/runs/{run['id']}/stop"
            outcome = self.wire.send("POST", path, b"{}")
            check(outcome["stopped"], outcome["sentence"])
            check(outcome["run"]["status"] == "aborted", f"run {outcome['run']['status']}")
            check(outcome["run"]["stop_requested_at"], "no stop stamp")
            again = self.wire.send("POST", path, b"{}")
            check(not again["stopped"], "a settled run was stopped again")
            self._until_log("scan cancelled after")
            after = self._generation(ACME, "beacon")
            check(before["pid"] == after["pid"], "the server was replaced")
            self._check_key(self.key)

    def _respawn(self) -> None:
        with self._step("respawn: a new generation, nothing of the old one left"):
            before = self._generation(ACME, "beacon")
            result = self.wire.send("POST", f"{self._path(ACME, 'beacon')}/respawn", b"{}")
            check(result["ok"], result["sentence"])
            after = self._generation(ACME, "beacon")
            check(result["generation"] == after["number"], "another generation was reported")
            check(not _is_alive(before["pid"]), f"old pid {before['pid']} is alive")
            ghost = self.wire.send("POST", f"{self._path(ACME, 'ghost')}/respawn", b"{}")
            check(not ghost["ok"] and ghost["code"] == "bundle_not_found", "a ghost respawned")

    def _crash(self) -> None:
        with self._step("flaky crashes: a record with its last words, and it backs off"):
            view = self._until(ACME, "flaky", lambda v: v["crash"] is not None, START_BOUND_S)
            check(view["crash"]["exit"] == "exit 3", f"crash {view['crash']['exit']}")
            tail = view["crash"]["stderr_tail"]
            check(any("fatal" in line for line in tail), f"stderr tail {tail}")
            view = self._until(ACME, "flaky", _in_state("backing_off"), START_BOUND_S)
            check(view["retry_at"] is not None, "no time for the retry")

    def _logs(self) -> None:
        with self._step("logs are on disk from the first byte"):
            page = self.wire.get(f"{self._path(ACME, 'beacon')}/log", after=0, limit=50)
            texts = [line["text"] for line in page["lines"]]
            check(any("beacon is up" in text for text in texts), f"log {texts}")
            check(page["dropped"] == 0, "lines were dropped")

    def _stop_and_start(self) -> None:
        with self._step("stop leaves nothing running; start brings it back"):
            before = self._generation(ACME, "beacon")
            path = self._path(ACME, "beacon")
            stopped = self.wire.send("POST", f"{path}/stop", b"{}")
            check(stopped["ok"], stopped["sentence"])
            check(not _is_alive(before["pid"]), f"pid {before['pid']} is alive")
            check(self._bundle(ACME, "beacon")["state"] == "stopped", "not stopped")
            started = self.wire.send("POST", f"{path}/start", b"{}")
            check(started["ok"], started["sentence"])
            self._check_key(self.key)

    def _real_servers(self) -> None:
        with self._step("mcp-server-time was prepared in the data directory and answers"):
            self._until(LAB, "time", _in_state("running"), PREPARE_BOUND_S)
            answer = self._answer(LAB, "time", "get_current_time", {"timezone": "Etc/UTC"})
            check("UTC" in str(answer), f"answer {answer}")
        with self._step("mcp-server-git reads the demo's repository"):
            check(shutil.which("git") is not None, "git is not installed; the git server needs it")
            self._until(LAB, "git", _in_state("running"), PREPARE_BOUND_S)
            repo = str(demo_repo(self.data_dir))
            answer = self._answer(LAB, "git", "git_log", {"repo_path": repo})
            check("light 2" in str(answer), f"answer {answer}")

    def _no_secret_on_disk(self) -> None:
        with self._step("the credential stands in clear nowhere in the data directory"):
            needle = self.key.encode()
            holders = [
                path
                for path in self.data_dir.rglob("*")
                if path.is_file() and not path.is_symlink() and needle in path.read_bytes()
            ]
            check(not holders, f"found in {holders}")

    def _down(self) -> None:
        with self._step("down: the daemon and every process of it are gone"):
            pids = [
                bundle["generation"]["pid"]
                for bundle in self.wire.get("/v1/bundles")
                if bundle["state"] == "running"
            ]
            check(len(pids) >= 3, f"only {len(pids)} bundles were running")
            self.wire.send("POST", "/v1/shutdown", b"{}")
            _wait(lambda: not _is_alive(self._daemon_pid), START_BOUND_S, "the daemon did not end")
            left = [pid for pid in pids if _is_alive(pid)]
            check(not left, f"processes left: {left}")
            check(not find_daemon(str(self.data_dir)), "somebody still answers on the socket")

    def end(self) -> None:
        """Stop the daemon when a failed step left it running."""
        if self._daemon_pid and _is_alive(self._daemon_pid):
            try:
                self.wire.send("POST", "/v1/shutdown", b"{}")
                _wait(lambda: not _is_alive(self._daemon_pid), START_BOUND_S, "no end")
            except (RoostError, TourFailed) as error:
                print(f"the daemon with pid {self._daemon_pid} is left: {error}", file=sys.stderr)

    # Helpers -----------------------------------------------------------------------------------

    def _path(self, workspace: str, name: str) -> str:
        return f"/v1/workspaces/{workspace}/bundles/{name}"

    def _bundle(self, workspace: str, name: str) -> dict[str, Any]:
        view: dict[str, Any] = self.wire.get(self._path(workspace, name))["view"]
        return view

    def _generation(self, workspace: str, name: str) -> dict[str, Any]:
        view = self._bundle(workspace, name)
        check(view["state"] == "running", f"{name} is {view['state']}: {view['reason']}")
        generation: dict[str, Any] = view["generation"]
        return generation

    def _write_key(self, value: str) -> dict[str, Any]:
        body = codec.to_json({"set": {"api_key": value}, "clear": []})
        outcome: dict[str, Any] = self.wire.send(
            "PATCH", f"{self._path(ACME, 'beacon')}/credentials", body
        )
        return outcome

    def _check_key(self, value: str) -> None:
        answer = self._answer(ACME, "beacon", "identity", {})
        told = answer["structuredContent"]
        fingerprint = hashlib.sha256(value.encode()).hexdigest()[:16]
        check(told["key_fingerprint"] == fingerprint, "the server holds another key")
        pid = self._generation(ACME, "beacon")["pid"]
        check(told["pid"] == pid, f"pid {told['pid']} answered, {pid} is shown")

    def _call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        body = codec.to_json({"tool": tool, "arguments": arguments})
        run: dict[str, Any] = self.wire.send("POST", f"{self._path(ACME, 'beacon')}/calls", body)
        return run

    def _answer(self, workspace: str, name: str, tool: str, arguments: dict[str, Any]) -> Any:
        body = codec.to_json({"tool": tool, "arguments": arguments})
        run = self.wire.send("POST", f"{self._path(workspace, name)}/calls", body)
        detail = self._until_settled(run["id"], workspace)
        check(detail["run"]["status"] == "succeeded", f"{tool}: {detail['run']['error']}")
        return detail["result"]

    def _refused(self, code: str, method: str, path: str, body: Any) -> None:
        try:
            self.wire.send(method, path, codec.to_json(body))
        except RoostError as error:
            check(error.code == code, f"refused with {error.code}: {error}")
            return
        raise TourFailed(f"{method} {path} was accepted")

    def _until(
        self, workspace: str, name: str, holds: Callable[[dict[str, Any]], bool], bound_s: float
    ) -> dict[str, Any]:
        deadline = time.monotonic() + bound_s
        while True:
            view = self._bundle(workspace, name)
            if holds(view):
                return view
            told = f"{name} is {view['state']} {view['step'] or ''}: {view['reason']}"
            check(view["state"] != "dead", told)
            check(time.monotonic() < deadline, told)
            time.sleep(POLL_S)

    def _until_run(
        self, run_id: str, holds: Callable[[dict[str, Any]], bool], workspace: str = ACME
    ) -> dict[str, Any]:
        deadline = time.monotonic() + START_BOUND_S
        while True:
            detail: dict[str, Any] = self.wire.get(f"/v1/workspaces/{workspace}/runs/{run_id}")
            if holds(detail):
                return detail
            check(time.monotonic() < deadline, f"run {run_id} is {detail['run']}")
            time.sleep(POLL_S)

    def _until_settled(self, run_id: str, workspace: str = ACME) -> dict[str, Any]:
        active = ("pending", "running")
        return self._until_run(run_id, lambda d: d["run"]["status"] not in active, workspace)

    def _until_log(self, text: str) -> None:
        def is_there() -> bool:
            page = self.wire.get(f"{self._path(ACME, 'beacon')}/log", limit=200)
            return any(text in line["text"] for line in page["lines"])

        _wait(is_there, START_BOUND_S, f"the log never said {text!r}")


def _in_state(state: str) -> Callable[[dict[str, Any]], bool]:
    return lambda view: bool(view["state"] == state)


def _wait(holds: Callable[[], bool], bound_s: float, otherwise: str) -> None:
    deadline = time.monotonic() + bound_s
    while not holds():
        check(time.monotonic() < deadline, otherwise)
        time.sleep(POLL_S)


def _is_alive(pid: int) -> bool:
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
