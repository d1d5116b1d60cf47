"""An MCP server over streamable HTTP by the SDK, which speaks both eras.

Usage: http_sdk.py [PORT] [--legacy] [--token TOKEN] [--busy N] [--held]; PORT may give the port.
--legacy refuses what a server of the handshake era does not know. --token asks for
`Authorization: Bearer TOKEN`. --busy answers the first N requests with 503.
--held loads all it needs, says so, and listens once it is told to by a line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from typing import Any

import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver import Context

server = MCPServer("http")


@server.tool()
def echo(text: str) -> str:
    """Answer what was given."""
    return text


@server.tool()
async def slow(steps: int, context: Context[Any, Any]) -> str:
    """Count with progress."""
    for step in range(1, steps + 1):
        await asyncio.sleep(0.02)
        await context.report_progress(step, steps)
    return f"counted to {steps}"


@server.tool()
async def wait() -> str:
    """Answer never; tell on standard output when it is given up."""
    print("waiting", flush=True)
    try:
        await asyncio.sleep(600)
    finally:
        print("given up", flush=True)
    return "done"


@server.tool()
def big(megabytes: int) -> str:
    """Answer a text of this size."""
    return "x" * (megabytes * 1024 * 1024)


@server.tool()
def die() -> str:
    """End the server at once."""
    os._exit(7)


class Gate:
    """Stands before the server and refuses what the options say."""

    def __init__(self, app: Any, token: str | None, is_legacy: bool, busy: int) -> None:
        self._app = app
        self._busy = busy
        self._token = token
        self._is_legacy = is_legacy

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._busy:
            self._busy -= 1
            await answer(send, 503, {"error": "starting"})
            return
        headers = dict(scope["headers"])
        wanted = f"Bearer {self._token}".encode()
        if self._token is not None and headers.get(b"authorization") != wanted:
            await answer(send, 401, {"error": "unauthorized"})
        elif self._is_legacy and headers.get(b"mcp-protocol-version", b"") >= b"2026":
            await answer(send, 400, {"error": "unknown version"})
        else:
            await self._app(scope, receive, send)


async def answer(send: Any, status: int, body: object) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", nargs="?", type=int, default=int(os.environ.get("PORT", "0")))
    parser.add_argument("--legacy", action="store_true")
    parser.add_argument("--token")
    parser.add_argument("--busy", type=int, default=0)
    parser.add_argument("--held", action="store_true")
    given = parser.parse_args()
    app = Gate(server.streamable_http_app(), given.token, given.legacy, given.busy)
    if given.held:
        print("held", flush=True)
        sys.stdin.readline()
    print(f"listens on {given.port}", flush=True)
    uvicorn.run(app, host="127.0.0.1", port=given.port, log_level="warning")


if __name__ == "__main__":
    main()
