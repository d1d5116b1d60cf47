"""Beacon: an example MCP server with a credential and a long tool that can be cancelled."""

from __future__ import annotations

import hashlib
import os
import sys
from typing import Annotated

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import Field

KEY = os.environ.get("BEACON_KEY", "")
REGION = os.environ.get("BEACON_REGION", "north")
LIMIT = int(float(os.environ.get("BEACON_LIMIT", "500")))

READ_ONLY = ToolAnnotations(read_only_hint=True)

server = MCPServer("beacon")


def log(text: str) -> None:
    """Write one line to stderr, which Roost keeps as the bundle's log."""
    print(text, file=sys.stderr, flush=True)


@server.tool(annotations=READ_ONLY)
def identity() -> dict[str, str | int]:
    """Say who answers: process, region and the fingerprint of the key it was started with."""
    fingerprint = hashlib.sha256(KEY.encode()).hexdigest()[:16]
    return {"pid": os.getpid(), "region": REGION, "key_fingerprint": fingerprint}


@server.tool(annotations=READ_ONLY)
def echo(text: Annotated[str, Field(description="What to repeat.")]) -> str:
    """Repeat a text."""
    return text


@server.tool(annotations=READ_ONLY)
async def scan(
    context: Context,
    sectors: Annotated[int, Field(ge=1, description="How many sectors to cover.")] = 40,
    seconds_per_sector: Annotated[float, Field(gt=0, le=10)] = 0.5,
) -> str:
    """Scan sectors one by one, reporting progress; stops at once when it is cancelled."""
    if sectors > LIMIT:
        raise ToolError(f"{sectors} sectors are more than the limit of {LIMIT}")
    log(f"scan of {sectors} sectors in {REGION} begins")
    done = 0
    try:
        for done in range(1, sectors + 1):
            await anyio.sleep(seconds_per_sector)
            await context.report_progress(done, sectors, f"sector {done} of {sectors} clear")
    except anyio.get_cancelled_exc_class():
        log(f"scan cancelled after {done - 1} sectors")
        raise
    log(f"scan of {sectors} sectors done")
    return f"{sectors} sectors in {REGION} are clear"


if __name__ == "__main__":
    log(f"beacon is up in {REGION}, pid {os.getpid()}")
    server.run()
