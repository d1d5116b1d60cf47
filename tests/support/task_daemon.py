"""A daemon of the test's own that hands out runs of tasks: one ledger in memory, the same JSON."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.sdk.fake_daemon import FakeDaemon
from tests.support.socket_dir import socket_dir

Answer = tuple[int, Any]

POLL_S = 0.05
"""How long a claim waits here: one that was cut must not take what is submitted later."""


class TaskDaemon(FakeDaemon):
    """Answers what workers ask; its faults are those of `FakeDaemon`."""

    def __init__(self, data_dir: str) -> None:
        super().__init__(data_dir)
        self.hello: dict[str, Any] = {}
        self.lease_ms = 30_000
        self.secret = "\0"
        """What no step may return."""
        self.report_faults: deque[str] = deque()
        """As `faults`, of the next reports that tell something."""
        self.claims: list[tuple[int, int]] = []
        """Of every claim, how many runs were under way and how many more were wanted."""
        self.refusals: dict[str, Answer] = {}
        """By the last part of a path: what is answered there, for ever."""

    def submit(self, task: str, input: object = None, **facts: object) -> dict[str, Any]:
        """Begin a run as if somebody had asked for it."""
        with self.changed:
            return self._new(task, input, facts)

    def recover(self, run: dict[str, Any]) -> None:
        """Let a run wait for its next attempt, as after the death of its worker."""
        with self.changed:
            self._again(run)

    def until_ended(self, run: dict[str, Any]) -> dict[str, Any]:
        """Wait until a run has settled, and return what it ended with."""
        self.until(lambda: run["status"] not in ("pending", "running"))
        end: dict[str, Any] = run["end"]
        return end

    def until_step(self, run: dict[str, Any], name: str, state: str) -> None:
        """Wait until a step of a run is in a state."""
        self.until(lambda: name in run["journal"] and run["journal"][name]["state"] == state)

    def answer(self, path: str, body: dict[str, Any]) -> Answer | None:
        with self.changed:
            if path.endswith("/report") and len(body) > 1 and self.report_faults:
                self.faults.appendleft(self.report_faults.popleft())
            return super().answer(path, body)

    def found(self, path: str) -> object:
        run = self.runs.get(path.split("/")[-1])
        if run is None:
            return super().found(path)
        return {"run": self._view(run), "result": run["result"], "events": run["events"]}

    def _carry_out(self, verb: str, path: str, body: dict[str, Any]) -> Answer:
        if verb in self.refusals:
            return self.refusals[verb]
        parts = path.split("/")
        if verb == "workers":
            self.hello = body
            return 201, {"warnings": ["a word of warning"]}
        if verb == "claims":
            return 200, self._claim(body["free"])
        if verb == "runs":
            facts = {key: body[key] for key in ("idempotency_key", "parent")}
            return 201, {
                "state": "new",
                "run": self._view(self._new(parts[-2], body["input"], facts)),
                "warning": None,
            }
        return self._own(verb, self.runs[parts[-3]], body)

    def _claim(self, free: int) -> list[dict[str, Any]]:
        def waiting() -> list[dict[str, Any]]:
            return [run for run in self.runs.values() if run["status"] == "pending"][:free]

        running = sum(run["status"] == "running" for run in self.runs.values())
        self.claims.append((running, free))
        self.changed.wait_for(waiting, POLL_S)
        return [self._claimed(run) for run in waiting()]

    def _claimed(self, run: dict[str, Any]) -> dict[str, Any]:
        run["status"], run["epoch"] = "running", run["epoch"] + 1
        return {
            "run": self._view(run),
            "epoch": run["epoch"],
            "lease_ms": self.lease_ms,
            "input": run["input"],
            "journal": list(run["journal"].values()),
        }

    def _own(self, verb: str, run: dict[str, Any], body: dict[str, Any]) -> Answer:
        if body["epoch"] != run["epoch"] or run["status"] != "running":
            return self._error(409, "lease_lost", "somebody else holds it")
        if verb == "report":
            return self._report(run, body)
        if verb == "release":
            self._again(run)
        elif body.get("is_transient"):
            run["end"] = body
            self._again(run)
        elif self.secret in json.dumps(body.get("result")):
            return self._error(422, "invalid_request", "the result holds a secret")
        else:
            run |= {"status": body["status"], "end": body, "result": body["result"]}
            run["error"] = body.get("error")
        return 200, self._view(run)

    def _report(self, run: dict[str, Any], body: dict[str, Any]) -> Answer:
        for write in body.get("journal", ()):
            if self.secret in json.dumps(write):
                return self._error(422, "invalid_request", f"step {write['name']!r} has a secret")
        for write in body.get("journal", ()):
            before = run["journal"].get(write["name"], {})
            was_interrupted = before.get("was_interrupted", False)
            entry = {"value": None, "attempt": run["attempt"], "was_interrupted": was_interrupted}
            run["journal"][write["name"]] = entry | write
            self.told.append((run["id"], (write["state"], write["name"])))
        for step in body.get("steps", ()):
            run["step_count"] += 1
            self._event(run, "step", step["message"])
        for emission in body.get("emissions", ()):
            self._event(run, "emit", json.dumps(emission["data"]), emission["name"])
        if "output" in body:
            self._event(run, "output", body["output"])
        run["link"] = body.get("link", run["link"])
        return 200, self._lease(run)

    def _event(self, run: dict[str, Any], kind: str, message: str, name: object = None) -> None:
        run["last_seq"] += 1
        event = {"seq": run["last_seq"], "at": 0, "kind": kind, "message": message, "name": name}
        run["events"].append(event)
        self.told.append((run["id"], (kind, message if name is None else name)))

    def _lease(self, run: dict[str, Any]) -> dict[str, Any]:
        stop = self.stop_requested
        return {"run": self._view(run), "epoch": run["epoch"], "stop_requested": stop}

    def _again(self, run: dict[str, Any]) -> None:
        for entry in run["journal"].values():
            entry["was_interrupted"] |= entry["state"] == "started"
        run |= {"status": "pending", "attempt": run["attempt"] + 1}
        self.changed.notify_all()

    def _new(self, task: str, input: object, facts: dict[str, Any]) -> dict[str, Any]:
        run_id = f"run-{len(self.runs) + 1}"
        run: dict[str, Any] = {
            "id": run_id,
            "task": task,
            "status": "pending",
            "attempt": 1,
            "epoch": 0,
            "input": input,
            "on_behalf_of": None,
            "idempotency_key": "derived",
            "parent": None,
            "last_seq": 0,
            "step_count": 0,
            "journal": {},
            "events": [],
            "result": None,
            "error": None,
            "link": None,
        }
        self.runs[run_id] = run | facts
        self.changed.notify_all()
        return self.runs[run_id]

    @staticmethod
    def _view(run: dict[str, Any]) -> dict[str, Any]:
        hidden = ("input", "journal", "events", "result", "end", "epoch")
        return {key: value for key, value in run.items() if key not in hidden}

    @staticmethod
    def _error(status: int, code: str, message: str) -> Answer:
        return status, {"error": {"code": code, "message": message, "details": {}}}


@contextmanager
def task_daemon() -> Iterator[TaskDaemon]:
    """Give one that listens."""
    with socket_dir() as data_dir:
        daemon = TaskDaemon(data_dir)
        daemon.start()
        try:
            yield daemon
        finally:
            daemon.stop()


def token_pipe(daemon: TaskDaemon) -> int:
    """Return a descriptor that hands a program its place, as a supervisor would."""
    reading, writing = os.pipe()
    facts = {"socket": daemon.socket_path, "workspace": "default", "token": "t0ken"}
    os.write(writing, json.dumps(facts).encode())
    os.close(writing)
    return reading
