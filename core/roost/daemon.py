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
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from roost.api import ApiServer, bind_socket, create_app
from roost.clock import SystemClock
from roost.drivers.proctable import ProcessTable
from roost.engine import Engine
from roost.errors import Conflict, DaemonAlreadyRunning, DaemonStartFailed, RoostError
from roost.settings.daemon_settings import DaemonSettings, daemon_environment, read_settings
from roost.settings.locations import socket_path

SAME_SIGNAL_S = 2.0
"""A second signal within this time is the first one's echo."""

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

EXIT_FORCED = 70
"""Exit status of a shutdown that was forced or ran into its deadline."""

EXIT_REFUSED = 4
"""Exit status when another daemon owns the data directory."""

logger = logging.getLogger("roost.daemon")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a daemon until it is told to stop; returns its exit status."""
    arguments = _parse(argv)
    logging.basicConfig(
        level=logging.DEBUG if arguments.debug else logging.INFO,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("aiosqlite").setLevel(logging.WARNING)
    try:
        settings = read_settings({"data_dir": arguments.data_dir})
        with own_data_dir(settings.data_dir):
            return _run(settings)
    except RoostError as error:
        logger.error("%s", error.message)
        return EXIT_REFUSED if isinstance(error, Conflict) else 1


def _run(settings: DaemonSettings) -> int:
    try:
        return asyncio.run(_Daemon(settings).run())
    finally:
        # Nothing is left to shut down: a late echo must not turn the exit into a death by signal.
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m roost.daemon", description=__doc__)
    parser.add_argument("--data-dir", help="directory this daemon owns")
    parser.add_argument("--foreground", action="store_true", help="stay attached (the default)")
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
    """One run of the daemon."""

    def __init__(self, settings: DaemonSettings) -> None:
        self._settings = settings
        self._clock = SystemClock()
        self._signalled_at: float | None = None
        self._stop = asyncio.Event()
        self._engine: Engine | None = None

    async def run(self) -> int:
        """Start, serve, and shut down in order."""
        self._own_signals()
        engine = Engine(self._settings, daemon_environment(), self._clock)
        self._engine = engine
        engine.on_shutdown_request(self._stop.set)
        await engine.__aenter__()
        try:
            path = socket_path(str(self._settings.data_dir))
            server = ApiServer(create_app(engine, clock=self._clock), bind_socket(path))
            async with server:
                logger.info("serving %s", self._settings.data_dir)
                await self._stop.wait()
                return await self._shut_down(engine)
        finally:
            engine.announce_stop()

    async def _shut_down(self, engine: Engine) -> int:
        """Close the engine while the API still says what is going on."""
        logger.info("shutting down")
        closing = asyncio.create_task(engine.close())
        try:
            async with asyncio.timeout(self._settings.shutdown_deadline_s):
                await asyncio.shield(closing)
        except TimeoutError:
            waiting = ", ".join(engine.waiting_for) or "an unnamed component"
            logger.error("shutdown deadline passed; still waiting for: %s", waiting)
            os._exit(EXIT_FORCED)
        logger.info("bye")
        return 0

    def _own_signals(self) -> None:
        loop = asyncio.get_running_loop()

        def receive(number: int, _: FrameType | None) -> None:
            with suppress(RuntimeError):  # the loop has just closed
                loop.call_soon_threadsafe(self._on_signal, signal.Signals(number))

        # Not the loop's own handlers: those go with the loop, before the process does.
        for number in STOP_SIGNALS:
            signal.signal(number, receive)

    def _on_signal(self, number: signal.Signals) -> None:
        now = self._clock.monotonic()
        if self._signalled_at is None:
            self._signalled_at = now
            self._stop.set()
        elif now - self._signalled_at <= SAME_SIGNAL_S:
            logger.debug("%s ignored: the shutdown has begun", number.name)
        else:
            logger.error("%s again: exit forced; the watchdog ends what is left", number.name)
            os._exit(EXIT_FORCED)


if __name__ == "__main__":
    sys.exit(main())
