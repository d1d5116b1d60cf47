"""An MCP server that makes tasks of its calls, on the standard library.

It speaks the era of 2026-07-28, where it makes a task of every call but `plain` once the client
declares the extension; with --legacy it speaks the one of 2025-11-25, where the client has to ask.
--poll MS is the poll interval it would like.

Tools: build (some stages, each seen in one poll), never (works until it is cancelled), question
(needs input), broken (fails), given-up (cancelled by the server), forgotten (nobody knows its
task), plain (no task), refused (an answer that is an error), reported (progress after its
creation), tardy (never ends, and its creation takes a while), stubborn (works on though cancelled).
What it is asked is told on stderr.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

EXTENSION = "io.modelcontextprotocol/tasks"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
SUPPORT = {"plain": "forbidden", "build": "optional"}
NAMES = (
    "build",
    "never",
    "question",
    "broken",
    "given-up",
    "forgotten",
    "plain",
    "refused",
    "reported",
    "tardy",
    "stubborn",
)

TARDY_S = 0.2

Json = dict[str, Any]


def send(message: Json) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def text(value: str, *, is_error: bool = False) -> Json:
    return {"content": [{"type": "text", "text": value}], "isError": is_error}


class Work:
    """One task."""

    def __init__(self, number: int, name: str, stages: int, token: object) -> None:
        self.id = f"work-{number}"
        self.name = name
        self.stages = stages
        self.token = token
        self.polls = 0
        self.status = "working"
        self.message: str | None = None

    def advance(self) -> None:
        """Go one step on, as every poll sees one."""
        self.polls += 1
        if self.status != "working" or self.name in ("never", "tardy", "stubborn"):
            return
        if self.name == "reported" and self.polls <= 3:
            params = {"progressToken": self.token, "progress": self.polls, "total": 3}
            send({"method": "notifications/progress", "params": params})
        ends = {"question": "input_required", "broken": "failed", "given-up": "cancelled"}
        if self.name in ends:
            self.status, self.message = ends[self.name], f"so it goes with {self.name}"
        elif self.polls <= self.stages:
            self.message = f"stage {self.polls}"
        else:
            self.status, self.message = "completed", None

    def result(self) -> Json:
        return text(f"{self.name} is done", is_error=self.name == "refused")


class Server:
    def __init__(self, options: argparse.Namespace) -> None:
        self.is_legacy = options.legacy
        self.poll_ms = options.poll
        self.works: dict[str, Work] = {}

    def answer(self, request: Json) -> None:
        method = str(request.get("method"))
        params = request.get("params") or {}
        if method not in ("ping", "server/discover"):
            print(method, params.get("taskId", ""), file=sys.stderr, flush=True)
        if "id" not in request:
            return
        result = self.result(method, params)
        if result is None:
            error = {"code": -32602, "message": "there is no such thing"}
            send({"id": request["id"], "error": error})
        else:
            send({"id": request["id"], "result": self.dressed(result)})

    def dressed(self, result: Json) -> Json:
        return result if self.is_legacy else {"resultType": "complete", **result}

    def result(self, method: str, params: Json) -> Json | None:
        if method == "initialize" and self.is_legacy:
            version = {"protocolVersion": "2025-11-25"}
            return version | self.greeting({"tasks": {"requests": {"tools": {"call": {}}}}})
        if method == "server/discover" and not self.is_legacy:
            versions: Json = {"supportedVersions": ["2026-07-28"], **self.cached()}
            return versions | self.greeting({"extensions": {EXTENSION: {}}})
        if method == "tools/list":
            return {"tools": [self.tool(name) for name in NAMES], **self.cached()}
        if method == "tools/call":
            return self.call(params)
        if method.startswith("tasks/") and params.get("taskId") in self.works:
            return self.about(method, self.works[params["taskId"]])
        return {} if method == "ping" else None

    def cached(self) -> Json:
        return {} if self.is_legacy else {"ttlMs": 0, "cacheScope": "private"}

    def greeting(self, capabilities: Json) -> Json:
        info = {"name": "tasks", "version": "1"}
        said = {"capabilities": {"tools": {}, **capabilities}, "instructions": "Give it time."}
        return {**said, "serverInfo": info}

    def tool(self, name: str) -> Json:
        described = {"name": name, "inputSchema": {"type": "object"}}
        if self.is_legacy:
            described["execution"] = {"taskSupport": SUPPORT.get(name, "required")}
        return described

    def call(self, params: Json) -> Json:
        name, meta = params["name"], params.get("_meta", {})
        declared = EXTENSION in meta.get(CAPABILITIES, {}).get("extensions", {})
        wants = "task" in params if self.is_legacy else declared and name != "plain"
        if not wants:
            is_required = (
                self.is_legacy and self.tool(name)["execution"]["taskSupport"] == "required"
            )
            return text("plain", is_error=is_required)
        if name == "tardy":
            time.sleep(TARDY_S)
        stages = (params.get("arguments") or {}).get("stages", 1)
        work = Work(len(self.works) + 1, name, stages, meta.get("progressToken"))
        if name != "forgotten":
            self.works[work.id] = work
        state = self.state(work)
        return {"task": state} if self.is_legacy else {"resultType": "task", **state}

    def state(self, work: Work) -> Json:
        at = "2026-11-21T10:00:00Z"
        times = {"createdAt": at, "lastUpdatedAt": at}
        bounds = (
            {"ttl": 60_000, "pollInterval": self.poll_ms}
            if self.is_legacy
            else {"ttlMs": 60_000, "pollIntervalMs": self.poll_ms}
        )
        told = {} if work.message is None else {"statusMessage": work.message}
        return {"taskId": work.id, "status": work.status, **times, **bounds, **told}

    def about(self, method: str, work: Work) -> Json | None:
        if method == "tasks/cancel":
            if work.name != "stubborn":
                work.status, work.message = "cancelled", None
            return self.state(work) if self.is_legacy else {}
        if method == "tasks/result" and self.is_legacy:
            return work.result() if work.status == "completed" else None
        if method != "tasks/get":
            return None
        work.advance()
        state = self.state(work)
        if not self.is_legacy and work.status == "completed":
            state["result"] = work.result()
        if not self.is_legacy and work.status == "failed":
            state["error"] = {"code": -32000, "message": "the boiler is cold"}
        return state


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--legacy", action="store_true")
    parser.add_argument("--poll", type=float, default=1.0)
    server = Server(parser.parse_args())
    for line in sys.stdin:
        server.answer(json.loads(line))


if __name__ == "__main__":
    main()
