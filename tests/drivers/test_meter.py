"""All trees in one pass over a process table that a test writes."""

from __future__ import annotations

import os

import pytest
from tests.drivers.test_tree import BOOT, FixedSource, entry

from roost.drivers.meter import Measured, TreeMeter
from roost.drivers.proctable import Identity, ProcessTable

A, B = Identity(50, 100, BOOT), Identity(60, 100, BOOT)

LEADERS = {A: "data/a", B: "data/b"}

ME = os.getpid()


class Counting(FixedSource):
    """Tells descriptors too, and counts its scans."""

    descriptor_counts: dict[int, int | None] = {}  # noqa: RUF012 - replaced, never changed
    scans = 0

    def entries(self):  # type: ignore[no-untyped-def]
        self.scans += 1
        return super().entries()

    def descriptors(self, pid: int) -> int | None:
        return self.descriptor_counts.get(pid)


def meter(source: FixedSource) -> TreeMeter:
    return TreeMeter("data", ProcessTable(source))


def pids(found: Measured, leader: Identity) -> list[int]:
    return sorted(member.pid for member in found.members.get(leader, ()))


def measure(
    trees: TreeMeter, leaders: dict[Identity, str] = LEADERS, spared: frozenset[int] = frozenset()
) -> Measured:
    return trees.measure(leaders, spared | {ME})


def test_each_process_counts_for_the_tree_that_its_session_mark_or_ancestor_is_of() -> None:
    source = FixedSource(
        entry(1, 0, 1),
        entry(50, 1, 50),
        entry(51, 50, 50),
        entry(52, 1, 50),
        entry(53, 52, 53),
        entry(60, 1, 60),
        entry(61, 1, 61),
        entry(62, 61, 62),
        entry(70, 1, 70),
        marks={61: "data/b", 70: "other/x"},
    )
    found = measure(meter(source))
    assert pids(found, A) == [50, 51, 52, 53]
    assert pids(found, B) == [60, 61, 62]
    assert found.figures[A].processes == 4 and not found.may_have_orphans


def test_a_tree_inside_another_counts_for_itself() -> None:
    source = FixedSource(entry(50, 1, 50), entry(60, 50, 60), entry(61, 60, 60))
    found = measure(meter(source))
    assert pids(found, A) == [50] and pids(found, B) == [60, 61]


def test_what_left_its_tree_in_every_way_still_counts_for_it_until_it_ends() -> None:
    source = FixedSource(entry(50, 1, 50), entry(51, 50, 50))
    trees = meter(source)
    measure(trees)
    source.table = [entry(50, 1, 50), entry(51, 1, 51), entry(52, 51, 52)]
    assert pids(measure(trees), A) == [50, 51, 52]
    source.table = [entry(50, 1, 50), entry(51, 1, 51, start=101)]
    assert pids(measure(trees), A) == [50], "its number is somebody else's now"


def test_the_session_of_a_recycled_leader_is_nobodys() -> None:
    source = FixedSource(entry(50, 1, 50, start=999), entry(51, 50, 50))
    assert measure(meter(source)).members == {}


def test_what_is_spared_is_no_member_nor_is_what_it_started() -> None:
    source = FixedSource(entry(50, 1, 50), entry(51, 50, 51), entry(52, 51, 52))
    assert pids(measure(meter(source), spared=frozenset({51})), A) == [50]


def test_zombies_use_nothing() -> None:
    source = FixedSource(entry(50, 1, 50, is_alive=False), entry(51, 50, 50))
    assert pids(measure(meter(source)), A) == [51]


def test_a_table_with_a_circle_of_parents_is_survived() -> None:
    source = FixedSource(entry(80, 81, 80), entry(81, 80, 81), entry(50, 1, 50))
    assert pids(measure(meter(source)), A) == [50]


def test_processor_use_is_what_grew_since_the_pass_before(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("roost.drivers.proctable.time.monotonic", lambda: now)
    source = FixedSource(entry(50, 1, 50)._replace(cpu_s=7.0), entry(51, 50, 50))
    trees = meter(source)
    assert measure(trees).figures[A].cpu_percent == 0.0, "a first look knows nothing of before"
    now = 1002.0
    source.table = [entry(50, 1, 50)._replace(cpu_s=8.0), entry(52, 50, 50)._replace(cpu_s=0.5)]
    assert measure(trees).figures[A].cpu_percent == pytest.approx(75.0)
    now = 1004.0
    assert measure(trees).figures[A].cpu_percent == 0.0


def test_a_tree_that_is_new_begins_at_nothing_whatever_its_processes_used() -> None:
    source = FixedSource(entry(50, 1, 50), entry(60, 1, 60)._replace(cpu_s=100.0))
    trees = meter(source)
    measure(trees, {A: "data/a"})
    assert measure(trees).figures[B].cpu_percent == 0.0


def test_threads_and_descriptors_are_added_up_and_what_is_not_told_is_unknown() -> None:
    source = Counting(
        entry(50, 1, 50)._replace(threads=3, rss_bytes=10),
        entry(51, 50, 50)._replace(threads=2, rss_bytes=5),
        entry(60, 1, 60),
    )
    source.descriptor_counts = {50: 7, 51: None}
    found = measure(meter(source))
    figures = found.figures[A]
    assert (figures.threads, figures.rss_bytes, figures.descriptors) == (5, 15, 7)
    assert found.figures[B].descriptors is None


def test_one_scan_serves_any_number_of_trees() -> None:
    leaders = {Identity(pid, 100, BOOT): f"data/{pid}" for pid in range(1000, 1200)}
    source = Counting(*(entry(leader.pid, ME, leader.pid) for leader in leaders))
    found = measure(meter(source), leaders)
    assert len(found.figures) == 200 and source.scans == 1


@pytest.mark.parametrize(
    ("stray", "is_suspect"),
    [
        (entry(70, 1, 70), True),
        (entry(70, 1, 70, is_alive=False), False),
        (entry(71, ME, 71), True),
        (entry(71, 1, 71), False),
    ],
)
def test_what_is_ours_outside_every_tree_is_suspected(stray: object, is_suspect: bool) -> None:
    source = FixedSource(entry(50, ME, 50), stray, marks={70: "data/gone"})  # type: ignore[arg-type]
    assert measure(meter(source)).may_have_orphans is is_suspect
