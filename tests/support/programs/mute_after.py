"""The small MCP server, but its tool ``wait`` ends its output one way and lives on.

Argument: ``close`` closes it; ``flood`` sends a line without an end, past what one message may be.
"""

import json
import os
import sys
import time

import mini_mcp  # type: ignore[import-not-found]  # it stands beside this file

CHUNK = b"x" * (1 << 20)


def end_output(how: str) -> None:
    if how == "close":
        os.close(1)
    else:
        for _ in range(66):
            os.write(1, CHUNK)
    time.sleep(1000)


for line in sys.stdin:
    request = json.loads(line)
    if request.get("params", {}).get("name") == "wait":
        end_output(sys.argv[1])
    mini_mcp.answer(request)
