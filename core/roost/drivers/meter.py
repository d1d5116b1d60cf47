"""`TreeMeter`: what every process tree uses, found in one pass over the process table."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from roost.drivers.base import TreeFigures
from roost.drivers.proctable import Identity, ProcessEntry, ProcessTable, Snapshot


class Measured(NamedTuple):
    """What one pass found."""

    snapshot: Snapshot
    members: dict[Identity, list[ProcessEntry]]
    """What lives of each tree, by leader; a tree that is gone has no entry."""
    figures: dict[Identity, TreeFigures]
    may_have_orphans: bool
    """Whether something of ours lives outside every tree; who wants to know looks closer."""
    cost_s: float
    """Processor time of the pass, in seconds."""


class TreeMeter:
    """Measures trees; keeps what it needs from one pass to the next.

    It has a table of its own and no lock: one thread at a time, any thread.

    Args:
        data_id: identity of the data directory; what carries its mark is ours.
        table: the process table; None reads this machine's.
    """

    def __init__(self, data_id: str, table: ProcessTable | None = None) -> None:
        self._prefix = f"{data_id}/"
        self._table = table or ProcessTable()
        self._measured_at = 0.0
        self._owners: dict[tuple[int, int], Identity] = {}
        """Leader of every member of the last pass, by pid and start: a member stays one after it
        left its session and cleared its environment."""
        self._used: dict[tuple[int, int], float] = {}
        """Processor seconds of every member at the last pass."""
        self._known: set[Identity] = set()
        """Leaders of the last pass."""

    def measure(self, leaders: Mapping[Identity, str], spared: Collection[int]) -> Measured:
        """Measure once.

        Args:
            leaders: the trees, each by its leader, with its mark.
            spared: pids that belong to no tree, nor does what descends from them.
        """
        began = time.thread_time()
        snapshot = self._table.read()
        owners = _Owners(snapshot, leaders, spared, self._owners).find()
        members: dict[Identity, list[ProcessEntry]] = {}
        for pid, leader in owners.items():
            if leader is not None and snapshot.entries[pid].is_alive:
                members.setdefault(leader, []).append(snapshot.entries[pid])
        figures = {leader: self._figures(leader, of, snapshot) for leader, of in members.items()}
        has_strays = self._has_strays(snapshot, owners, spared)
        self._remember(snapshot, members, leaders)
        return Measured(snapshot, members, figures, has_strays, time.thread_time() - began)

    def _figures(
        self, leader: Identity, members: list[ProcessEntry], snapshot: Snapshot
    ) -> TreeFigures:
        cpu_percent = 0.0
        passed_s = snapshot.taken_at - self._measured_at
        if leader in self._known and passed_s > 0:
            grown = (e.cpu_s - self._used.get((e.pid, e.start), 0.0) for e in members)
            cpu_percent = 100.0 * sum(max(seconds, 0.0) for seconds in grown) / passed_s
        return TreeFigures(
            cpu_percent=cpu_percent,
            rss_bytes=sum(entry.rss_bytes for entry in members),
            processes=len(members),
            threads=sum(entry.threads for entry in members),
            descriptors=_total(self._table.descriptors(entry.pid) for entry in members),
        )

    def _has_strays(
        self, snapshot: Snapshot, owners: dict[int, Identity | None], spared: Collection[int]
    ) -> bool:
        me, session = os.getpid(), os.getsid(0)
        for entry in snapshot.entries.values():
            if owners[entry.pid] is not None or entry.pid in spared or not entry.is_alive:
                continue
            if snapshot.marks.get(entry.pid, "").startswith(self._prefix):
                return True
            if entry.ppid == me and entry.sid != session:
                return True  # adopted: its parent ended, and it is in no tree
        return False

    def _remember(
        self,
        snapshot: Snapshot,
        members: dict[Identity, list[ProcessEntry]],
        leaders: Mapping[Identity, str],
    ) -> None:
        self._measured_at = snapshot.taken_at
        self._known = set(leaders)
        self._owners = {(e.pid, e.start): leader for leader, of in members.items() for e in of}
        self._used = {(e.pid, e.start): e.cpu_s for of in members.values() for e in of}


class _Owners:
    """Tells to which tree each process of a snapshot belongs."""

    def __init__(
        self,
        snapshot: Snapshot,
        leaders: Mapping[Identity, str],
        spared: Collection[int],
        before: Mapping[tuple[int, int], Identity],
    ) -> None:
        self._snapshot = snapshot
        self._spared = spared
        self._before = before
        self._marked = {mark: leader for leader, mark in leaders.items()}
        # A leader's session and group count only while it is in the table: afterwards its number
        # may belong to somebody else.
        self._present = {leader.pid: leader for leader in leaders if self._holds(leader)}
        self._leaders = leaders
        self._found: dict[int, Identity | None] = {}

    def find(self) -> dict[int, Identity | None]:
        """Return the leader of each process; None for those of no tree."""
        for pid in self._snapshot.entries:
            self._owner(pid)
        return self._found

    def _owner(self, pid: int) -> Identity | None:
        """Climb to the first ancestor whose tree is known, and note it for the whole path."""
        path: list[int] = []
        owner: Identity | None = None
        entries = self._snapshot.entries
        while pid in entries and pid not in self._spared:
            if pid in self._found:
                owner = self._found[pid]
                break
            path.append(pid)
            self._found[pid] = None  # a table read while pids are recycled may hold a circle
            owner = self._own_tree(entries[pid])
            if owner is not None:
                break
            pid = entries[pid].ppid
        else:
            if pid in self._spared:
                self._found[pid] = None
        for member in path:
            self._found[member] = owner
        return owner

    def _own_tree(self, entry: ProcessEntry) -> Identity | None:
        present = self._present
        by_number = present.get(entry.pid) or present.get(entry.sid) or present.get(entry.pgid)
        if by_number is not None:
            return by_number
        by_mark = self._marked.get(self._snapshot.marks.get(entry.pid, ""))
        if by_mark is not None:
            return by_mark
        before = self._before.get((entry.pid, entry.start))
        return before if before in self._leaders else None

    def _holds(self, leader: Identity) -> bool:
        entry = self._snapshot.entries.get(leader.pid)
        return entry is not None and entry.start == leader.start


def _total(counts: Iterable[int | None]) -> int | None:
    """Add what could be counted; None when nothing could."""
    told = [count for count in counts if count is not None]
    return sum(told) if told else None
