"""A small MCP server of the handshake era on the standard library, with bad manners on request.

Options: --junk N prints N lines that are not MCP first; --mute never answers; --die CODE ends at
once, as EXIT_WITH=exit-CODE does; --toolless answers tools/list with an error; --deaf ignores TERM
and the end of stdin; --flood N fills stderr first; --leak prints the value of API_KEY to stderr and
stdout in every spelling; --one-thread answers nothing else during a call; --with-child starts a
process that would outlive it.
Tools: env (one variable's value), echo, say (a line on stderr), slow (progress, honours
cancellation), nap (answers late), hang and wait (never answer), fail, die.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from typing import Any

TOOLS = [
    {
        "name": "env",
        "description": "The value of one environment variable.",
        "inputSchema": {
            "type": "object",
            "properties": {"name": {"type": "string"}},
            "required": ["name"],
        },
    },
    {
        "name": "slow",
        "description": "Counts, with progress.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "steps": {"type": "integer", "minimum": 1},
                "seconds": {"type": "number"},
            },
            "required": ["steps"],
        },
    },
    {
        "name": "echo",
        "description": "Answers what it was given.",
        "inputSchema": {"type": "object"},
    },
    {"name": "wait", "description": "Never answers.", "inputSchema": {"type": "object"}},
    {"name": "say", "description": "Writes to stderr.", "inputSchema": {"type": "object"}},
    {"name": "hang", "description": "Never answers.", "inputSchema": {"type": "object"}},
    {"name": "die", "description": "Ends the server.", "inputSchema": {"type": "object"}},
    {"name": "fail", "description": "Answers an error.", "inputSchema": {"type": "object"}},
    {"name": "nap", "description": "Answers late.", "inputSchema": {"type": "object"}},
]

HAS_ONE_THREAD = "--one-thread" in sys.argv

WRITE = threading.Lock()
CANCELLED: set[Any] = set()


def send(message: dict[str, Any]) -> None:
    with WRITE:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def text(value: str, *, is_error: bool = False) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": value}], "isError": is_error}


def call(request: dict[str, Any]) -> None:
    params = request["params"]
    arguments = params.get("arguments") or {}
    name = params["name"]
    if name == "env":
        send({"id": request["id"], "result": text(os.environ.get(arguments["name"], ""))})
    elif name == "echo":
        send({"id": request["id"], "result": text(json.dumps(arguments))})
    elif name == "say":
        print(arguments["text"], file=sys.stderr, flush=True)
        send({"id": request["id"], "result": text("said")})
    elif name == "slow":
        count(request["id"], params, arguments)
    elif name == "nap":
        time.sleep(arguments["seconds"])
        send({"id": request["id"], "result": text("rested")})
    elif name == "fail":
        told = f"it went wrong with {os.environ.get('API_KEY')}"
        send({"id": request["id"], "result": text(told, is_error=True)})
    elif name == "die":
        print(f"fatal: asked to die by {os.environ.get('API_KEY')}", file=sys.stderr, flush=True)
        os._exit(7)


def count(request_id: Any, params: dict[str, Any], arguments: dict[str, Any]) -> None:
    token = params.get("_meta", {}).get("progressToken")
    steps = arguments["steps"]
    for step in range(1, steps + 1):
        time.sleep(arguments.get("seconds", 0.01))
        if request_id in CANCELLED:
            print(f"cancelled at {step}", file=sys.stderr, flush=True)
            return
        if token is not None:
            progress = {"progressToken": token, "progress": step, "total": steps}
            send({"method": "notifications/progress", "params": progress})
    send({"id": request_id, "result": text(f"counted to {steps}")})


def answer(request: dict[str, Any]) -> None:
    method = request.get("method")
    if method == "initialize":
        result = {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "mini", "version": "1"},
        }
        send({"id": request["id"], "result": result})
    elif method == "tools/list" and "--toolless" in sys.argv:
        send({"id": request["id"], "error": {"code": -32603, "message": "no catalogue"}})
    elif method == "tools/list":
        send({"id": request["id"], "result": {"tools": TOOLS}})
    elif method == "tools/call":
        if HAS_ONE_THREAD:
            call(request)
        else:
            threading.Thread(target=call, args=(request,), daemon=True).start()
    elif method == "notifications/cancelled":
        CANCELLED.add(request["params"]["requestId"])
    elif method == "ping":
        send({"id": request["id"], "result": {}})
    elif "id" in request:
        send({"id": request["id"], "error": {"code": -32601, "message": "method not found"}})


def leak(secret: str) -> None:
    print(f"log in with {secret} please", flush=True)
    half = len(secret) // 2
    for piece in ("token=", secret[:half], secret[half:], " was refused\n"):
        sys.stderr.write(piece)
        sys.stderr.flush()
        time.sleep(0.02)
    print(json.dumps({"token": secret}), file=sys.stderr)
    print(urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret), file=sys.stderr)
    for shift in range(3):
        encoded = base64.b64encode(b"x" * shift + secret.encode() + b"tail")
        print(f"Basic {encoded.decode()}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--junk", type=int, default=0)
    parser.add_argument("--mute", action="store_true")
    parser.add_argument("--die", type=int)
    parser.add_argument("--toolless", action="store_true")
    parser.add_argument("--deaf", action="store_true")
    parser.add_argument("--flood", type=int, default=0)
    parser.add_argument("--leak", action="store_true")
    parser.add_argument("--one-thread", action="store_true")
    parser.add_argument("--with-child", action="store_true")
    options = parser.parse_args()
    if options.deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for number in range(options.flood):
        print(f"flood {number} {'x' * 80}", file=sys.stderr)
    for number in range(options.junk):
        print(f"this is not MCP {number}", flush=True)
    if options.with_child:
        subprocess.Popen(["/bin/sleep", "1000"], stdin=subprocess.DEVNULL, stdout=2)
    if options.leak:
        leak(os.environ["API_KEY"])
    told = os.environ.get("EXIT_WITH", "")
    if told.startswith("exit-"):
        print("fatal: told by EXIT_WITH", file=sys.stderr, flush=True)
        sys.exit(int(told.removeprefix("exit-")))
    if options.die is not None:
        print("fatal: told to die at start", file=sys.stderr, flush=True)
        sys.exit(options.die)
    for line in sys.stdin:
        if not options.mute:
            answer(json.loads(line))
    if options.deaf:
        queue.SimpleQueue[None]().get()


if __name__ == "__main__":
    main()
