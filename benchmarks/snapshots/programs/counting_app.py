"""A program that counts on request and answers with the processor time that it took."""

from __future__ import annotations

import asyncio  # noqa: F401 - a template is to hold something
import decimal  # noqa: F401
import json
import os
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

ROUNDS = 300_000


def count() -> int:
    """Count in a dict, as Python code does that parses, groups or routes."""
    found: dict[str, int] = {}
    for number in range(ROUNDS):
        key = str(number % 997)
        found[key] = found.get(key, 0) + number
    return sum(found.values())


class Counter(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        used = 0.0
        if self.path == "/work":
            began = time.process_time()
            count()
            used = (time.process_time() - began) * 1000
        body = json.dumps({"cpu_ms": used}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Counter).serve_forever()
