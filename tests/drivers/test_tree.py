from __future__ import annotations

import pytest

from roost.drivers.proctable import Identity, ProcessEntry, ProcessTable
from roost.drivers.tree import ProcessTree

BOOT = "this boot"


def entry(
    pid: int, ppid: int, session: int, *, start: int = 100, is_alive: bool = True
) -> ProcessEntry:
    return ProcessEntry(pid, ppid, session, session, start, is_alive, False, 0.0, 0)


class FixedSource:
    """A process table that a test writes."""

    def __init__(self, *entries: ProcessEntry, marks: dict[int, str] | None = None) -> None:
        self.table = list(entries)
        self.marks_by_pid = marks or {}

    def boot_id(self) -> str:
        return BOOT

    def entry(self, pid: int) -> ProcessEntry | None:
        return self.entries().get(pid)

    def entries(self) -> dict[int, ProcessEntry]:
        return {entry.pid: entry for entry in self.table}

    def marks(self, entries: list[ProcessEntry]) -> dict[int, str | None]:
        return {entry.pid: self.marks_by_pid.get(entry.pid) for entry in entries}

    def is_at_rest(self, pid: int) -> bool:
        return pid not in self.entries()

    def descriptors(self, pid: int) -> int | None:
        return None


def tree(
    source: FixedSource, *, start: int = 100, spared: frozenset[int] = frozenset({1})
) -> ProcessTree:
    return ProcessTree(
        ProcessTable(source),
        [Identity(50, start, BOOT)],
        owns_mark="data/gen".__eq__,
        spared=lambda: spared,
    )


def pids(found: tuple[ProcessEntry, ...]) -> list[int]:
    return sorted(entry.pid for entry in found)


def test_members_are_the_session_the_descendants_and_the_marked() -> None:
    source = FixedSource(
        entry(1, 0, 1),
        entry(50, 1, 50),
        entry(51, 50, 50),
        entry(52, 1, 50),
        entry(53, 51, 53),
        entry(54, 1, 54),
        entry(55, 54, 55),
        entry(60, 1, 60),
        marks={54: "data/gen", 60: "data/other"},
    )
    assert pids(tree(source).living()) == [50, 51, 52, 53, 54, 55]


def test_the_session_of_a_recycled_leader_is_not_ours() -> None:
    source = FixedSource(entry(1, 0, 1), entry(50, 1, 50), entry(51, 50, 50))
    assert tree(source, start=99).living() == ()


def test_the_session_of_a_vanished_leader_counts_only_by_mark() -> None:
    source = FixedSource(entry(51, 1, 50), entry(52, 1, 50), marks={51: "data/gen"})
    assert pids(tree(source).living()) == [51]


def test_a_zombie_leader_still_holds_its_session() -> None:
    source = FixedSource(entry(50, 1, 50, is_alive=False), entry(51, 1, 50))
    assert pids(tree(source).living()) == [51]


def test_a_member_stays_one_after_it_left_in_every_way() -> None:
    source = FixedSource(entry(50, 1, 50), entry(51, 50, 50))
    looked = tree(source)
    looked.living()
    source.table = [entry(51, 1, 51), entry(52, 51, 52)]
    assert pids(looked.living()) == [51, 52]
    source.table = [entry(51, 1, 51, start=101)]
    assert looked.living() == ()


@pytest.mark.parametrize("spared", [50, 51])
def test_what_is_spared_is_no_member_nor_is_what_it_started(spared: int) -> None:
    source = FixedSource(entry(50, 1, 50), entry(51, 50, 51), entry(52, 51, 52))
    expected = {50: [], 51: [50]}[spared]
    assert pids(tree(source, spared=frozenset({spared})).living()) == expected
