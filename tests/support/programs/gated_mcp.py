"""The small MCP server, which answers nothing while a file is not there.

Argument: the path of the file.
"""

import json
import os
import sys
import time

import mini_mcp  # type: ignore[import-not-found]  # it stands beside this file

for line in sys.stdin:
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.02)
    mini_mcp.answer(json.loads(line))
