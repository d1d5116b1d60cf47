"""A daemon of the test's own: keeps one ledger in memory and fails as it is told to."""

from __future__ import annotations

import json
import os
import socket
import socketserver
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from tests.support.socket_dir import socket_dir

BOUND_S = 30.0


class FakeDaemon:
    """Answers begin, report and finish on the socket of a data directory."""

    def __init__(self, data_dir: str) -> None:
        self.data_dir = data_dir
        self.socket_path = str(Path(data_dir, "roost.sock"))
        self.asked: list[tuple[str, dict[str, Any]]] = []
        """Every request it read: the last part of its path, and its body."""
        self.tokens: list[str | None] = []
        self.workspaces = ["default"]
        self.runs: dict[str, dict[str, Any]] = {}
        self.told: list[tuple[str, object]] = []
        """What the ledger has, in order."""
        self.stop_requested = False
        self.faults: deque[str] = deque()
        """What happens to the next requests: ``lost`` before, ``unanswered`` after it was carried
        out, ``lease_lost``, ``invalid_request``, ``store_unavailable``, or ``fine``."""
        self.hold: threading.Event | None = None
        """Set by the test to let held requests go on."""
        self.holding = 0
        """How many requests were held."""
        self.connections = 0
        """How many were made."""
        self.open_connections: set[socket.socket] = set()
        self.changed = threading.Condition()
        self._server: _Server | None = None

    @property
    def run(self) -> dict[str, Any]:
        """The run that was begun first."""
        return next(iter(self.runs.values()))

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds, within a bound."""
        with self.changed:
            assert self.changed.wait_for(holds, BOUND_S), (self.asked, self.told)

    def start(self) -> None:
        """Listen."""
        self._server = _Server(self.socket_path, self)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Go away, as a daemon does that restarts."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            os.unlink(self.socket_path)
            self._server = None
            self.cut()

    def cut(self) -> None:
        """Read nothing more, as a daemon that stops or finds connections idle; each then ends."""
        with self.changed:
            for connection in self.open_connections:
                with suppress(OSError):  # the other side has ended it
                    connection.shutdown(socket.SHUT_RD)

    def connected(self, connection: socket.socket) -> None:
        """Take note of a connection."""
        with self.changed:
            self.connections += 1
            self.open_connections.add(connection)

    def disconnected(self, connection: socket.socket) -> None:
        """Take note that a connection has ended."""
        with self.changed:
            self.open_connections.discard(connection)
            self.changed.notify_all()

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        """Carry a request out; None closes the connection without an answer."""
        if self.hold is not None:
            with self.changed:
                self.holding += 1
                self.changed.notify_all()
            assert self.hold.wait(BOUND_S)
        with self.changed:
            verb = path.rpartition("/")[2]
            self.asked.append((verb, body))
            fault = self.faults.popleft() if self.faults else "fine"
            found = self._faulty(fault) if fault not in ("fine", "unanswered") else None
            if fault != "lost" and found is None:
                found = self._carry_out(verb, path, body)
            self.changed.notify_all()
            return None if fault in ("lost", "unanswered") else found

    def found(self, path: str) -> object:
        """Return what a path holds."""
        return [{"id": name} for name in self.workspaces]

    def _faulty(self, fault: str) -> tuple[int, dict[str, Any]] | None:
        if fault == "lost":
            return None
        status = {"lease_lost": 409, "invalid_request": 422}.get(fault, 503)
        return status, {"error": {"code": fault, "message": f"refused: {fault}", "details": {}}}

    def _carry_out(self, verb: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if verb == "runs":
            return 201, self._begin(body)
        run = self.runs[path.split("/")[-2]]
        if verb == "finish":
            run["status"] = body["status"]
            run["end"] = body
            return 200, run
        for step in body.get("steps", ()):
            run["step_count"] += 1
            self._tell(run, step["message"])
        if "output" in body:
            for line in body["output"].split("\n"):
                self._tell(run, line)
        if "link" in body:
            run["link"] = body["link"]
        return 200, self._lease(run)

    def _begin(self, body: dict[str, Any]) -> dict[str, Any]:
        for run in self.runs.values():
            if run["begun"]["idempotency_key"] == body["idempotency_key"] is not None:
                return self._lease(run) | {"is_new": False}
        run_id = f"run-{len(self.runs) + 1}"
        run = {"id": run_id, "status": "running", "last_seq": 1, "step_count": 0, "begun": body}
        self.runs[run_id] = run
        return self._lease(run)

    def _tell(self, run: dict[str, Any], what: object) -> None:
        run["last_seq"] += 1
        self.told.append((run["id"], what))

    def _lease(self, run: dict[str, Any]) -> dict[str, Any]:
        return {
            "run": run,
            "epoch": 1,
            "until": 0,
            "stop_requested": self.stop_requested,
            "is_new": True,
        }


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: str, daemon: FakeDaemon) -> None:
        self.daemon = daemon
        super().__init__(path, _Handler)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.daemon.disconnected(request)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.daemon.connected(self.connection)

    def do_GET(self) -> None:
        self._send(200, self.server.daemon.found(self.path))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.daemon.tokens.append(self.headers.get("Authorization"))
        if (found := self.server.daemon.answer(self.path, body)) is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        with suppress(BrokenPipeError):  # nobody waits any more
            self._send(*found)

    def _send(self, status: int, answer: object) -> None:
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def address_string(self) -> str:
        return "peer"


@contextmanager
def fake_daemon() -> Iterator[FakeDaemon]:
    """Give a fake daemon that listens."""
    with socket_dir() as data_dir:
        daemon = FakeDaemon(data_dir)
        daemon.start()
        try:
            yield daemon
        finally:
            daemon.stop()
