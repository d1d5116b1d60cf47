"""The daemon's own log: bounded, private, and whole whoever writes."""

from __future__ import annotations

import errno
import logging
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from roost.daemon_log import LogHandler, RotatedFile
from roost.daemon_log_text import LineFormatter


def logger_on(handler: LogHandler) -> logging.Logger:
    """Return a logger that writes to this handler and to nothing else."""
    handler.setFormatter(LineFormatter("%(levelname)s %(message)s"))
    logger = logging.getLogger("test-of-the-daemon-log")
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    return logger


class Log:
    """A log file on two descriptors of its own, and a logger that writes to it."""

    def __init__(self, path: Path, *, max_bytes: int, kept: int) -> None:
        self.path = path
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self.descriptors = [os.open(path, flags, 0o644) for _ in range(2)]
        self.file = RotatedFile(path, max_bytes=max_bytes, kept=kept, descriptors=self.descriptors)
        self.max_bytes = max_bytes
        self.logger = logger_on(LogHandler(self.descriptors[0], self.file))

    def files(self) -> list[str]:
        return sorted(entry.name for entry in self.path.parent.iterdir())

    def text(self, number: int = 0) -> str:
        name = f"{self.path.name}.{number}" if number else self.path.name
        return self.path.with_name(name).read_text()

    def all_lines(self) -> list[str]:
        """Return every line of every file, oldest first."""
        numbers = [int(name.rpartition(".")[2]) for name in self.files() if name != self.path.name]
        whole = [self.text(number) for number in [*sorted(numbers, reverse=True), 0]]
        return "".join(whole).splitlines()

    def close(self) -> None:
        self.logger.handlers.clear()
        for descriptor in self.descriptors:
            os.close(descriptor)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """A log of a thousand bytes, of which two older ones are kept."""
    made = Log(tmp_path / "daemon.log", max_bytes=1000, kept=2)
    yield made
    made.close()


def fill(log: Log) -> None:
    """Write to the present file until nothing more fits."""
    room = log.max_bytes - os.fstat(log.descriptors[0]).st_size
    os.write(log.descriptors[0], b"." * (room - 1) + b"\n")


def test_a_full_log_is_rotated_and_only_so_many_older_ones_are_kept(log: Log) -> None:
    for number in range(100):
        log.logger.info("record %03d %s", number, "x" * 80)
    assert log.files() == ["daemon.log", "daemon.log.1", "daemon.log.2"]
    lines = log.all_lines()
    assert lines[-1].startswith("INFO record 099")
    assert [int(line.split()[2]) for line in lines] == list(range(100 - len(lines), 100))
    assert all((log.path.parent / name).stat().st_size <= 1000 for name in log.files())


def test_every_log_is_private(log: Log) -> None:
    log.path.chmod(0o644)
    log.file.tidy()
    for _ in range(2):
        fill(log)
        log.logger.info("next")
    assert len(log.files()) == 3
    modes = {stat.S_IMODE((log.path.parent / name).stat().st_mode) for name in log.files()}
    assert modes == {0o600}


def test_what_others_write_to_the_descriptors_counts_and_follows_to_the_new_file(log: Log) -> None:
    fill(log)
    log.logger.info("first of the new file")
    for descriptor in log.descriptors:
        os.write(descriptor, b"a library on %d\n" % log.descriptors.index(descriptor))
    assert log.text().splitlines() == [
        "INFO first of the new file",
        "a library on 0",
        "a library on 1",
    ]
    assert log.text(1).endswith(".\n")


def test_a_record_larger_than_a_file_is_kept_whole(log: Log) -> None:
    log.logger.info("small")
    log.logger.info("y" * 5000)
    log.logger.info("small again")
    assert len(log.text(1)) == 5000 + len("INFO \n")
    assert log.text() == "INFO small again\n"


def test_threads_that_log_at_once_lose_and_tear_nothing(tmp_path: Path) -> None:
    log = Log(tmp_path / "daemon.log", max_bytes=2000, kept=1000)
    start = threading.Barrier(4)

    def write(name: int) -> None:
        start.wait(30)
        for number in range(100):
            log.logger.info("%d-%d %s", name, number, "z" * 50)

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    lines = log.all_lines()
    log.close()
    assert len(log.files()) > 10
    assert sorted(line.split()[1] for line in lines) == sorted(
        f"{name}-{number}" for name in range(4) for number in range(100)
    )
    assert {line.split()[2] for line in lines} == {"z" * 50}


def test_a_log_that_cannot_be_rotated_goes_on_and_says_so_once(log: Log) -> None:
    (log.path.parent / "daemon.log.new").mkdir()
    fill(log)
    log.logger.info("one")
    log.logger.info("two")
    told = log.text().splitlines()
    assert log.files() == ["daemon.log", "daemon.log.new"]
    assert told[1].startswith("WARNING the log was not rotated: [Errno")
    assert told[2:] == ["INFO one", "INFO two"]


def test_a_log_that_was_taken_away_is_made_anew_at_the_next_rotation(log: Log) -> None:
    log.path.rename(log.path.with_name("taken"))
    fill(log)
    log.logger.info("anew")
    assert log.text() == "INFO anew\n"


def test_fewer_kept_logs_remove_those_beyond(tmp_path: Path) -> None:
    for number in range(1, 6):
        (tmp_path / f"daemon.log.{number}").write_text("old")
    log = Log(tmp_path / "daemon.log", max_bytes=1000, kept=2)
    log.file.tidy()
    log.close()
    assert log.files() == ["daemon.log", "daemon.log.1", "daemon.log.2"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_stops_nobody_and_is_told_when_there_is_room_again(log: Log) -> None:
    full, room = os.open("/dev/full", os.O_WRONLY), os.dup(log.descriptors[0])
    os.dup2(full, log.descriptors[0])
    log.logger.error("lost")
    log.logger.error("lost too")
    os.dup2(room, log.descriptors[0])
    log.logger.info("there is room")
    log.logger.info("still")
    os.close(full)
    os.close(room)
    reason = os.strerror(errno.ENOSPC)
    assert log.text().splitlines() == [
        f"WARNING records lost before this one: 2 ({reason})",
        "INFO there is room",
        "INFO still",
    ]


def test_a_record_that_was_written_in_part_does_not_spoil_the_next() -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    os.set_blocking(read_end, False)
    logger = logger_on(LogHandler(write_end))
    logger.error("q" * 2_000_000)  # more than any pipe takes
    with suppress(BlockingIOError):
        while os.read(read_end, 65536):
            pass
    logger.error("whole")
    reason = os.strerror(errno.EAGAIN)
    assert os.read(read_end, 65536).decode().splitlines() == [
        "",
        f"WARNING records lost before this one: 1 ({reason})",
        "ERROR whole",
    ]
    os.close(read_end)
    os.close(write_end)


def test_arguments_that_do_not_fit_are_reported_without_them(log: Log) -> None:
    log.logger.info("%d bundles", "hunter2")
    assert log.text().startswith("WARNING a record of ")
    assert "cannot be formatted" in log.text() and "hunter2" not in log.text()


PROGRAM = """
import faulthandler, logging, os, sys
from roost.daemon_log import open_daemon_log
from roost.settings.daemon_settings import read_settings

settings = read_settings({"data_dir": sys.argv[1], "daemon_log_bytes": 65536})
open_daemon_log(settings, os.environ, debug=True, foreground=False)
logger = logging.getLogger("flood")
for number in range(1200):
    logger.info("record %04d %s", number, "x" * 100)
    if number % 100 == 0:
        os.write(2, b"library %04d\\n" % number)
        print(f"printed {number:04d}", flush=True)
logging.getLogger("httpx").info("GET https://example.org/?key=hunter2")
logging.getLogger("mcp.client").debug("a message")
sys.stderr.write("last words\\n")
faulthandler._sigsegv()
"""


def run(
    program: str, argument: object, *, stderr: int, stdout: int = subprocess.DEVNULL
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", program, str(argument)],
        stdout=stdout,
        stderr=stderr,
        timeout=60,
        check=False,
    )


def test_everything_a_process_writes_lands_in_its_rotated_log_even_its_crash(
    tmp_path: Path,
) -> None:
    path = tmp_path / "daemon.log"
    with path.open("ab") as file:
        done = run(PROGRAM, tmp_path, stdout=file.fileno(), stderr=file.fileno())
    assert done.returncode < 0
    names = sorted(entry.name for entry in tmp_path.iterdir())
    assert names == ["daemon.log", "daemon.log.1", "daemon.log.2"]
    whole = "".join((tmp_path / name).read_text() for name in reversed(names))
    for text in ("record %04d", "library %04d", "printed %04d"):
        wanted = range(1200) if text.startswith("record") else range(0, 1200, 100)
        assert all(text % number in whole for number in wanted)
    newest = path.read_text()
    assert "last words" in newest
    assert "Fatal Python error: Segmentation fault" in newest
    assert "hunter2" not in whole and "a message" not in whole


def test_in_the_foreground_nothing_is_rotated(tmp_path: Path) -> None:
    path = tmp_path / "daemon.log"
    program = PROGRAM.replace("foreground=False", "foreground=True")
    with path.open("ab") as file:
        run(program, tmp_path, stdout=file.fileno(), stderr=file.fileno())
    assert [entry.name for entry in tmp_path.iterdir()] == ["daemon.log"]
    assert path.stat().st_size > 65536


def test_a_stream_that_is_not_the_log_is_left_where_it_leads(tmp_path: Path) -> None:
    done = run(PROGRAM, tmp_path, stderr=subprocess.PIPE)
    assert b"record 1199" in done.stderr and b"last words" in done.stderr
    assert not list(tmp_path.iterdir())


JOURNAL = """
import logging, os, sys
from roost.daemon_log import log_to_stderr

log_to_stderr({"JOURNAL_STREAM": sys.argv[1]}, debug=False)
logging.getLogger("roost.test").warning("careful")
logging.getLogger("roost.test").debug("unseen")
"""


@pytest.mark.parametrize("is_announced", [True, False])
def test_the_journal_is_known_by_the_stream_that_was_announced(is_announced: bool) -> None:
    read_end, write_end = os.pipe()
    stream = os.fstat(write_end)
    announced = f"{stream.st_dev}:{stream.st_ino if is_announced else stream.st_ino + 1}"
    done = run(JOURNAL, announced, stderr=write_end)
    os.close(write_end)
    with os.fdopen(read_end) as reader:
        text = reader.read()
    assert done.returncode == 0
    assert len(text.splitlines()) == 1
    assert (text == "<4>roost.test: careful\n") is is_announced
