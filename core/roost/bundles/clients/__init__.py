"""The configurations of MCP clients: where they are, what they say, and what becomes of it."""
