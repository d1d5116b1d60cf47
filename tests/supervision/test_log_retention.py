"""Which logs are kept, and that what is kept is what was printed."""

import random
from pathlib import Path

import pytest

from roost.errors import LogNotFound
from roost.models import LogStream
from roost.supervision.logfiles import LogFiles, LogWriter
from roost.vault import Scrubber

OUT = LogStream.STDOUT


def filled(logs: LogFiles, generation: int, *, lines: int = 1) -> LogWriter:
    writer = logs.writer("w", "app", generation)
    for number in range(lines):
        writer.write(OUT, b"generation %d line %d\n" % (generation, number))
    return writer


def kept(logs: LogFiles, generations: int) -> list[int]:
    found = []
    for generation in range(1, generations + 1):
        try:
            logs.page("w", "app", generation=generation)
        except LogNotFound:
            continue
        found.append(generation)
    return found


def test_what_serves_on_keeps_its_log_while_its_successors_fail(tmp_path: Path) -> None:
    logs = LogFiles(tmp_path, keep_generations=2)
    serving = filled(logs, 1)
    for generation in range(2, 10):
        filled(logs, generation).close()
    serving.write(OUT, b"still here\n")
    assert logs.page("w", "app", generation=1).lines[-1].text == "still here"
    serving.close()
    filled(logs, 10).close()
    assert kept(logs, 10) == [9, 10]


def test_a_generation_that_grows_pushes_older_ones_out_while_it_runs(tmp_path: Path) -> None:
    logs = LogFiles(tmp_path, max_bytes=2000, keep=4, keep_bytes=9000)
    for generation in (1, 2, 3):
        filled(logs, generation, lines=60).close()
    running = filled(logs, 4)
    assert kept(logs, 4) == [1, 2, 3, 4]
    for number in range(400):
        running.write(OUT, b"generation 4 goes on with line %d\n" % number)
    assert kept(logs, 4) == [3, 4], "the two newest stay whatever their size"
    running.close()


def test_what_rotation_dropped_is_counted_to_the_line(tmp_path: Path) -> None:
    logs = LogFiles(tmp_path, max_bytes=1000, keep=2)
    writer = filled(logs, 1, lines=500)
    page = logs.page("w", "app", limit=5000)
    assert page.dropped + len(page.lines) == 500
    assert page.lines[0].text == f"generation 1 line {page.dropped}"
    writer.close()


@pytest.mark.parametrize("seed", range(20))
def test_characters_survive_whatever_chunks_they_are_read_in(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    alphabet = "aé€😀 \t漢字"
    lines = ["".join(draw.choices(alphabet, k=draw.randint(0, 200))) for _ in range(100)]
    raw = "".join(f"{line}\n" for line in lines).encode()
    logs = LogFiles(tmp_path)
    writer = logs.writer("w", "app", 1)
    scrub = Scrubber(("a secret that is not there",)).stream()
    while raw:
        size = draw.choice((1, 2, 3, 5, 64, 1000))
        writer.write(OUT, scrub.feed(raw[:size]))
        raw = raw[size:]
    writer.write(OUT, scrub.flush())
    writer.close()
    assert [line.text for line in logs.page("w", "app", limit=1000).lines] == lines
