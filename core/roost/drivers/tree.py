"""`ProcessTree`: everything that belongs to one start, found in the process table."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable

from roost.drivers.proctable import Identity, ProcessEntry, ProcessTable, Snapshot


class ProcessTree:
    """The processes of one or more leaders.

    Members are the leaders, what is in their sessions or process groups, what carries a mark of
    theirs, what was a member at an earlier look, and every descendant of these. A leader's session
    and group count only while the leader is in the table, as a zombie at least: afterwards its
    number may belong to somebody else.

    Args:
        table: the process table.
        leaders: the processes that were started.
        owns_mark: says whether a mark belongs to the tree.
        spared: pids that are never members, nor what descends from them.
    """

    def __init__(
        self,
        table: ProcessTable,
        leaders: Iterable[Identity],
        *,
        owns_mark: Callable[[str], bool],
        spared: Callable[[], Container[int]],
    ) -> None:
        self._table = table
        self._leaders = tuple(leaders)
        self._owns_mark = owns_mark
        self._spared = spared
        self._seen: set[Identity] = set()
        self.looked_at = 0.0
        """When the table of the last look was read, in monotonic seconds."""

    def living(self, max_age_s: float = 0.0) -> tuple[ProcessEntry, ...]:
        """Return the members that live, from a table at most `max_age_s` seconds old.

        Older ones come first, so that a parent is signalled before its children and does not take
        their ends for failures.
        """
        snapshot = self._table.read(max_age_s)
        self.looked_at = snapshot.taken_at
        members = self._members(snapshot)
        self._seen = {self._table.identity(snapshot.entries[pid]) for pid in members}
        living = [snapshot.entries[pid] for pid in members if snapshot.entries[pid].is_alive]
        return tuple(sorted(living, key=lambda entry: (entry.start, entry.pid)))

    def notice(self, members: Iterable[ProcessEntry], snapshot: Snapshot) -> None:
        """Take note of members that somebody else found, so that they stay members."""
        kept = {seen for seen in self._seen if self._is_in(snapshot.entries, seen)}
        self._seen = kept.union(map(self._table.identity, members))

    def _members(self, snapshot: Snapshot) -> set[int]:
        spared = self._spared()
        children = snapshot.kin.children
        members: set[int] = set()
        pending = self._roots(snapshot)
        while pending:
            pid = pending.pop()
            if pid in members or pid in spared:
                continue
            members.add(pid)
            pending.extend(children.get(pid, ()))
        return members

    def _roots(self, snapshot: Snapshot) -> list[int]:
        entries, kin = snapshot.entries, snapshot.kin
        roots = [identity.pid for identity in self._seen if self._is_in(entries, identity)]
        for mark, pids in kin.marked.items():
            if self._owns_mark(mark):
                roots += pids
        for leader in self._leaders:
            if self._is_in(entries, leader):
                roots.append(leader.pid)
                roots += kin.sessions.get(leader.pid, ())
                roots += kin.groups.get(leader.pid, ())
        return roots

    def _is_in(self, entries: dict[int, ProcessEntry], identity: Identity) -> bool:
        entry = entries.get(identity.pid)
        return entry is not None and self._table.identity(entry) == identity
