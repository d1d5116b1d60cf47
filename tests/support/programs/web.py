"""A small web app on the port it is given, which takes its time to leave.

Its first answer is 200; later ones have the status that its first argument names, 200 without one.
"""

import http.server
import itertools
import os
import signal
import sys
import time

STATUSES = itertools.chain([200], itertools.repeat(int(sys.argv[1]) if sys.argv[1:] else 200))


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(next(STATUSES))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


def leave(*_: object) -> None:
    time.sleep(0.1)
    sys.exit(0)


signal.signal(signal.SIGTERM, leave)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Page).serve_forever()
