"""The tour: what an operator does in the demo, done through the socket and checked step by step.

Every step asserts what it claims against the real processes: pids, values, rows. It prints one line
a step with its time, and the exit status says whether everything was as it should be.
"""

from __future__ import annotations

import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from roost.client.discovery import ensure_daemon, find_daemon
from roost.client.wire import Wire
from roost.demo.app_steps import check_web_app, check_worker
from roost.demo.provision import (
    ACME,
    LAB,
    demo_bundles,
    demo_repo,
    install,
    keep_key_in_file,
    make_repo,
)
from roost.demo.visitor import (
    START_BOUND_S,
    TourFailed,
    Visitor,
    check,
    in_state,
    is_alive,
    wait_until,
)
from roost.errors import RoostError
from roost.models import codec

PREPARE_BOUND_S = 600.0
"""Bound for installing a server from the package index on a slow line."""


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


class _Tour(Visitor):
    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.began = time.monotonic()
        self.step = "start"
        self.count = 0
        self.key = secrets.token_hex(24)
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
        self._snapshot()
        self._apps()
        self._task()
        self._real_servers()
        self._no_secret_on_disk()
        self._down()

    # Steps -------------------------------------------------------------------------------------

    def _start(self) -> None:
        with self._step("the daemon starts in the background and answers"):
            keep_key_in_file(self.data_dir)
            self.wire = Wire(ensure_daemon(str(self.data_dir)))
            status = self.wire.get("/v1/status")
            self._daemon_pid = status["pid"]
            check(is_alive(status["pid"]), "the daemon's pid is not alive")
            check(status["orphans"] == 0, "a fresh daemon reports orphans")

    def _install(self) -> None:
        with self._step("two workspaces, seven bundles; time and git are prepared meanwhile"):
            make_repo(demo_repo(self.data_dir))
            for workspace in (ACME, LAB):
                body = codec.to_json({"id": workspace, "label": workspace})
                self.wire.send("POST", "/v1/workspaces", body)
            for bundle in demo_bundles(self.data_dir):
                install(self.wire, bundle)
            names = {(b["workspace"], b["name"]) for b in self.wire.get("/v1/bundles")}
            wanted = {(b.workspace, b.request.name) for b in demo_bundles(self.data_dir)}
            check(names == wanted and len(names) == 7, f"installed {sorted(names)}")

    def _set_credential(self) -> None:
        with self._step("beacon asks for its credential; set, it runs with exactly that one"):
            view = self.until(ACME, "beacon", in_state("needs_credentials"), START_BOUND_S)
            check(view["missing_fields"] == ["api_key"], f"missing: {view['missing_fields']}")
            outcome = self.write_key(self.key)
            check(outcome["revision"] == 1, "the first write is not revision 1")
            check(outcome["respawn"]["ok"], outcome["respawn"]["sentence"])
            self.check_key(self.key)

    def _rotate_credential(self) -> None:
        with self._step("a new credential: next generation, new pid, old pid gone, value arrived"):
            before = self.generation(ACME, "beacon")
            self.key = secrets.token_hex(24)
            outcome = self.write_key(self.key)
            check(outcome["respawn"]["ok"], outcome["respawn"]["sentence"])
            after = self.generation(ACME, "beacon")
            check(after["number"] > before["number"], "no new generation")
            check(after["credential_revision"] == 2, "not at revision 2")
            check(not is_alive(before["pid"]), f"old pid {before['pid']} is alive")
            check(is_alive(after["pid"]), f"new pid {after['pid']} is not alive")
            self.check_key(self.key)

    def _refuse_bad_input(self) -> None:
        with self._step("bad input is refused with a code and changes nothing"):
            before = self.bundle(ACME, "beacon"), len(self.wire.get("/v1/runs"))
            path = self.path(ACME, "beacon")
            bad = {"set": {"nonsense": "x"}, "clear": []}
            self.refused("bad_fields", "PATCH", f"{path}/credentials", bad)
            wrong = {"set": {"limit": "many"}, "clear": []}
            self.refused("bad_fields", "PATCH", f"{path}/credentials", wrong)
            call = {"tool": "scan", "arguments": {"sectors": "all"}}
            self.refused("bad_arguments", "POST", f"{path}/calls", call)
            call = {"tool": "fly", "arguments": {}}
            self.refused("tool_not_found", "POST", f"{path}/calls", call)
            gone = {"source": "command", "name": "ghost", "command": ["no-such-program-here"]}
            self.refused("command_not_found", "POST", f"/v1/workspaces/{ACME}/bundles", gone)
            after = self.bundle(ACME, "beacon"), len(self.wire.get("/v1/runs"))
            for key in ("credential_revision", "generation", "state"):
                check(before[0][key] == after[0][key], f"{key} changed")
            check(before[1] == after[1], "a refused call left a run")

    def _long_call(self) -> None:
        with self._step("a long call: a run whose steps are stored in order, and its result"):
            run = self.call("scan", {"sectors": 12, "seconds_per_sector": 0.05})
            done = self.until_settled(run["id"])
            check(done["run"]["status"] == "succeeded", f"run {done['run']['status']}")
            check(done["run"]["step_count"] == 12, f"{done['run']['step_count']} steps")
            numbers = [event["seq"] for event in done["events"]]
            check(numbers == list(range(1, len(numbers) + 1)), f"sequence {numbers}")
            steps = [e["current"] for e in done["events"] if e["kind"] == "step"]
            check(steps == sorted(steps), f"steps out of order: {steps}")

    def _stop_call(self) -> None:
        with self._step("stop ends a run as aborted; the server saw the cancellation and lives on"):
            before = self.generation(ACME, "beacon")
            run = self.call("scan", {"sectors": 400, "seconds_per_sector": 0.05})
            self.until_run(run["id"], lambda detail: detail["run"]["step_count"] >= 3)
            path = f"/v1/workspaces/{ACME}/runs/{run['id']}/stop"
            outcome = self.wire.send("POST", path, b"{}")
            check(outcome["stopped"], outcome["sentence"])
            check(outcome["run"]["status"] == "aborted", f"run {outcome['run']['status']}")
            check(outcome["run"]["stop_requested_at"], "no stop stamp")
            again = self.wire.send("POST", path, b"{}")
            check(not again["stopped"], "a settled run was stopped again")
            self.until_log("scan cancelled after")
            after = self.generation(ACME, "beacon")
            check(before["pid"] == after["pid"], "the server was replaced")
            self.check_key(self.key)

    def _respawn(self) -> None:
        with self._step("respawn: a new generation, nothing of the old one left"):
            before = self.generation(ACME, "beacon")
            result = self.wire.send("POST", f"{self.path(ACME, 'beacon')}/respawn", b"{}")
            check(result["ok"], result["sentence"])
            after = self.generation(ACME, "beacon")
            check(result["generation"] == after["number"], "another generation was reported")
            check(not is_alive(before["pid"]), f"old pid {before['pid']} is alive")
            ghost = self.wire.send("POST", f"{self.path(ACME, 'ghost')}/respawn", b"{}")
            check(not ghost["ok"] and ghost["code"] == "bundle_not_found", "a ghost respawned")

    def _crash(self) -> None:
        with self._step("flaky crashes: a record with its last words, and it backs off"):
            view = self.until(ACME, "flaky", lambda v: v["crash"] is not None, START_BOUND_S)
            check(view["crash"]["exit"] == "exit 3", f"crash {view['crash']['exit']}")
            tail = view["crash"]["stderr_tail"]
            check(any("fatal" in line for line in tail), f"stderr tail {tail}")
            view = self.until(ACME, "flaky", in_state("backing_off"), START_BOUND_S)
            check(view["retry_at"] is not None, "no time for the retry")

    def _logs(self) -> None:
        with self._step("logs are on disk from the first byte"):
            page = self.wire.get(f"{self.path(ACME, 'beacon')}/log", after=0, limit=50)
            texts = [line["text"] for line in page["lines"]]
            check(any("beacon is up" in text for text in texts), f"log {texts}")
            check(page["dropped"] == 0, "lines were dropped")

    def _stop_and_start(self) -> None:
        with self._step("stop leaves nothing running; start brings it back"):
            before = self.generation(ACME, "beacon")
            path = self.path(ACME, "beacon")
            stopped = self.wire.send("POST", f"{path}/stop", b"{}")
            check(stopped["ok"], stopped["sentence"])
            check(not is_alive(before["pid"]), f"pid {before['pid']} is alive")
            check(self.bundle(ACME, "beacon")["state"] == "stopped", "not stopped")
            started = self.wire.send("POST", f"{path}/start", b"{}")
            check(started["ok"], started["sentence"])
            self.check_key(self.key)

    def _snapshot(self) -> None:
        with self._step("a snapshot of beacon: built, and the next start is restored from it"):
            path = self.path(ACME, "beacon")
            view = self.wire.send("POST", f"{path}/snapshot/build")
            check(view["state"] == "ready", f"it is {view['state']}: {view['reason']}")
            self.wire.send("POST", f"{path}/respawn", b"{}")
            mode = self.generation(ACME, "beacon")["start_mode"]
            check(mode == "zygote", f"the start was {mode}")
            self.check_key(self.key)

    def _task(self) -> None:
        with self._step("pipeline, a worker: a task is done once, whoever submits it again"):
            self.until(LAB, "pipeline", in_state("running"), START_BOUND_S)
            out = str(self.data_dir / "counts.json")
            body = codec.to_json({"input": {"text": "to be or not to be", "out": out}})
            path = f"/v1/workspaces/{LAB}/tasks/pipeline.count/runs"
            run_id = self.wire.send("POST", path, body)["run"]["id"]
            detail = self.until_settled(run_id, LAB)
            check(detail["result"]["words"] == 6, f"result {detail['result']}")
            again = self.wire.send("POST", path, body)
            check((again["state"], again["run"]["id"]) == ("replayed", run_id), str(again))
            journal = self.wire.get(f"/v1/workspaces/{LAB}/runs/{run_id}/task")["journal"]
            names = [entry["name"] for entry in journal]
            check(names == ["split", "count", "store"], f"steps {names}")

    def _apps(self) -> None:
        with self._step("greeter, a web app: the supervised pid answers on its port, while it has"):
            check_web_app(self, ACME, "greeter")
        with self._step("ticker, an app: it goes on where its last generation stopped"):
            check_worker(self, LAB, "ticker")

    def _real_servers(self) -> None:
        with self._step("mcp-server-time was prepared in the data directory and answers"):
            self.until(LAB, "time", in_state("running"), PREPARE_BOUND_S)
            answer = self.answer(LAB, "time", "get_current_time", {"timezone": "Etc/UTC"})
            check("UTC" in str(answer), f"answer {answer}")
        with self._step("mcp-server-git reads the demo's repository"):
            check(shutil.which("git") is not None, "git is not installed; the git server needs it")
            self.until(LAB, "git", in_state("running"), PREPARE_BOUND_S)
            repo = str(demo_repo(self.data_dir))
            answer = self.answer(LAB, "git", "git_log", {"repo_path": repo})
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
            check(len(pids) >= 5, f"only {len(pids)} bundles were running")
            self.wire.send("POST", "/v1/shutdown", b"{}")
            wait_until(
                lambda: not is_alive(self._daemon_pid), START_BOUND_S, "the daemon did not end"
            )
            left = [pid for pid in pids if is_alive(pid)]
            check(not left, f"processes left: {left}")
            check(not find_daemon(str(self.data_dir)), "somebody still answers on the socket")

    def end(self) -> None:
        """Stop the daemon when a failed step left it running."""
        if self._daemon_pid and is_alive(self._daemon_pid):
            try:
                self.wire.send("POST", "/v1/shutdown", b"{}")
                wait_until(lambda: not is_alive(self._daemon_pid), START_BOUND_S, "no end")
            except (RoostError, TourFailed) as error:
                print(f"the daemon with pid {self._daemon_pid} is left: {error}", file=sys.stderr)
