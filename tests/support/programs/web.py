"""A small web app on the port it is given, which takes its time to leave."""

import http.server
import os
import signal
import sys
import time


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


def leave(*_: object) -> None:
    time.sleep(0.1)
    sys.exit(0)


signal.signal(signal.SIGTERM, leave)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Page).serve_forever()
