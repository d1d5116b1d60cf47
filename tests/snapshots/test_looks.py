"""Looks at files that starts at the same moment share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from tests.support.real_daemon import wait_for

from roost.snapshots import looks as module
from roost.snapshots.looks import Look, Looks
from roost.snapshots.stamps import first_change, stamps

BOUND_S = 30.0


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every path that the disk was asked for."""
    paths: list[str] = []
    stat, listdir = os.stat, os.listdir

    def counted_stat(path: str, **how: Any) -> os.stat_result:
        paths.append(path)
        return stat(path, **how)

    def counted_listdir(path: str) -> list[str]:
        paths.append(path)
        return listdir(path)

    monkeypatch.setattr(os, "stat", counted_stat)
    monkeypatch.setattr(os, "listdir", counted_listdir)
    return paths


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks that wait for no other, so that a test can have two of them in one thread."""
    monkeypatch.setattr(module, "LONGEST_TURN_S", 0.0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "module.py"
    path.write_text("one")
    return path


@pytest.fixture
def both(impatient: None) -> Iterator[tuple[Look, Look]]:
    looks = Looks()
    with looks.look() as first, looks.look() as second:
        yield first, second


def test_looks_at_the_same_moment_ask_for_a_file_once(
    both: tuple[Look, Look], file: Path, asked: list[str]
) -> None:
    first, second = both
    assert first.stat(str(file)) == second.stat(str(file))
    assert first.names(str(file.parent)) == second.names(str(file.parent)) == [file.name]
    assert asked == [str(file), str(file.parent)]


def test_a_look_that_begins_later_asks_again(impatient: None, file: Path) -> None:
    looks = Looks()
    with looks.look() as first:
        with looks.look():
            before = first.stat(str(file))
            assert first.names(str(file.parent)) == [file.name]
        file.write_text("another")
        (file.parent / "new.pth").touch()
        with looks.look() as later:
            assert later.stat(str(file)).st_size != before.st_size
            assert "new.pth" in later.names(str(file.parent))


def test_a_change_between_two_looks_is_seen(impatient: None, file: Path) -> None:
    kept, looks = stamps([str(file)]), Looks()
    with looks.look() as first, looks.look():
        assert first_change(kept, first.stat) is None
        file.write_text("another")
        with looks.look() as later:
            assert first_change(kept, later.stat) is not None


def test_what_was_under_way_when_a_look_began_does_not_count_for_it(
    impatient: None, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, later, stat = Looks(), list[Look](), os.stat
    with looks.look() as first, ExitStack() as open_looks:

        def slow_stat(path: str) -> os.stat_result:
            found = stat(path)
            later.append(open_looks.enter_context(looks.look()))
            file.write_text("another")
            return found

        with monkeypatch.context() as patch:
            patch.setattr(os, "stat", slow_stat)
            assert first.stat(str(file)).st_size == len("one")
        assert later[0].stat(str(file)).st_size == len("another")


def test_a_file_that_is_gone_is_gone_for_everybody(both: tuple[Look, Look], file: Path) -> None:
    file.unlink()
    for look in both:
        with pytest.raises(FileNotFoundError):
            look.stat(str(file))


def test_nothing_is_kept_once_nobody_looks(impatient: None, file: Path) -> None:
    looks = Looks()
    with looks.look() as first, looks.look():
        first.stat(str(file))
        first.names(str(file.parent))
        assert looks.stats
        assert looks.names
    assert not looks.stats
    assert not looks.names


def test_a_look_waits_until_the_one_before_it_is_over(
    file: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_TURN_S", BOUND_S)
    looks, order = Looks(), list[str]()

    def look() -> None:
        with looks.look() as mine:
            order.append("second")
            mine.stat(str(file))

    with ThreadPoolExecutor(1) as thread:
        with looks.look() as first:
            waiting = thread.submit(look)
            wait_for(lambda: looks.begun, lambda begun: begun == 2)
            first.stat(str(file))
            order.append("first")
        waiting.result(BOUND_S)
    assert order == ["first", "second"]
    assert asked.count(str(file)) == 1


def test_a_look_that_hangs_holds_nobody_up(impatient: None, file: Path) -> None:
    looks, go_on = Looks(), Event()

    def hang() -> None:
        with looks.look():
            started.set()
            assert go_on.wait(BOUND_S)

    started = Event()
    with ThreadPoolExecutor(1) as thread:
        hanging = thread.submit(hang)
        assert started.wait(BOUND_S)
        with looks.look() as look:
            assert look.stat(str(file)).st_size == 3
        assert not hanging.done()
        go_on.set()
        hanging.result(BOUND_S)
