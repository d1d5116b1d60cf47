"""The daemon's own log: whole records on descriptor 2, and in the background a bounded file.

A daemon in the background has ``daemon.log`` on its descriptors 1 and 2, so that a library, the
fault handler and a dying interpreter write there too. A rotation therefore puts the new file on the
same descriptors instead of opening a stream of its own. In the foreground whoever supervises the
daemon collects what it writes.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from roost.daemon_log_text import JournalFormatter, LineFormatter
from roost.settings.daemon_settings import DaemonSettings
from roost.settings.locations import log_path

STDOUT, STDERR = 1, 2

JOURNAL = "JOURNAL_STREAM"
"""Device and inode of the stream that systemd reads, see systemd.exec(5)."""

RETRY_S = 60.0
"""A rotation that failed is not tried again for this time: the file grows meanwhile."""

QUIET = ("alembic", "httpcore", "httpcore2", "httpx", "httpx2", "mcp")
"""Libraries that log every step, or the content of requests and messages, below a warning."""

logger = logging.getLogger(__name__)


def log_to_stderr(environ: Mapping[str, str], *, debug: bool) -> None:
    """Log to descriptor 2: for the foreground, and until the data directory is known and owned.

    Args:
        environ: the daemon's environment; says whether the journal listens.
        debug: whether to log more.
    """
    _log_by(LogHandler(STDERR), environ, debug=debug)


def open_daemon_log(
    settings: DaemonSettings, environ: Mapping[str, str], *, debug: bool, foreground: bool
) -> None:
    """Log to where descriptor 2 leads, and keep the file small when that is the daemon's own log.

    Call it once the data directory is owned: only its owner may rotate.

    Args:
        settings: say how large the log may grow and how many old ones are kept.
        environ: the daemon's environment; says whether the journal listens.
        debug: whether to log more.
        foreground: whether somebody else collects what is written.
    """
    file = None if foreground else _rotated_file(settings)
    _log_by(LogHandler(STDERR, file), environ, debug=debug)
    faulthandler.enable()  # the stacks of a crashing interpreter, which holds no values


def _rotated_file(settings: DaemonSettings) -> RotatedFile | None:
    path = Path(log_path(str(settings.data_dir)))
    descriptors = [number for number in (STDERR, STDOUT) if _leads_to(number, path)]
    if STDERR not in descriptors:
        return None
    file = RotatedFile(
        path,
        max_bytes=settings.daemon_log_bytes,
        kept=settings.daemon_logs_kept,
        descriptors=descriptors,
    )
    file.tidy()
    return file


def _log_by(handler: logging.Handler, environ: Mapping[str, str], *, debug: bool) -> None:
    is_journal = _is_journal(environ.get(JOURNAL, ""), STDERR)
    handler.setFormatter(JournalFormatter() if is_journal else LineFormatter())
    level = logging.DEBUG if debug else logging.INFO
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


class RotatedFile:
    """A log file that some descriptors lead to, and the older ones beside it.

    ``daemon.log.1`` is the newest of the older ones. All are 0600.

    Args:
        path: the file.
        max_bytes: size it may reach.
        kept: how many older ones are kept.
        descriptors: lead to the file, the first of them decides its size.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int,
        kept: int,
        descriptors: Sequence[int],
    ) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._kept = kept
        self._descriptors = tuple(descriptors)
        self._not_before = float("-inf")

    def tidy(self) -> None:
        """Make the file private, and remove old ones that fewer kept ones leave behind."""
        with suppress(OSError):
            os.fchmod(self._descriptors[0], 0o600)
            number = self._kept + 1
            while self._older(number).exists():
                self._older(number).unlink()
                number += 1

    def make_room(self, count: int) -> None:
        """Rotate when `count` more bytes would not fit.

        The size is that of the file itself, for others write to the descriptors too.

        Raises:
            OSError: the rotation failed; the descriptors lead where they led before.
        """
        size = os.fstat(self._descriptors[0]).st_size
        if size == 0 or size + count <= self._max_bytes or time.monotonic() < self._not_before:
            return
        try:
            self._rotate()
        except OSError:
            self._not_before = time.monotonic() + RETRY_S
            raise

    def _rotate(self) -> None:
        # The new file is there before anything is renamed: a full disk changes nothing.
        fresh = self._path.with_name(f"{self._path.name}.new")
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(fresh, flags, 0o600)
        try:
            for number in range(self._kept - 1, 0, -1):
                with suppress(FileNotFoundError):
                    self._older(number).replace(self._older(number + 1))
            with suppress(FileNotFoundError):  # somebody took the log away
                self._path.replace(self._older(1))
            fresh.replace(self._path)
            for target in self._descriptors:
                os.dup2(descriptor, target)
        finally:
            os.close(descriptor)

    def _older(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


class LogHandler(logging.Handler):
    """Writes each record in one piece, and never fails the one who logs.

    What could not be written is counted, and told when there is room again.

    Args:
        descriptor: where to.
        file: the file behind it, when it is ours to rotate.
    """

    def __init__(self, descriptor: int, file: RotatedFile | None = None) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._file = file
        self._lost = 0
        self._reason = ""
        self._is_torn = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; the caller holds the handler's lock."""
        try:
            data = self._encoded(record)
        except Exception:  # noqa: BLE001 - whatever the arguments raise; they are not told
            place = f"{record.pathname}:{record.lineno}"
            data = self._encoded(_own_record("a record of %s cannot be formatted", place))
        self._make_room(len(data))
        self._write(self._told_losses() + data)

    def _encoded(self, record: logging.LogRecord) -> bytes:
        return (self.format(record) + "\n").encode(errors="backslashreplace")

    def _make_room(self, count: int) -> None:
        if self._file is None:
            return
        try:
            self._file.make_room(count)
        except OSError as error:
            self._write(self._encoded(_own_record("the log was not rotated: %s", error)))

    def _told_losses(self) -> bytes:
        start = b"\n" if self._is_torn else b""
        if not self._lost:
            return start
        sentence = "records lost before this one: %d (%s)"
        return start + self._encoded(_own_record(sentence, self._lost, self._reason))

    def _write(self, data: bytes) -> None:
        written = 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError as error:
            self._lost += 1
            self._reason = error.strerror or type(error).__name__
            self._is_torn = self._is_torn or written > 0
        else:
            self._lost, self._is_torn = 0, False


def _own_record(sentence: str, *arguments: object) -> logging.LogRecord:
    return logger.makeRecord(
        logger.name, logging.WARNING, __file__, 0, sentence, arguments, exc_info=None
    )


def _leads_to(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def _is_journal(stream: str, descriptor: int) -> bool:
    """Say whether a descriptor is the stream that systemd announced."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return stream == f"{found.st_dev}:{found.st_ino}"
