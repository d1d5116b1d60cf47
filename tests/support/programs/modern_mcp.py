"""An MCP server of the stateless era, by the SDK: it knows no handshake and no ping."""

from __future__ import annotations

from mcp.server import MCPServer

server = MCPServer("modern")


@server.tool()
def echo(text: str) -> str:
    """Answer what was given."""
    return text


if __name__ == "__main__":
    server.run("stdio")
