from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from tests.support.processes import open_descriptors

from roost.errors import InvalidName, LogNotFound
from roost.models import LogPage, LogStream
from roost.supervision.logfiles import LogFiles, LogWriter
from roost.supervision.loglines import LINE_LIMIT

OUT, ERR, ROOST = LogStream.STDOUT, LogStream.STDERR, LogStream.ROOST


class FixedClock:
    """A wall clock that stands still, so that every line has the same length."""

    def now(self) -> int:
        return 1_700_000_000_000

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("logs do not sleep")


@pytest.fixture
def logs(tmp_path: Path) -> LogFiles:
    return LogFiles(tmp_path / "logs", clock=FixedClock())


def small_logs(tmp_path: Path, *, max_bytes: int = 1000, keep: int = 3) -> LogFiles:
    return LogFiles(tmp_path / "logs", max_bytes=max_bytes, keep=keep, clock=FixedClock())


def texts(page: LogPage) -> list[str]:
    return [line.text for line in page.lines]


def write_numbers(writer: LogWriter, first: int, last: int) -> None:
    for number in range(first, last):
        writer.write(OUT, b"line %05d\n" % number)


def numbers(first: int, last: int) -> list[str]:
    return [f"line {number:05d}" for number in range(first, last)]


def test_lines_of_all_streams_are_kept_in_order(logs: LogFiles) -> None:
    writer = logs.writer("lab", "app", 1)
    writer.note("starting")
    writer.write(OUT, b"one\nparti")
    writer.write(ERR, b"careful\n")
    writer.write(OUT, b"al\nrest")
    writer.close()
    page = logs.page("lab", "app")
    assert [(line.stream, line.text) for line in page.lines] == [
        (ROOST, "starting"),
        (OUT, "one"),
        (ERR, "careful"),
        (OUT, "partial"),
        (OUT, "rest"),
    ]
    assert (page.generation, page.start_offset, page.dropped) == (1, 0, 0)
    assert page.end_offset == page.size_bytes == page.lines[-1].offset
    assert page.lines[0].at == 1_700_000_000_000


def test_the_form_on_disk_is_one_plain_line_each(logs: LogFiles, tmp_path: Path) -> None:
    writer = logs.writer("lab", "app", 7)
    writer.write(ERR, b"hot\r\n")
    writer.close()
    [path] = (tmp_path / "logs/lab/app").iterdir()
    assert path.name == "7-0-0.log"
    assert path.read_bytes() == b"1700000000000 err hot\n"


def test_files_and_directories_are_private(logs: LogFiles, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        logs.writer("lab", "app", 1).close()
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "logs").rglob("*")}
    assert modes == {"lab": 0o700, "app": 0o700, "1-0-0.log": 0o600}
    assert (tmp_path / "logs").stat().st_mode & 0o777 == 0o700


def test_a_flood_is_written_whole_and_read_in_pages(logs: LogFiles) -> None:
    writer = logs.writer("lab", "app", 1)
    flood = b"".join(b"line %05d\n" % number for number in range(50_000))
    for start in range(0, len(flood), 65536):
        writer.write(OUT, flood[start : start + 65536])
    writer.close()
    seen: list[str] = []
    page = logs.page("lab", "app", after=0, limit=5000)
    while page.lines:
        seen += texts(page)
        page = logs.page("lab", "app", after=page.end_offset, limit=5000)
    assert seen == numbers(0, 50_000)
    back = logs.page("lab", "app", limit=300)
    assert texts(back) == numbers(49_700, 50_000)
    assert texts(logs.page("lab", "app", before=back.start_offset, limit=2)) == numbers(
        49_698, 49_700
    )


def test_a_huge_line_is_cut(logs: LogFiles) -> None:
    writer = logs.writer("lab", "app", 1)
    writer.write(OUT, b"x" * 1_000_000 + b"\nnext\n")
    writer.close()
    assert texts(logs.page("lab", "app")) == [
        "x" * LINE_LIMIT + f" [cut {1_000_000 - LINE_LIMIT} bytes]",
        "next",
    ]


def test_rotation_drops_the_oldest_lines_and_counts_them_exactly(tmp_path: Path) -> None:
    logs = small_logs(tmp_path)
    writer = logs.writer("lab", "app", 1)
    write_numbers(writer, 0, 1000)
    writer.close()
    files = list((tmp_path / "logs/lab/app").iterdir())
    assert len(files) == 3
    assert all(path.stat().st_size <= 1000 for path in files)
    page = logs.page("lab", "app", limit=5000)
    assert page.dropped > 800
    assert texts(page) == numbers(page.dropped, 1000)
    line_bytes = len("1700000000000 out line 00000\n")
    assert page.start_offset == page.dropped * line_bytes
    assert page.size_bytes == 1000 * line_bytes


def test_offsets_stay_true_over_rotation(tmp_path: Path) -> None:
    logs = small_logs(tmp_path, keep=50)
    writer = logs.writer("lab", "app", 1)
    write_numbers(writer, 0, 200)
    marked = logs.page("lab", "app", limit=1).end_offset
    write_numbers(writer, 200, 400)
    assert texts(logs.page("lab", "app", after=marked, limit=3)) == numbers(200, 203)
    assert texts(logs.page("lab", "app", before=marked, limit=3)) == numbers(197, 200)
    assert texts(logs.page("lab", "app", limit=150)) == numbers(250, 400)
    writer.close()


def test_reading_on_from_a_dropped_place_begins_at_what_is_kept(tmp_path: Path) -> None:
    logs = small_logs(tmp_path)
    writer = logs.writer("lab", "app", 1)
    write_numbers(writer, 0, 1000)
    writer.close()
    page = logs.page("lab", "app", after=29, limit=1)
    assert texts(page) == numbers(page.dropped, page.dropped + 1)
    assert page.start_offset > 29
    assert logs.page("lab", "app", before=29).lines == ()


@pytest.mark.parametrize("limit", [1, 2, 7, 5000])
@pytest.mark.parametrize("block", [16, 64, 65536])
def test_every_place_reads_the_same_forwards_and_backwards(
    tmp_path: Path, limit: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roost.supervision.logsegments.BLOCK_BYTES", block)
    logs = small_logs(tmp_path, max_bytes=200)
    writer = logs.writer("lab", "app", 1)
    write_numbers(writer, 0, 30)
    writer.close()
    whole = logs.page("lab", "app", limit=5000)
    for offset in range(whole.start_offset - 2, whole.size_bytes + 3):
        behind = [line for line in whole.lines if line.offset - 29 >= offset][:limit]
        ahead = [line for line in whole.lines if line.offset <= offset][-limit:]
        assert list(logs.page("lab", "app", after=offset, limit=limit).lines) == behind
        assert list(logs.page("lab", "app", before=offset, limit=limit).lines) == ahead


@pytest.mark.parametrize("place", [{"after": 10**9}, {"before": 0}, {"limit": 0}, {"before": -5}])
def test_a_place_outside_the_log_gives_an_empty_page(logs: LogFiles, place: dict[str, int]) -> None:
    writer = logs.writer("lab", "app", 1)
    writer.note("only")
    writer.close()
    page = logs.page("lab", "app", **place)
    assert page.lines == () and page.start_offset == page.end_offset


def test_generations_are_chosen_by_number_or_from_the_newest(logs: LogFiles) -> None:
    for generation in (3, 9, 12):
        writer = logs.writer("lab", "app", generation)
        writer.note(f"generation {generation}")
        writer.close()
    assert texts(logs.page("lab", "app")) == ["generation 12"]
    assert texts(logs.page("lab", "app", generation=-1)) == ["generation 9"]
    assert texts(logs.page("lab", "app", generation=-2)) == ["generation 3"]
    assert texts(logs.page("lab", "app", generation=9)) == ["generation 9"]
    for missing in (-3, 0, 10):
        with pytest.raises(LogNotFound, match="'app'"):
            logs.page("lab", "app", generation=missing)
    with pytest.raises(LogNotFound):
        logs.page("lab", "other")


def test_names_that_are_no_names_never_reach_the_file_system(logs: LogFiles) -> None:
    with pytest.raises(InvalidName):
        logs.page("..", "app")
    with pytest.raises(InvalidName):
        logs.writer("lab", "../app", 1)


def test_old_generations_go_and_the_two_newest_stay(tmp_path: Path) -> None:
    logs = LogFiles(tmp_path, keep_generations=3, keep_bytes=10**9)
    for generation in range(1, 8):
        writer = logs.writer("lab", "app", generation)
        writer.note("hello")
        writer.close()
    kept = sorted(int(path.name.split("-")[0]) for path in (tmp_path / "lab/app").iterdir())
    assert kept == [5, 6, 7]
    LogFiles(tmp_path, keep_bytes=0).writer("lab", "app", 8).close()
    kept = sorted(int(path.name.split("-")[0]) for path in (tmp_path / "lab/app").iterdir())
    assert kept == [7, 8]


def test_a_log_torn_by_a_crash_is_repaired_when_it_is_opened_again(
    logs: LogFiles, tmp_path: Path
) -> None:
    writer = logs.writer("lab", "app", 1)
    write_numbers(writer, 0, 2)
    writer.close()
    path = tmp_path / "logs/lab/app/1-0-0.log"
    with path.open("ab") as file:
        file.write(b"1700000000000 out to")
    torn = logs.page("lab", "app")
    assert texts(torn) == numbers(0, 2) and torn.end_offset < torn.size_bytes
    writer = logs.writer("lab", "app", 1)
    write_numbers(writer, 2, 4)
    writer.close()
    assert texts(logs.page("lab", "app")) == numbers(0, 4)


def test_the_tail_is_at_hand_for_crash_records(logs: LogFiles) -> None:
    writer = logs.writer("lab", "app", 1)
    writer.write(ERR, b"".join(b"error %d\n" % number for number in range(100)))
    writer.write(ERR, b"half a li")
    writer.write(OUT, b"output\n")
    tail = writer.tail(ERR)
    assert len(tail) == 50 and tail[-2:] == ("error 99", "half a li")
    assert writer.tail(ERR, 1) == ("half a li",)
    assert writer.tail(ERR, 0) == ()
    writer.close()
    assert writer.tail(ERR) == tail
    assert writer.tail(OUT) == ("output",)


def test_what_comes_after_the_close_is_ignored(logs: LogFiles) -> None:
    before = open_descriptors()
    writer = logs.writer("lab", "app", 1)
    writer.close()
    writer.close()
    writer.note("too late")
    assert logs.page("lab", "app").lines == ()
    assert open_descriptors() == before


def test_a_full_disk_is_survived_counted_and_noted(
    logs: LogFiles, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    writer = logs.writer("lab", "app", 1)
    write_numbers(writer, 0, 2)
    real_write = os.write

    def fill(descriptor: int, data: bytes) -> int:
        if len(data) > 10:
            return real_write(descriptor, data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fill)
        writer.write(OUT, b"lost\nlost too\n")
        writer.write(OUT, b"lost as well\n")
    assert writer.lost_lines == 3
    assert len(caplog.records) == 1
    write_numbers(writer, 2, 4)
    writer.close()
    assert texts(logs.page("lab", "app")) == [
        *numbers(0, 2),
        "3 lines could not be written: No space left on device",
        *numbers(2, 4),
    ]
    assert writer.tail(OUT)[2] == "lost"


def test_a_directory_that_cannot_be_made_is_survived_too(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("in the way")
    logs = LogFiles(tmp_path / "logs")
    writer = logs.writer("lab", "app", 1)
    writer.note("lost")
    (tmp_path / "logs").unlink()
    writer.note("kept")
    writer.close()
    assert texts(logs.page("lab", "app"))[1:] == ["kept"]
    assert writer.lost_lines == 1


def test_readers_in_another_thread_are_not_disturbed_by_retention(tmp_path: Path) -> None:
    logs = small_logs(tmp_path, max_bytes=2000, keep=2)
    writer = logs.writer("lab", "app", 1)
    write_numbers(writer, 0, 10)
    problems: list[object] = []
    is_over = threading.Event()

    def read() -> None:
        while not is_over.is_set():
            try:
                found = texts(logs.page("lab", "app", limit=5))
            except LogNotFound as error:
                problems.append(error)
                return
            first = int(found[0].split()[1])
            if found != numbers(first, first + 5):
                problems.append(found)

    reader = threading.Thread(target=read)
    reader.start()
    write_numbers(writer, 10, 5000)
    is_over.set()
    reader.join()
    writer.close()
    assert problems == []


async def next_page(pages: AsyncIterator[LogPage]) -> LogPage:
    async with asyncio.timeout(30):
        return await anext(pages)


async def test_a_follower_gets_the_tail_and_then_what_is_written(logs: LogFiles) -> None:
    writer = logs.writer("lab", "app", 1)
    write_numbers(writer, 0, 10)
    async with aclosing(logs.follow("lab", "app", 3)) as pages:
        assert texts(await next_page(pages)) == numbers(7, 10)
        waiting = asyncio.create_task(next_page(pages))
        await asyncio.sleep(0)
        write_numbers(writer, 10, 12)
        assert texts(await waiting) == numbers(10, 12)
        write_numbers(writer, 12, 13)
        assert texts(await next_page(pages)) == numbers(12, 13)
    writer.close()
    assert logs._followers == {}


async def test_a_follower_of_nothing_waits_for_the_first_start(logs: LogFiles) -> None:
    async with aclosing(logs.follow("lab", "app")) as pages:
        waiting = asyncio.create_task(next_page(pages))
        await asyncio.sleep(0)
        writer = logs.writer("lab", "app", 1)
        assert (await waiting).generation == 1
        writer.note("hello")
        assert texts(await next_page(pages)) == ["hello"]
        writer.close()


async def test_a_follower_reads_the_old_generation_out_and_moves_on(logs: LogFiles) -> None:
    old = logs.writer("lab", "app", 1)
    async with aclosing(logs.follow("lab", "app", 0)) as pages:
        assert (await next_page(pages)).lines == ()
        old.note("last words")
        old.close()
        new = logs.writer("lab", "app", 2)
        new.note("first words")
        seen = [await next_page(pages), await next_page(pages)]
        assert [(page.generation, texts(page)) for page in seen] == [
            (1, ["last words"]),
            (2, ["first words"]),
        ]
        new.close()


async def test_a_follower_reads_on_in_a_generation_that_is_written_beside_a_newer_one(
    logs: LogFiles,
) -> None:
    old = logs.writer("lab", "app", 1)
    async with aclosing(logs.follow("lab", "app", 0)) as pages:
        assert (await next_page(pages)).generation == 1
        candidate = logs.writer("lab", "app", 2)
        candidate.note("it does not start")
        old.note("it serves on")
        seen = [await next_page(pages), await next_page(pages)]
        candidate.close()
        old.note("and on")
        seen.append(await next_page(pages))
        later = logs.writer("lab", "app", 3)
        later.note("this one starts")
        old.note("last words")
        old.close()
        seen += [await next_page(pages), await next_page(pages)]
        assert [(page.generation, texts(page)) for page in seen] == [
            (1, ["it serves on"]),
            (2, ["it does not start"]),
            (1, ["and on"]),
            (1, ["last words"]),
            (3, ["this one starts"]),
        ]
        later.close()


async def test_a_follower_that_comes_late_follows_what_serves_beside_a_newer_generation(
    logs: LogFiles,
) -> None:
    old, candidate = logs.writer("lab", "app", 1), logs.writer("lab", "app", 2)
    old.note("long ago")
    candidate.note("it does not start")
    candidate.close()
    async with aclosing(logs.follow("lab", "app")) as pages:
        assert texts(await next_page(pages)) == ["it does not start"]
        old.note("it serves on")
        page = await next_page(pages)
        assert (page.generation, texts(page)) == (1, ["it serves on"])
    old.close()


async def test_a_follower_that_falls_behind_retention_reads_on_at_what_is_kept(
    tmp_path: Path,
) -> None:
    logs = small_logs(tmp_path)
    writer = logs.writer("lab", "app", 1)
    write_numbers(writer, 0, 1)
    async with aclosing(logs.follow("lab", "app")) as pages:
        first = await next_page(pages)
        write_numbers(writer, 1, 1000)
        page = await next_page(pages)
        assert page.start_offset > first.end_offset
        assert texts(page) == numbers(page.dropped, 1000)
    writer.close()


async def test_a_flood_reaches_a_follower_whole(logs: LogFiles) -> None:
    writer = logs.writer("lab", "app", 1)
    seen: list[str] = []

    async def follow() -> None:
        async with aclosing(logs.follow("lab", "app", 0)) as pages:
            async for page in pages:
                seen.extend(texts(page))
                if seen and seen[-1] == "line 49999":
                    return

    following = asyncio.create_task(follow())
    for start in range(0, 50_000, 1000):
        lines = range(start, start + 1000)
        if start == 10_000:
            await asyncio.sleep(0)
        writer.write(OUT, b"".join(b"line %05d\n" % number for number in lines))
        await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await following
    writer.close()
    assert seen == numbers(int(seen[0].split()[1]), 50_000)


@pytest.mark.parametrize("how", ["remove", "close"])
async def test_followers_end_with_the_logs(logs: LogFiles, how: str, tmp_path: Path) -> None:
    logs.writer("lab", "app", 1).close()
    pages = logs.follow("lab", "app")
    await next_page(pages)
    waiting = asyncio.create_task(next_page(pages))
    await asyncio.sleep(0)
    if how == "remove":
        logs.remove("lab", "app")
        assert not (tmp_path / "logs/lab/app").exists()
    else:
        logs.close()
    with pytest.raises(StopAsyncIteration):
        await waiting


def test_removing_what_is_not_there_is_no_error(logs: LogFiles) -> None:
    logs.remove("lab", "app")
