"""The daemon: one engine and its API in one process, ``python -m roost.daemon``.

Shutdown begins with the first SIGINT or SIGTERM (or a client's request) and walks once: refuse new
work, tell the viewers, settle runs, stop bundles, flush, close, exit. A second signal within two
seconds is taken for the same one, because a terminal and its supervisor signal together; a later
one forces the exit. Whatever a forced exit leaves running is ended by the watchdog.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from roost.api import ApiServer, bind_socket, create_app
from roost.clock import SystemClock
from roost.daemon_log import log_to_stderr, open_daemon_log
from roost.drivers.proctable import ProcessTable
from roost.engine import Engine
from roost.errors import (
    Conflict,
    DaemonAlreadyRunning,
    DaemonStartFailed,
    HookFailed,
    RoostError,
)
from roost.lifecycle import (
    EXIT_FORCED,
    ExceptionReporter,
    KeepAlive,
    Lifecycle,
    Notifier,
    ShutdownDeadline,
    StopSignals,
    watchdog_interval_s,
)
from roost.settings.daemon_settings import DaemonSettings, daemon_environment, read_settings
from roost.settings.locations import socket_path

EXIT_REFUSED = 4
"""Exit status when another daemon owns the data directory."""

logger = logging.getLogger("roost.daemon")

__all__ = ["EXIT_FORCED", "EXIT_REFUSED", "leave", "main", "own_data_dir"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a daemon until it is told to stop; returns its exit status."""
    arguments = _parse(argv)
    environ = daemon_environment()
    log_to_stderr(environ, debug=arguments.debug)
    try:
        settings = read_settings({"data_dir": arguments.data_dir})
        with own_data_dir(settings.data_dir):
            open_daemon_log(
                settings, environ, debug=arguments.debug, foreground=arguments.foreground
            )
            return asyncio.run(_Daemon(settings, environ).run())
    except RoostError as error:
        cause = error.__cause__ if isinstance(error, HookFailed) else None
        told = cause if isinstance(cause, RoostError) else error
        logger.error("%s", told.message)
        return EXIT_REFUSED if isinstance(told, Conflict) else 1


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m roost.daemon", description=__doc__)
    parser.add_argument("--data-dir", help="directory this daemon owns")
    parser.add_argument(
        "--foreground", action="store_true", help="somebody else keeps what it logs"
    )
    parser.add_argument("--debug", action="store_true", help="log more")
    return parser.parse_args(argv)


@contextmanager
def own_data_dir(data_dir: Path) -> Iterator[None]:
    """Hold the data directory's lock for the length of the block.

    The lock is an `flock` held for life; the text beside it only says who holds it, and since when.
    Two clients may start a daemon each; the slower one must not come up after the faster one has
    served and was told to stop, so a lock that was taken after this process began is not taken
    again.

    Raises:
        DaemonStartFailed: the directory cannot be made or written to.
        DaemonAlreadyRunning: another process holds it.
        Conflict: another daemon has held it since this process began.
    """
    lock = _open_lock(data_dir)
    try:
        holder = _read_holder(lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DaemonAlreadyRunning(str(data_dir), holder.get("pid")) from None
        _refuse_when_late(data_dir, _read_holder(lock))
        _tell_who_holds(lock)
        yield
    finally:
        os.close(lock)


def _open_lock(data_dir: Path) -> int:
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(data_dir / "daemon.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DaemonStartFailed(
            f"{error.filename or data_dir} cannot be used as the data directory's own "
            f"({error.strerror}); make it writable for this user, or choose another data directory"
        ) from error


def _tell_who_holds(lock: int) -> None:
    identity = ProcessTable().identify(os.getpid())
    if identity is not None:
        os.ftruncate(lock, 0)
        holder = identity._asdict() | {"since": _uptime()}
        os.pwrite(lock, json.dumps(holder).encode(), 0)


def _read_holder(lock: int) -> dict[str, Any]:
    with suppress(ValueError):
        holder = json.loads(os.pread(lock, 4096, 0))
        return holder if isinstance(holder, dict) else {}
    return {}


def _refuse_when_late(data_dir: Path, last: dict[str, Any]) -> None:
    me = ProcessTable().identify(os.getpid())
    since = last.get("since")
    if me is None or since is None or last.get("boot") != me.boot:
        return
    began = me.start / os.sysconf("SC_CLK_TCK")
    if since > began:
        raise Conflict(
            f"another daemon has served {data_dir} since this one was asked for, and has ended; "
            "run `roost` again if you want one"
        )


def _uptime() -> float | None:
    """Return the seconds since boot on the clock of process start times, where there is one."""
    if sys.platform != "linux":
        return None
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class _Daemon:
    """One run of the daemon: its parts on one lifecycle, and the signals that end it."""

    def __init__(self, settings: DaemonSettings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._environ = environ
        self._clock = SystemClock()
        self._stop = asyncio.Event()
        self._until_ended = ExitStack()
        self._lifecycle = Lifecycle(
            "the daemon", config=settings.described, when_closing=self._closing_begins
        )
        self._notifier = Notifier(environ, lambda: self._lifecycle.is_up)
        self._engine = Engine(settings, environ, self._clock, self._lifecycle)

    async def run(self) -> int:
        """Start, serve, and shut down in order."""
        signals = StopSignals(self._stop.set, when_forced="the watchdog ends what is left")
        signals.install()
        self._engine.on_shutdown_request(self._stop.set)
        self._register()
        stopping = asyncio.create_task(self._stop.wait())
        serving = asyncio.create_task(self._serve())
        try:
            await asyncio.wait({stopping, serving}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
            await stopping
            logger.info("shutting down")
        finally:
            stopping.cancel()
            await self._shut_down(serving)
            # Nothing is left to shut down: a late echo must not turn the exit into a death.
            signals.ignore()
        logger.info("bye")
        return 0

    def _register(self) -> None:
        """Add every part in the order of the start; the close walks it backwards."""
        beat = KeepAlive(
            self._notifier.alive,
            lambda: watchdog_interval_s(self._environ, os.getpid()),
            self._clock,
        )
        self._lifecycle.add("exception handlers", ExceptionReporter("the daemon"))
        self._lifecycle.add("signs of life", beat)
        self._lifecycle.add("api", listen=self._listen)
        self._engine.register()
        self._lifecycle.add(
            "service manager", server_did_ready=self._tell_ready, before_close=self._tell_stopping
        )

    async def _serve(self) -> None:
        await self._lifecycle.boot()
        await self._lifecycle.serving.wait()

    async def _listen(self) -> None:
        path = socket_path(str(self._settings.data_dir))
        app = create_app(self._engine, clock=self._clock, tokens=self._engine.tokens)
        server = ApiServer(app, bind_socket(path))
        self._lifecycle.on_close(server.stop)
        await server.start()

    def _tell_ready(self) -> None:
        logger.info("serving %s", self._settings.data_dir)
        self._notifier.status(f"serving {self._settings.data_dir}")
        self._notifier.ready()

    def _tell_stopping(self) -> None:
        self._notifier.stopping()
        self._notifier.extend(self._settings.shutdown_deadline_s)

    async def _shut_down(self, serving: asyncio.Task[None]) -> None:
        """Close every part while the API still says what is going on."""
        with self._until_ended:
            await self._lifecycle.close()
            await asyncio.gather(serving, return_exceptions=True)

    def _closing_begins(self) -> None:
        """Set the deadline, also for the close of a start that failed."""
        self._until_ended.enter_context(
            ShutdownDeadline(
                self._settings.shutdown_deadline_s, lambda: self._lifecycle.waiting_for
            )
        )


def leave(status: int) -> NoReturn:
    """End the process without taking the interpreter apart.

    Every part is closed by then. Collecting the objects of all loaded libraries would take longer
    than the whole shutdown, and whoever stops the daemon waits for its process.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    leave(main())
