"""Loads what a daemon needs, once, and then becomes a daemon as often as it is asked to.

Its standard input is a socket. Each message asks for one daemon in JSON, and brings two
descriptors: where that daemon logs, and where its pid and later its exit status are told.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import runpy
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import Any, NoReturn

from roost import daemon

USED_LATER = ("roost.runs.schema", "roost.supervision.mcp_session")
"""What a daemon imports only when it opens its store or starts its first server."""

MESSAGE_BYTES = 1 << 17


class Template:
    """The process that is loaded, and the daemons it has become.

    Args:
        control: where daemons are asked for; its end is the end of this process.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._running: dict[int, tuple[int, socket.socket]] = {}
        """By the descriptor that tells its end: a daemon's pid, and whom to tell."""

    def serve(self) -> None:
        """Become what is asked for until nobody can ask any more."""
        while True:
            ready, _, _ = select.select([self._control.fileno(), *self._running], [], [])
            for descriptor in ready:
                if descriptor in self._running:
                    self._tell_end(descriptor)
                elif not self._begin():
                    self._end_all()  # of tests that were broken off
                    return

    def _begin(self) -> bool:
        message, descriptors, _, _ = socket.recv_fds(self._control, MESSAGE_BYTES, 2)
        if not message:
            return False
        log, told = descriptors
        pid = os.fork()
        if pid == 0:
            self._forget()
            become(json.loads(message), log)
        os.close(log)
        teller = socket.socket(fileno=told)
        self._running[os.pidfd_open(pid)] = (pid, teller)
        try:
            teller.send(str(pid).encode())
        except OSError:  # whoever asked has given up waiting, and will not end it
            os.kill(pid, signal.SIGKILL)
        return True

    def _end_all(self) -> None:
        for pid, _ in self._running.values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def _tell_end(self, descriptor: int) -> None:
        pid, teller = self._running.pop(descriptor)
        os.close(descriptor)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with teller, suppress(OSError):
            teller.send(str(status).encode())

    def _forget(self) -> None:
        """Leave all sockets to the parent: none of these objects may close one of the daemon's."""
        self._control.detach()
        for _, teller in self._running.values():
            teller.detach()


def become(asked: dict[str, Any], log: int) -> NoReturn:
    """Go on as a daemon that was just executed; what it raises ends it like any program."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for number, source in enumerate((null, log, log)):
        os.dup2(source, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.chdir("/")
    os.environ.clear()
    os.environ.update(asked["environ"])
    time.tzset()
    sys.path[1:1] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    resource.setrlimit(resource.RLIMIT_NOFILE, asked["open_files"])
    sys.argv = asked["argv"]
    if asked["program"] is not None:
        runpy.run_path(asked["program"], run_name="__main__")
        sys.exit()
    daemon.leave(daemon.main(sys.argv[1:]))


def main() -> None:
    """Load everything, and serve whoever has started this."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl+c is for the tests
    for name in USED_LATER:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a search for garbage would copy every page of it in each daemon
    Template(socket.socket(fileno=0)).serve()


if __name__ == "__main__":
    main()
