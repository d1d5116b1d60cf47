"""A script that counts with pandas and answers with what it counted."""

from __future__ import annotations

import os
from http.server import BaseHTTPRequestHandler, HTTPServer

import pandas


def main() -> None:
    frame = pandas.DataFrame({"day": [1, 1, 2], "sold": [3, 4, 5]})
    totals = frame.groupby("day")["sold"].sum().to_json().encode()

    class Totals(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(totals)

        def log_message(self, format: str, *args: object) -> None:
            pass

    HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Totals).serve_forever()


if __name__ == "__main__":
    main()
