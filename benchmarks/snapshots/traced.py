"""A start under trace against a plain one, both until the program is ready, and no daemon in it."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Sequence

from benchmarks.respawn import INITIALIZE
from benchmarks.snapshots.share import Share
from benchmarks.snapshots.subjects import Subject
from roost.models import BundleKind, Launch
from roost.snapshots.cold_start import ColdStart
from roost.snapshots.entry import Entry, read_entry
from roost.snapshots.trace_command import TraceCommand

PAIRS = 11

READY_BOUND_S = 60.0

LOOK_PAUSE_S = 0.002


def traced(subject: Subject) -> Share:
    """Start a subject in turn with and without the trace."""
    launch = Launch(tuple(subject.request.command or ()), dict(os.environ), os.getcwd(), ())
    entry = read_entry(subject.name, launch)
    if not isinstance(entry, Entry):
        raise SystemExit(entry.sentence)
    pairs = []
    for _ in range(PAIRS + 1):
        command = TraceCommand(entry, ColdStart("bench", subject.name, "1", launch))
        try:
            told = command.command
            pairs.append(
                (_ready_ms(subject, told.argv, told.inherited), _ready_ms(subject, launch.argv))
            )
        finally:
            command.close()
    under_trace, plain = zip(*pairs[1:], strict=True)
    return Share(f"{subject.name} under trace / plain", under_trace, plain)


def _ready_ms(subject: Subject, argv: Sequence[str], inherited: Sequence[int] = ()) -> float:
    is_web = subject.request.kind is BundleKind.WEB
    port = _free_port()
    began = time.perf_counter()
    process = subprocess.Popen(
        argv,
        env=os.environ | {"PORT": str(port)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=tuple(inherited),
    )
    with process:
        try:
            _await_answer(port) if is_web else _await_handshake(process)
            return (time.perf_counter() - began) * 1000
        finally:
            process.kill()


def _await_handshake(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(json.dumps(INITIALIZE).encode() + b"\n")
    process.stdin.flush()
    if not process.stdout.readline():
        raise SystemExit("the server did not answer")


def _await_answer(port: int) -> None:
    gives_up_at = time.monotonic() + READY_BOUND_S
    while time.monotonic() < gives_up_at:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        try:
            connection.request("GET", "/")
            if connection.getresponse().status == http.client.OK:
                return
        except OSError:
            time.sleep(LOOK_PAUSE_S)
        finally:
            connection.close()
    raise SystemExit(f"nobody answered on port {port}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
